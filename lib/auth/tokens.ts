/**
 * Tokens: JWTs that say who somebody is.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { JOSENotSupported, JWSSignatureVerificationFailed, JWTClaimValidationFailed, JWTExpired } from "jose/errors";
import { jwtVerify, type JWTVerifyOptions } from "jose/jwt/verify";
import type { Config } from "../config.ts";
import { GongError } from "../errors.ts";
import { createClaims, LEEWAY } from "./claims.ts";
import type { Grant } from "./grant.ts";
import { type Found, KeySet } from "./key_set.ts";
import { importKeys } from "./own_keys.ts";
import { type TokenCheck, TokenFault } from "./token_fault.ts";
import { type Algorithm, isTokenShaped, readHeader } from "./token_header.ts";
import { type Acceptance, digestOf, Verified } from "./verified.ts";

export { type TokenCheck, TokenFault } from "./token_fault.ts";

/** The settings that decide which tokens are accepted. */
export type TokenSettings = Pick<Config, "tokenSecret" | "tokenJwks" | "tokenIssuer" | "tokenAudience">;

/** What {@linkcode createTokens} needs besides the settings. */
export interface TokenOptions {
  /** What is in the files of `tokenKeyFile`. */
  readonly keys: readonly string[];
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
  /** The URL of `tokenJwks` did not answer with keys; at most once in five seconds. */
  readonly onUnreachable?: (error: Error) => void;
}

/** Checks tokens. */
export interface Tokens {
  /** Whether any token can be accepted at all. */
  readonly isConfigured: boolean;
  /** Whether the text has the form of a token: three parts in base64url, at most 8,192 characters. */
  looksLike(text: string): boolean;
  /**
   * What the token grants: its user's rights, until no token of that `exp` would be accepted any more.
   *
   * @throws {GongError} `unauthorized`, with a {@linkcode TokenFault} as its cause
   */
  verify(token: string): Promise<Grant>;
}

/**
 * Each key is for one algorithm only, and the header of a token does no more than choose among the keys there are: no
 * key, and no URL of one, is taken from it (RFC 8725 sections 3.1 and 3.10).
 *
 * @throws {SyntaxError} for a key that a loaded configuration cannot have
 */
export function createTokens(config: TokenSettings, options: TokenOptions): Tokens {
  const { keys, now = Date.now, onUnreachable = () => {} } = options;
  const { tokenSecret, tokenJwks, tokenIssuer, tokenAudience } = config;
  const ownKeys = importKeys(tokenSecret, keys);
  const keySet = tokenJwks === "" ? undefined : new KeySet(tokenJwks, { now, onFault: onUnreachable });
  const toGrant = createClaims();
  const verified = new Verified();
  const expected: JWTVerifyOptions = {
    clockTolerance: LEEWAY,
    requiredClaims: ["exp"],
    ...tokenIssuer === "" ? {} : { issuer: tokenIssuer },
    ...tokenAudience === "" ? {} : { audience: tokenAudience },
  };

  async function recall(digest: string): Promise<Grant | undefined> {
    const { grant, version } = verified.get(digest, now()) ?? {};
    if (version === undefined) return grant;
    await keySet?.freshen();
    return keySet?.version === version ? grant : undefined;
  }

  /** What the token grants, if one of the keys has signed it. */
  async function tryKeys(token: string, algorithm: Algorithm, found: Found): Promise<Acceptance | undefined> {
    const { keys, version } = found;
    for (const key of keys) {
      try {
        const since = now();
        const currentDate = new Date(since);
        const { payload } = await jwtVerify(token, key, { ...expected, algorithms: [algorithm], currentDate });
        const grant = toGrant(payload, Buffer.from(token.split(".")[1]!, "base64url").toString());
        return { grant, since, version };
      } catch (error) {
        if (!(error instanceof JWSSignatureVerificationFailed)) throw error;
      }
    }
    return undefined;
  }

  async function check(token: string): Promise<Acceptance> {
    const { algorithm, kid } = readHeader(token);
    const own = (await ownKeys())[algorithm];
    const accepted = await tryKeys(token, algorithm, { keys: own, version: undefined });
    if (accepted) return accepted;
    // A secret is nothing to be published.
    if (keySet === undefined || algorithm === "HS256") throw unsigned(algorithm, own.length);
    const published = await keySet.find(algorithm, kid);
    const found = await tryKeys(token, algorithm, published);
    if (found) return found;
    // That a key without a name was replaced shows in nothing else.
    if (kid === undefined && await keySet.renew()) {
      const renewed = await tryKeys(token, algorithm, await keySet.find(algorithm, kid));
      if (renewed) return renewed;
    }
    const { fault } = keySet;
    if (published.keys.length === 0 && fault) {
      throw new TokenFault("unreachable", `the key set cannot be had: ${fault.message}`, { cause: fault });
    }
    throw unsigned(algorithm, own.length + published.keys.length);
  }

  return {
    isConfigured: tokenSecret.length > 0 || keys.length > 0 || keySet !== undefined,
    looksLike: isTokenShaped,
    async verify(token) {
      try {
        const digest = isTokenShaped(token) ? digestOf(token) : undefined;
        const known = digest === undefined ? undefined : await recall(digest);
        if (known) return known;
        const accepted = await check(token);
        if (digest !== undefined) verified.add(digest, accepted);
        return accepted.grant;
      } catch (error) {
        throw new GongError("unauthorized", "The token is not valid.", { cause: toFault(error) });
      }
    },
  };
}

function unsigned(algorithm: Algorithm, tried: number): TokenFault {
  if (tried > 0) return new TokenFault("signature", `no key for ${algorithm} has signed it`);
  return new TokenFault("key", `there is no key for ${algorithm}, or none of its \`kid\``);
}

const CLAIM_FAULTS: ReadonlyMap<string, readonly [TokenCheck, string]> = new Map([
  ["nbf", ["not_yet", "its `nbf` is still to come"]],
  ["iss", ["issuer", "its `iss` is not that of --token-issuer"]],
  ["aud", ["audience", "its `aud` is not that of --token-audience"]],
]);

function toFault(cause: unknown): TokenFault {
  if (cause instanceof TokenFault) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  if (cause instanceof JWTExpired) return new TokenFault("expired", "its `exp` is over", { cause });
  if (cause instanceof JOSENotSupported) return new TokenFault("critical", message, { cause });
  if (!(cause instanceof JWTClaimValidationFailed)) return new TokenFault("malformed", message, { cause });
  const [check, text] = CLAIM_FAULTS.get(cause.claim) ?? [];
  // Of a claim that is of the wrong type there is more to be said than that it is another.
  if (check === undefined || cause.reason === "invalid") return new TokenFault("claims", message, { cause });
  return new TokenFault(check, text ?? message, { cause });
}
