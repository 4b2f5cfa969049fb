/**
 * Who may do what: keys, logins, origins and channels, in one place.
 *
 * @module
 */
import type { Config, Scope } from "./config.ts";
import { GongError } from "./errors.ts";
import type { Grant } from "./auth/grant.ts";
import { createKeys, findKey } from "./auth/keys.ts";
import type { HashedKey } from "./auth/keys.ts";
import { createLogins } from "./auth/login.ts";
import { createOrigins, requestUrl } from "./auth/origins.ts";
import type { OriginSettings } from "./auth/origins.ts";
import { type ChannelAction, createRights, type RightsSettings } from "./auth/rights.ts";

export type { Grant, User } from "./auth/grant.ts";
export type { ChannelAction, Verdict } from "./auth/rights.ts";

/** The settings that decide who may do what. */
export type AuthSettings =
  & OriginSettings
  & RightsSettings
  & Pick<Config, "apiKey" | "adminSession">;

/** What {@linkcode createAuth} needs besides the config. */
export interface AuthOptions {
  /** At least 16 random bytes that all edges share. */
  readonly secret: Uint8Array;
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
  /** A wrong key came from this address. Not called while the address is blocked. */
  readonly onFailure?: (address: string) => void;
}

/** Verdicts. Addresses are those of `createAddresses`. */
export interface Auth {
  /**
   * For every request: is this host name ours? Only `dev` asks for more than that it is well-formed.
   *
   * @throws {GongError} `bad_request`, `misdirected`.
   */
  checkHost(request: Request, url: URL): void;
  /**
   * For every door, before upgrade or body: may this page talk to us? Includes `checkHost`.
   *
   * @throws {GongError} `bad_request`, `misdirected`, `forbidden`.
   */
  checkOrigin(request: Request, url: URL): void;
  /** The request's origin, if it has one that may talk to us: its page may read the answer. */
  allowedOrigin(request: Request, url: URL): string | undefined;
  /** Whether a page of ours sent this: no other origin, and without `Origin` only GET and HEAD. */
  isOwn(request: Request, url: URL): boolean;
  /**
   * Who sends this, by `X-API-Key`, `Authorization: Bearer` or login cookie, in that order; undefined is nobody we know.
   * A request that brings our cookie, and with `dev` every request, has to pass the origin check. The cookie counts
   * only when it comes from our own pages: not from `allowOrigin`, and without `Origin` only for GET and HEAD.
   *
   * @throws {GongError} `bad_request`: two different keys; `unauthorized`: a wrong key, or another scheme than Bearer;
   * `rate_limited`: any key from a blocked address; `forbidden`, `misdirected`, `bad_request`: the origin check.
   */
  identify(request: Request, address: string): Grant | undefined;
  /** Whether the grant, or nobody, may do this to the channel: the table at {@linkcode createRights}. */
  may(grant: Grant | undefined, action: ChannelAction, channel: string): boolean;
  /** Whether the grant, or nobody, has the scope; as for {@linkcode Auth.require}. */
  has(grant: Grant | undefined, scope: Scope): boolean;
  /**
   * The grant, if it has the scope; `admin` has them all, and with `dev` everybody is admin.
   *
   * @throws {GongError} `unauthorized`: no grant; `forbidden`: not this scope.
   */
  require(grant: Grant | undefined, scope: Scope): Grant;
  /**
   * Begins an admin login with a key of whatever scope. `cookie` is the value of a `Set-Cookie` header.
   *
   * @throws {GongError} `unauthorized`, `rate_limited`.
   */
  login(key: string, address: string): { cookie: string; grant: Grant };
  /** Ends the login here (the hub tells the other edges) and returns the `Set-Cookie` that clears the cookie. */
  logout(grant: Grant | undefined): string;
  /** Refuses every key from the address until then (milliseconds since 1970); a time past lifts it. */
  block(address: string, until: number): void;
  /** Ends a login by its id. */
  revoke(login: string): void;
}

