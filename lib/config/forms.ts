/**
 * The forms of settings that are text: each function gives the text back as it is kept.
 *
 * @module
 */

import { parseNetwork } from "../address.ts";
import { isGlob, isReserved } from "../globs.ts";
import { parseAddress } from "./redis_address.ts";
import type { Scope } from "./schema.ts";

/** An API key, taken apart. */
export interface ApiKey {
  /** Shown in logs and on the admin page. Unnamed keys are called `default`. */
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly secret: string;
}

const SCOPES: readonly Scope[] = ["publish", "admin", "stats"];
const KEY_NAME = /^[A-Za-z0-9_.-]{1,64}$/;
// Visible ASCII, so that it fits a header; no comma, which parts keys in the environment.
const SECRET = /^[!-+\--~]{1,256}$/;

/** Paths that belong to the server, with everything below them. */
const TAKEN = [
  ...["/admin", "/api", "/gong.d.ts", "/gong.js", "/health", "/iframe", "/metrics", "/poll", "/ready", "/session"],
  ...["/socket.io", "/sse", "/static", "/stream"],
];

/**
 * Reads `NAME:SCOPE+SCOPE:SECRET`, or `SECRET` alone for every scope.
 *
 * @throws {SyntaxError} whose message has nothing of the key in it
 */
export function parseApiKey(text: string): ApiKey {
  const parts = text.split(":");
  if (parts.length === 1) {
    checkSecret(text);
    return { name: "default", scopes: SCOPES, secret: text };
  }
  if (parts.length < 3) throw new SyntaxError("a key is NAME:SCOPE+SCOPE:SECRET, or SECRET alone without a colon");
  const [name = "", scopes = "", ...rest] = parts;
  const secret = rest.join(":");
  if (!KEY_NAME.test(name)) throw new SyntaxError("the name of a key is 1 to 64 letters, digits, dots, dashes or _");
  checkSecret(secret);
  return { name, scopes: parseScopes(scopes), secret };
}

function parseScopes(text: string): Scope[] {
  const scopes = text.split("+");
  for (const scope of scopes) {
    // The scope itself is not repeated: in a key without a name this may be part of the secret.
    if (!isScope(scope)) throw new SyntaxError(`the scopes of a key are ${SCOPES.join(", ")}, joined by +`);
  }
  return [...new Set(scopes as Scope[])];
}

function isScope(text: string): boolean {
  return (SCOPES as readonly string[]).includes(text);
}

function checkSecret(secret: string): void {
  if (!SECRET.test(secret)) {
    throw new SyntaxError("the secret of a key is 1 to 256 visible ASCII characters, without spaces and commas");
  }
}

/** A key as {@linkcode parseApiKey} reads it. */
export function toApiKey(text: string): string {
  parseApiKey(text);
  return text;
}

/** `https://app.example.com`: scheme, host and port, as browsers write it into `Origin`. */
export function toOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== "http:" && url?.protocol !== "https:") {
    throw new SyntaxError("expected an origin with http or https, e.g. https://app.example.com");
  }
  if (url.host.includes("*")) throw new SyntaxError("an origin has no wildcard; name each one");
  if (url.href !== `${url.origin}/`) throw new SyntaxError(`an origin is only scheme, host and port: ${url.origin}`);
  return url.origin;
}

/** An origin, or nothing. */
export function toOptionalOrigin(text: string): string {
  return text === "" ? "" : toOrigin(text);
}

/** `push.example.com`, `127.0.0.1`, `[::1]`: a host as it stands in a URL, without port. */
export function toHostName(text: string): string {
  const url = `http://${text}/`;
  if (!URL.canParse(url) || text.includes("*") || text.includes("@")) {
    throw new SyntaxError("expected a host name, e.g. push.example.com, 127.0.0.1 or [::1]");
  }
  const { hostname, href } = new URL(url);
  if (href !== `http://${hostname}/` || /:\d*$/.test(text)) {
    throw new SyntaxError(`a host name stands without port and path: ${hostname}`);
  }
  return hostname;
}

/** An address or name to listen on; brackets around IPv6 are taken off. Empty: the default. */
export function toListenHost(text: string): string {
  const host = /^\[(.+)\]$/.exec(text)?.[1] ?? text;
  if (!/^[\w.:%-]*$/.test(host)) throw new SyntaxError("expected an address or host name, e.g. 0.0.0.0 or ::1");
  return host;
}

