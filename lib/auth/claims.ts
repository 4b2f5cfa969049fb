/**
 * What the claims of a token say of a user.
 *
 * @module
 */
import { byteLength } from "../bytes.ts";
import { isGlob } from "../globs.ts";
import { isUser } from "../reserved.ts";
import { type JsonObject, parseJson } from "../json.ts";
import type { Grant } from "./grant.ts";
import { createPatterns } from "./patterns.ts";
import { TokenFault } from "./token_fault.ts";

/** How far the clocks of whoever signs may be wrong, in seconds. */
export const LEEWAY = 30;

const MAX_PATTERNS = 100;
const MAX_INFO = 1024;
/** What a `Date` can hold, in seconds. */
const LAST_SECOND = 8.64e12;

const NO_SCOPES: Grant["scopes"] = Object.freeze([]);

/**
 * Makes a function from the claims of a token, and their text, to what it grants; signature, `exp`, `nbf`, `iss` and
 * `aud` have been checked. Users whose tokens name the same patterns share what these were compiled to.
 */
export function createClaims(): (claims: JsonObject, text: string) => Grant {
  const compile = createPatterns();

  /** @throws {TokenFault} `claims` */
  return (claims, text) => {
    const user = readUser(claims);
    const info = Object.hasOwn(claims, "info") ? readInfo(text) : undefined;
    const heard = compile(readPatterns(claims, "channels"));
    const published = compile(readPatterns(claims, "publish"));
    return {
      name: `user:${user}`,
      scopes: NO_SCOPES,
      until: (readEnd(claims) + LEEWAY) * 1000,
      user: {
        id: user,
        subscribe: heard.matches,
        publish: published.matches,
        patterns: { subscribe: heard.patterns, publish: published.patterns },
        ...info === undefined ? {} : { info },
      },
    };
  };
}

function readUser(claims: JsonObject): string {
  const sub = claim(claims, "sub");
  if (typeof sub !== "string") throw wrong("sub", sub === undefined ? "is missing" : "is not a string");
  if (!isUser(sub)) throw wrong("sub", "is no name of a user: 1 to 128 characters, none of them a control character");
  return sub;
}

function readEnd(claims: JsonObject): number {
  const exp = claim(claims, "exp");
  if (typeof exp !== "number" || !(exp <= LAST_SECOND)) throw wrong("exp", "is no time");
  return exp;
}

function readPatterns(claims: JsonObject, name: "channels" | "publish"): readonly string[] {
  const patterns = Object.hasOwn(claims, name) ? claims[name] : [];
  if (!Array.isArray(patterns)) throw wrong(name, "is not an array");
  if (patterns.length > MAX_PATTERNS) throw wrong(name, `has more than ${MAX_PATTERNS} patterns`);
  const index = patterns.findIndex((pattern) => typeof pattern !== "string" || !isGlob(pattern));
  if (index >= 0) throw wrong(name, `has something at index ${index} that is no pattern of channels`);
  return patterns;
}

/** Read anew, so that numbers keep their digits. `JSON.stringify` leaves neither a line end nor a lone surrogate. */
function readInfo(claims: string): string {
  let text: string;
  try {
    text = JSON.stringify((parseJson(claims) as JsonObject)["info"]);
  } catch (cause) {
    throw new TokenFault("claims", "`info` is nested too deeply", { cause });
  }
  if (byteLength(text) > MAX_INFO) throw wrong("info", `has more than ${MAX_INFO} bytes as text`);
  return text;
}

function claim(claims: JsonObject, name: string): unknown {
  return Object.hasOwn(claims, name) ? claims[name] : undefined;
}

function wrong(name: string, what: string): TokenFault {
  return new TokenFault("claims", `\`${name}\` ${what}`);
}
