/**
 * Who may do what: keys, logins, origins and channels, in one place.
 *
 * @module
 */
import type { Config, Scope } from "./config.ts";
import { GongError } from "./errors.ts";
import { type Grant, type PackedGrant, unpackGrant } from "./auth/grant.ts";
import { readCookie } from "./auth/cookies.ts";
import { checkAgreement, type Credentials, readHeaders, takeQuery } from "./auth/credentials.ts";
import { createKeys, findKey } from "./auth/keys.ts";
import type { HashedKey } from "./auth/keys.ts";
import { createLogins } from "./auth/login.ts";
import { createOrigins } from "./auth/origins.ts";
import { createPatterns } from "./auth/patterns.ts";
import type { OriginSettings } from "./auth/origins.ts";
import { type ChannelAction, createRights, type RightsSettings } from "./auth/rights.ts";
import { TokenFault, type Tokens } from "./auth/tokens.ts";

export type { Grant, User } from "./auth/grant.ts";
export type { ChannelAction, Verdict } from "./auth/rights.ts";

/** The settings that decide who may do what. */
export type AuthSettings =
  & OriginSettings
  & RightsSettings
  & Pick<Config, "apiKey" | "adminSession" | "tokenCookie">;

/** What {@linkcode createAuth} needs besides the config. */
export interface AuthOptions {
  /** At least 16 random bytes that all edges share. */
  readonly secret: Uint8Array;
  /** Checks the tokens of users. */
  readonly tokens: Tokens;
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
  /** A wrong key came from this address. Not called while the address is blocked. */
  readonly onFailure?: (address: string) => void;
  /**
   * A token from this address was refused. It does not count towards blocking the address: nobody
   * guesses a signature, and what clients do whose tokens have expired would block everybody behind their proxy.
   */
  readonly onTokenRefused?: (fault: TokenFault, address: string) => void;
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
   * Who sends this; undefined is nobody we know. What the client says itself comes first: a key in `X-API-Key`, a key or a
   * token in `Authorization: Bearer`, a token in the parameter `token`, with `dev` the name of a user in `user`; then what
   * its browser brings along: the login cookie, and a token in the cookie of `tokenCookie`. Both parameters are taken out
   * of `url`, so that nothing behind sees them.
   *
   * It is answered at once, but for tokens. A promise need not be handled.
   *
   * A request that brings a cookie of ours, and with `dev` every request, has to pass the origin check. The login counts
   * only when it comes from our own pages: not from `allowOrigin`, and without `Origin` only for GET and HEAD. A token's
   * cookie counts from pages of `allowOrigin` too.
   *
   * @throws {GongError} `bad_request`: two that differ, or a `user` without `dev`; `unauthorized`: a wrong key or token, or
   * another scheme than Bearer; `rate_limited`: any key from a blocked address; `forbidden`, `misdirected`, `bad_request`:
   * the origin check.
   */
  identify(request: Request, url: URL, address: string): Grant | undefined | Promise<Grant>;
  /**
   * Who a client says itself that it is, after its handshake: as {@linkcode identify} has it for the request, without what
   * a browser brings along. Undefined when it says nothing, or nothing that anybody looks at.
   *
   * @param said the `user` an `isUser`
   * @throws {GongError} `bad_request`, `unauthorized`, `rate_limited`
   */
  recognize(said: Credentials, address: string): Grant | undefined | Promise<Grant>;
  /** Whose token this is. @throws {GongError} `unauthorized` */
  verify(token: string, address: string): Promise<Grant>;
  /** The grant that another isolate has packed. @throws {GongError} `unauthorized`: its login has been ended meanwhile */
  unpack(packed: PackedGrant): Grant;
  /** Origins whose pages may talk to us, beside our own. */
  readonly foreignOrigins: readonly string[];
  /** Whether there is any channel that everybody may publish to. */
  readonly isOpen: boolean;
  /** Whether the grant, or nobody, may do this to the channel: the table at {@linkcode createRights}. */
  may(grant: Grant | undefined, action: ChannelAction, channel: string): boolean;
  /** Whether the grant, or nobody, may consume the queue (`subscribe`) or put something into it (`publish`). */
  mayUse(grant: Grant | undefined, action: ChannelAction, queue: string): boolean;
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

/**
 * The one place of verdicts. With `dev` and no keys configured a key is not looked at: there is none that could be right.
 *
 * @throws {RangeError} for a `secret` under 16 bytes.
 * @throws {SyntaxError} for a key or a glob, {@linkcode TypeError} for a URL, that a loaded config cannot have.
 */
export function createAuth(config: AuthSettings, options: AuthOptions): Auth {
  const { secret, tokens, now = Date.now, onFailure = () => {}, onTokenRefused = () => {} } = options;
  if (secret.byteLength < 16) throw new RangeError("the secret has to be at least 16 bytes");
  const keys = createKeys(config.apiKey);
  const logins = createLogins({ config, keys, secret, now });
  const origins = createOrigins(config);
  const { has, may, mayUse, isOpen } = createRights(config);
  const compile = createPatterns();
  const blocked = new Map<string, number>();
  const ignoresKeys = config.dev && keys.length === 0;

  function blockedFor(address: string): number {
    return (blocked.get(address) ?? 0) - now();
  }

  function checkKey(secret: string, address: string): HashedKey {
    const wait = blockedFor(address);
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

  async function verify(token: string, address: string): Promise<Grant> {
    try {
      return await tokens.verify(token);
    } catch (error) {
      const { cause } = GongError.from(error);
      if (cause instanceof TokenFault) onTokenRefused(cause, address);
      throw error;
    }
  }

  function verifyLater(token: string, address: string): Promise<Grant> {
    const answer = verify(token, address);
    // Who asks may have refused the request for something else by then.
    answer.catch(() => {});
    return answer;
  }

  /**
   * Who a `Bearer` is: a key that looks like a token is one. Of a blocked address no key is tried. Also where no token can
   * be accepted, one is no wrong key: a server whose settings for tokens are missing must not block its own clients.
   */
  function checkBearer(bearer: string, address: string): Grant | Promise<Grant> {
    if (!tokens.looksLike(bearer)) return checkKey(bearer, address).grant;
    const key = blockedFor(address) > 0 ? undefined : findKey(keys, bearer);
    return key?.grant ?? verifyLater(bearer, address);
  }

  /** As far as anybody looks at it. */
  function heed({ key, bearer }: Credentials): Pick<Credentials, "key" | "bearer"> {
    if (!ignoresKeys) return { key, bearer };
    return tokens.isConfigured && bearer !== undefined && tokens.looksLike(bearer) ? { bearer } : {};
  }

  /** What the request itself says. */
  function readSaid(headers: Headers, url: URL): Credentials {
    const named = takeQuery(url);
    // Where nobody looks at it, `Authorization` may have whatever scheme.
    return ignoresKeys && !tokens.isConfigured ? named : { ...readHeaders(headers), ...named };
  }

  function recognize(said: Credentials, address: string): Grant | undefined | Promise<Grant> {
    const { token, user } = said;
    if (user !== undefined && !config.dev) {
      throw new GongError("bad_request", "To name a user without a token is for --dev alone.", {
        field: "user",
      });
    }
    const { key, bearer } = heed(said);
    checkAgreement({ key, bearer, token, user });
    if (key !== undefined) return checkKey(key, address).grant;
    if (bearer !== undefined) return checkBearer(bearer, address);
    if (token !== undefined) return verifyLater(token, address);
    return user === undefined ? undefined : devUser(user);
  }

  return {
    checkHost: origins.checkHost,
    checkOrigin(request, url) {
      origins.checkOrigin(request, url);
    },
    allowedOrigin: origins.allowed,
    isOwn: origins.isOwn,
    identify(request, url, address) {
      const { headers } = request;
      const login = logins.read(headers);
      const cookie = tokens.isConfigured ? readCookie(headers, config.tokenCookie) : undefined;
      // A foreign page must not use what the browser brings along: our cookies, or with `dev` being on this machine. Our
      // own pages' GET requests have no origin, so one cannot be required.
      if (login !== undefined || cookie !== undefined || config.dev) origins.checkOrigin(request, url, false);
      const said = recognize(readSaid(headers, url), address);
      if (said !== undefined) return said;
      const isOwn = origins.isOwn(request, url);
      const grant = login === undefined || !isOwn ? undefined : logins.verify(login);
      if (grant !== undefined || cookie === undefined) return grant;
      return isOwn || origins.allowed(request, url) !== undefined ? verifyLater(cookie, address) : undefined;
    },
    recognize,
    verify,
    unpack(packed) {
      if (packed.login !== undefined && logins.isRevoked(packed.login)) {
        throw new GongError("unauthorized", "The login has ended.");
      }
      return unpackGrant(packed, (patterns) => compile(patterns).matches);
    },
    foreignOrigins: config.allowOrigin,
    may,
    mayUse,
    isOpen,
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

/** Whom `user` names: it may everything, as everybody may with `dev`. */
function devUser(id: string): Grant {
  return { name: `user:${id}`, scopes: [], user: { id, subscribe: () => true, publish: () => true } };
}