/** Blocked addresses remembered; past that the one blocked longest ago is dropped. */
const MAX_BLOCKED = 10_000;
const DEV: Grant = { name: "dev", scopes: ["admin"] };
const BEARER = /^Bearer +(\S+)$/i;

/**
 * The one place of verdicts. With `dev` and no keys configured a key is not looked at: there is none that could be right.
 *
 * @throws {RangeError} for a `secret` under 16 bytes.
 * @throws {SyntaxError} for a key or a glob, {@linkcode TypeError} for a URL, that a loaded config cannot have.
 */
export function createAuth(config: AuthSettings, options: AuthOptions): Auth {
  const { secret, now = Date.now, onFailure = () => {} } = options;
  if (secret.byteLength < 16) throw new RangeError("the secret has to be at least 16 bytes");
  const keys = createKeys(config.apiKey);
  const logins = createLogins({ config, keys, secret, now });
  const origins = createOrigins(config);
  const { has, judge } = createRights(config);
  const blocked = new Map<string, number>();
  const ignoresKeys = config.dev && keys.length === 0;

  function checkKey(secret: string, address: string): HashedKey {
    const wait = (blocked.get(address) ?? 0) - now();
    if (wait > 0) {
      throw new GongError("rate_limited", "Too many wrong keys came from this address.", {
        retryAfter: Math.ceil(wait / 1000),
      });
    }
    blocked.delete(address);
    const key = findKey(keys, secret);
    if (key !== undefined) return key;
    onFailure(address);
    throw new GongError("unauthorized", "The key is not valid.");
  }

  return {
    checkHost: origins.checkHost,
    checkOrigin(request, url) {
      origins.checkOrigin(request, url);
    },
    allowedOrigin: origins.allowed,
    isOwn: origins.isOwn,
    identify(request, address) {
      const cookie = logins.read(request.headers);
      // A foreign page must not use what the browser brings along: our cookie, or with `dev` being on this machine.
      const url = cookie === undefined && !config.dev ? undefined : requestUrl(request);
      // Our own pages' GET requests have no origin, so one cannot be required.
      if (url !== undefined) origins.checkOrigin(request, url, false);
      const key = ignoresKeys ? undefined : presentedKey(request.headers);
      if (key !== undefined) return checkKey(key, address).grant;
      if (cookie === undefined || url === undefined || !origins.isOwn(request, url)) return undefined;
      return logins.verify(cookie);
    },
    may: (grant, action, channel) => judge(grant, action, channel).allowed,
    has,
    require(grant, scope) {
      if (config.dev) return { ...grant, ...DEV };
      if (grant === undefined) throw new GongError("unauthorized");
      if (!has(grant, scope)) throw new GongError("forbidden", `This needs a key with the scope \`${scope}\`.`);
      return grant;
    },
    login(key, address) {
      return logins.issue(checkKey(key, address));
    },
    logout(grant) {
      if (grant?.login !== undefined) logins.revoke(grant.login);
      return logins.clear();
    },
    block(address, until) {
      blocked.delete(address);
      if (until <= now()) return;
      blocked.set(address, until);
      const oldest = blocked.keys().next();
      if (blocked.size > MAX_BLOCKED && !oldest.done) blocked.delete(oldest.value);
    },
    revoke: logins.revoke,
  };
}

/** @throws {GongError} `unauthorized` for a scheme other than Bearer, `bad_request` for two different keys. */
function presentedKey(headers: Headers): string | undefined {
  const plain = headers.get("x-api-key") ?? undefined;
  const authorization = headers.get("authorization");
  if (authorization === null) return plain;
  const bearer = BEARER.exec(authorization)?.[1];
  if (bearer === undefined) throw new GongError("unauthorized", "Only `Authorization: Bearer KEY` is understood.");
  if (plain !== undefined && plain !== bearer) {
    throw new GongError("bad_request", "`X-API-Key` and `Authorization` name different keys.", { field: "X-API-Key" });
  }
  return bearer;
}
