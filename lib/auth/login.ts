/**
 * Admin logins: a cookie that every edge can check by itself.
 *
 * @module
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { setCookie } from "@std/http/cookie";
import type { Config } from "../config.ts";
import { readCookie } from "./cookies.ts";
import type { Grant } from "./grant.ts";
import type { HashedKey } from "./keys.ts";

/** What {@linkcode createLogins} needs. */
export interface LoginOptions {
  readonly config: Pick<Config, "cert" | "publicUrl" | "adminListen" | "adminSession">;
  readonly keys: readonly HashedKey[];
  /** Shared by all edges. */
  readonly secret: Uint8Array;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Makes and checks login cookies. */
export interface Logins {
  /** A new login with the key: the value of a `Set-Cookie` header, and what it grants. */
  issue(key: HashedKey): { cookie: string; grant: Grant };
  /** What the request's cookie says, unchecked; undefined when it has none of ours. */
  read(headers: Headers): string | undefined;
  /** What the cookie grants; undefined when it is forged, expired, revoked, or its key is no longer configured. */
  verify(cookie: string): Grant | undefined;
  /** A `Set-Cookie` header that makes the browser forget. */
  clear(): string;
  /** Ends a login here, before it expires. */
  revoke(login: string): void;
  /** Whether that has been done, as far as it is remembered. */
  isRevoked(login: string): boolean;
}

/** `LOGIN.EXPIRY.KEY.MAC`: 16 random bytes, seconds since 1970, 16 bytes that stand for the key, HMAC-SHA-256. */
const COOKIE = /^(([\w-]{22})\.(\d{1,12})\.([\w-]{22}))\.([\w-]{43})$/;
const MAX_REVOKED = 10_000;

/**
 * The cookie contains neither the key nor anything a key could be guessed from without `secret`: what stands for the
 * key is an HMAC too. It is named `__Host-gong` where browsers see HTTPS, so that no neighbouring host can set it
 * (RFC 6265bis section 4.1.3.2), and `gong` elsewhere. Where the admin page has an address of its own, that is not behind
 * what `publicUrl` names.
 *
 * Revoked logins are remembered until they expire, at most 10,000; past that every login older than the oldest of them
 * is void too, so that none comes back.
 */
export function createLogins({ config, keys, secret, now }: LoginOptions): Logins {
  const isProxied = config.adminListen === "" && config.publicUrl.toLowerCase().startsWith("https:");
  const secure = config.cert !== "" || isProxied;
  const name = secure ? "__Host-gong" : "gong";
  const keyOf = new Map<string, HashedKey>();
  for (const key of keys) {
    // Of two keys with one secret the first counts, as it does for `findKey()`.
    if (!keyOf.has(idOf(key))) keyOf.set(idOf(key), key);
  }
  /** Login → when it expires at the latest, in the order of both. */
  const revoked = new Map<string, number>();
  let voidUntil = 0;

  function sign(purpose: string, content: string | Uint8Array) {
    return createHmac("sha256", secret).update(`gong ${purpose}\0`).update(content).digest();
  }

  function idOf(key: HashedKey): string {
    return sign("key", key.digest).subarray(0, 16).toString("base64url");
  }

  function seconds(): number {
    return Math.floor(now() / 1000);
  }

  function header(value: string, maxAge: number): string {
    const headers = new Headers();
    setCookie(headers, { name, value, maxAge, secure, httpOnly: true, sameSite: "Strict", path: "/" });
    return headers.get("set-cookie")!;
  }

  return {
    issue(key) {
      const login = randomBytes(16).toString("base64url");
      const expiry = seconds() + config.adminSession;
      const content = `${login}.${expiry}.${idOf(key)}`;
      const value = `${content}.${sign("login", content).toString("base64url")}`;
      return { cookie: header(value, config.adminSession), grant: { ...key.grant, login, until: expiry * 1000 } };
    },
    read: (headers) => readCookie(headers, name),
    verify(cookie) {
      const [, content = "", login = "", expiry, id = "", mac = ""] = COOKIE.exec(cookie) ?? [];
      if (expiry === undefined) return undefined;
      // The text of the code is compared, not its bytes: base64 has several texts for the same bytes.
      const expected = sign("login", content).toString("base64url");
      if (!timingSafeEqual(new TextEncoder().encode(mac), new TextEncoder().encode(expected))) return undefined;
      if (Number(expiry) <= Math.max(seconds(), voidUntil) || revoked.has(login)) return undefined;
      const key = keyOf.get(id);
      return key && { ...key.grant, login, until: Number(expiry) * 1000 };
    },
    clear() {
      return header("", 0);
    },
    isRevoked: (login) => revoked.has(login),
    revoke(login) {
      revoked.delete(login);
      revoked.set(login, seconds() + config.adminSession);
      for (const [oldest, until] of revoked) {
        if (until > seconds() && revoked.size <= MAX_REVOKED) break;
        revoked.delete(oldest);
        voidUntil = Math.max(voidUntil, until);
      }
    },
  };
}