/** Whether only this machine can reach what listens there. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

/** `/push`, `/a/b`: a path of the WebSocket doors, without the slash at its end. */
export function toDoorPath(text: string): string {
  const path = text.length > 1 && text.endsWith("/") ? text.slice(0, -1) : text;
  const base = "http://host";
  if (!/^\/(?!\/)/.test(path) || !URL.canParse(base + path) || new URL(base + path).href !== base + path) {
    throw new SyntaxError("expected a path as it stands in a URL, e.g. /push");
  }
  if (/[?#]/.test(path)) throw new SyntaxError("a path has no query and no fragment");
  const owner = path === "/" ? "/" : TAKEN.find((taken) => path === taken || path.startsWith(`${taken}/`));
  if (owner !== undefined) throw new SyntaxError(`${owner} is taken by the server itself`);
  return path;
}

/** A pattern of channels that is not about reserved ones. */
export function toOpenGlob(text: string): string {
  if (!isGlob(text)) {
    throw new SyntaxError(
      "expected a channel or a pattern with *: letters, digits and _ . : / % ~ = + ! -, at most 128",
    );
  }
  if (isReserved(text)) throw new SyntaxError("channels that begin with $ are reserved and never open to everybody");
  return text;
}

/** `10.0.0.0/8`, `2001:db8::/32`, or a single address. */
export function toNetwork(text: string): string {
  parseNetwork(text);
  return text;
}

/** At least as long as what HS256 makes (RFC 7518 section 3.2), and no comma, which parts secrets in the environment. */
export function toTokenSecret(text: string): string {
  if (!/^[!-+\--~]{32,512}$/.test(text)) {
    throw new SyntaxError("a token's secret is 32 to 512 visible ASCII characters, without spaces and commas");
  }
  return text;
}

/** `https://id.example.com/keys`, or nothing. What does not leave this machine needs no TLS. */
export function toKeySetUrl(text: string): string {
  if (text === "") return text;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isSafe = url?.protocol === "https:" ||
    url?.protocol === "http:" && isLoopback(url.hostname.replace(/^\[|\]$/g, ""));
  if (url && (url.username !== "" || url.password !== "" || url.hash !== "")) {
    throw new SyntaxError("expected a URL without a user, a password and a fragment");
  }
  if (!url || !isSafe) {
    throw new SyntaxError(
      "expected a URL with https, or on this machine with http, e.g. https://id.example.com/.well-known/jwks.json",
    );
  }
  return url.href;
}

/** A token of RFC 6265 section 4.1.1. */
export function toCookieName(text: string): string {
  if (/^[\w!#$%&'*+.^`|~-]{1,64}$/.test(text)) return text;
  throw new SyntaxError("expected the name of a cookie, e.g. gong-token");
}

/** The name of an event, or nothing. Those with `$` in front are the server's. */
export function toEventName(text: string): string {
  if (/^(?!\$)[^\p{Cc}]{0,64}$/u.test(text)) return text;
  throw new SyntaxError("expected the name of an event, e.g. join, or nothing");
}

/** `memory:`, `sqlite:PATH`, or the URL of a Redis. */
export function toBroker(text: string): string {
  if (text === "sqlite:") throw new SyntaxError("the path of the file is missing, e.g. sqlite:gong.db");
  if (/^rediss?[:+]/.test(text)) {
    parseAddress(text);
    return text;
  }
  if (text !== "memory:" && !text.startsWith("sqlite:") || text.includes("\0")) {
    throw new SyntaxError("expected memory:, sqlite:PATH or redis://HOST, e.g. sqlite:/var/lib/gong/gong.db");
  }
  return text;
}

/** `USER:PASSWORD`, the user may be empty, or nothing. */
export function toSentinelUser(text: string): string {
  if (text === "" || /^[^\s:]{0,64}:[^\p{Cc}]{1,512}$/u.test(text)) return text;
  throw new SyntaxError("expected USER:PASSWORD, or :PASSWORD where there is no user");
}

/** `HOST:PORT`, an address to listen on. */
export function toListenAddress(text: string): string {
  const url = URL.parse(`http://${text}`);
  if (url && url.origin === `http://${text}`.replace(/:80$/, "") && /:\d{1,5}$/.test(text)) return text;
  throw new SyntaxError("expected HOST:PORT, e.g. 10.0.0.1:8999 or [::1]:0");
}

/** The same, or nothing. */
export function toOptionalListenAddress(text: string): string {
  return text === "" ? "" : toListenAddress(text);
}

/** What the checked text of such an address names; a host in brackets comes without them. */
export function parseListenAddress(text: string): { readonly host: string; readonly port: number } {
  const end = text.lastIndexOf(":");
  return { host: text.slice(0, end).replace(/^\[(.*)\]$/, "$1"), port: Number(text.slice(end + 1)) };
}

/** The host that such an address is reached at from this machine, as a URL has it. */
export function urlHost(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}

/** What keys of Redis begin with; braces have a meaning of their own there. */
export function toKeyPrefix(text: string): string {
  if (/^[!-z]{1,64}$/.test(text) && !/["'*,?@[\\\]]/.test(text)) return text;
  throw new SyntaxError(
    "expected 1 to 64 visible ASCII characters without braces, quotes, wildcards and commas, e.g. gong:",
  );
}
