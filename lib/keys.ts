/**
 * API keys: who they are, and finding the one that a request shows.
 *
 * @module
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Scope } from "./config.ts";

/** What a key, or the login made with it, entitles to. */
export interface Grant {
  /** Name of the key; several keys may share one. */
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Id of the admin login, when it came by cookie. Not secret: it opens nothing by itself. */
  readonly login?: string;
}

/** A key as it is configured. */
export interface KeyEntry extends Grant {
  readonly secret: string;
}

/** A key without its secret. */
export interface ApiKey {
  readonly grant: Grant;
  /** SHA-256 of the secret. */
  readonly digest: Uint8Array;
}

/** Every scope there is. */
export const SCOPES: readonly Scope[] = ["publish", "admin", "stats"];

const NAME = /^[A-Za-z0-9._-]{1,64}$/;
/** What a header value can carry as it is: visible ASCII (RFC 9110 section 5.5). */
const SECRET = /^[\x21-\x7e]{1,1024}$/;

/**
 * Reads `NAME:SCOPE+SCOPE:SECRET`, or only `SECRET`, which is named `default` and has every scope. A secret may contain
 * colons in the first form, not in the second.
 *
 * @throws {SyntaxError} whose text says what is wrong and never contains a part of the key.
 */
export function parseApiKey(text: string): KeyEntry {
  const [first = "", second, ...rest] = text.split(":");
  if (second === undefined) return { name: "default", scopes: SCOPES, secret: checkSecret(text) };
  if (rest.length === 0) throw new SyntaxError("a key is NAME:SCOPE+SCOPE:SECRET, or a SECRET without colons");
  if (!NAME.test(first)) throw new SyntaxError("the name of a key is 1 to 64 of A-Z a-z 0-9 . _ -");
  const scopes = second.split("+");
  for (const scope of scopes) {
    if (!isScope(scope)) throw new SyntaxError(`the scopes of a key are some of ${SCOPES.join(", ")}, joined by +`);
  }
  return { name: first, scopes: SCOPES.filter((scope) => scopes.includes(scope)), secret: checkSecret(rest.join(":")) };
}

/** Keys in the form that {@linkcode findKey} takes. @throws {SyntaxError} as {@linkcode parseApiKey} does. */
export function createKeys(texts: readonly string[]): readonly ApiKey[] {
  return texts.map((text) => {
    const { name, scopes, secret } = parseApiKey(text);
    return { grant: { name, scopes }, digest: sha256(secret) };
  });
}

/**
 * The key with this secret; the first, if there are several. Digests are compared, each in constant time, and all of
 * them, so that the time tells neither how much of a key was right nor which one was.
 */
export function findKey(keys: readonly ApiKey[], secret: string): ApiKey | undefined {
  const digest = sha256(secret);
  let found: ApiKey | undefined;
  for (const key of keys) {
    const same = timingSafeEqual(key.digest, digest);
    found ??= same ? key : undefined;
  }
  return found;
}

function isScope(text: string): text is Scope {
  return (SCOPES as readonly string[]).includes(text);
}

function checkSecret(secret: string): string {
  if (!SECRET.test(secret)) throw new SyntaxError("the secret of a key is 1 to 1,024 visible ASCII characters");
  return secret;
}

function sha256(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}
