/**
 * Tokens: JWTs that say who somebody is.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { decodeProtectedHeader } from "jose/decode/protected_header";
import { JOSENotSupported, JWSSignatureVerificationFailed, JWTClaimValidationFailed, JWTExpired } from "jose/errors";
import { importJWK } from "jose/key/import";
import { jwtVerify, type JWTVerifyOptions } from "jose/jwt/verify";
import { type Config, type KeyAlgorithm, readPublicKey } from "../config.ts";
import { GongError } from "../errors.ts";
import { createClaims, LEEWAY } from "./claims.ts";
import type { Grant } from "./grant.ts";
import { KeySet } from "./key_set.ts";
import { type TokenCheck, TokenFault } from "./token_fault.ts";

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

type Algorithm = "HS256" | KeyAlgorithm;
type Keys = Readonly<Record<Algorithm, readonly CryptoKey[]>>;

const MAX_LENGTH = 8192;
/** A token that is not signed has an empty third part; it is told apart by its algorithm. */
const TOKEN = /^[\w-]+\.[\w-]+\.[\w-]*$/;
/** Bits of the last character that belong to no byte are 0, so that there is one text for one signature. */
const CANONICAL = /\.(?:[\w-]{4})*(?:[\w-][AQgw]|[\w-]{2}[AEIMQUYcgkosw048])?$/;
const MAX_KID = 256;

/**
 * Each key is for one algorithm only, and the header of a token does no more than choose among the keys there are: no
 * key, and no URL of one, is taken from it (RFC 8725 sections 3.1 and 3.10).
 *
 * @throws {SyntaxError} for a key that a loaded configuration cannot have
 */
export function createTokens(config: TokenSettings, options: TokenOptions): Tokens {
  const { keys, now = Date.now, onUnreachable = () => {} } = options;
  const files = keys.map(readPublicKey);
  const keySet = config.tokenJwks === "" ? undefined : new KeySet(config.tokenJwks, { now, onFault: onUnreachable });
  const toGrant = createClaims();
  const expected: JWTVerifyOptions = {
    clockTolerance: LEEWAY,
    requiredClaims: ["exp"],
    ...config.tokenIssuer === "" ? {} : { issuer: config.tokenIssuer },
    ...config.tokenAudience === "" ? {} : { audience: config.tokenAudience },
  };
  let imported: Promise<Keys> | undefined;

  async function importKeys(): Promise<Keys> {
    const secrets = config.tokenSecret.map((secret) =>
      crypto.subtle.importKey("raw", new TextEncoder().encode(secret), { name: "HMAC", hash: "SHA-256" }, false, [
        "verify",
      ])
    );
    const found: Record<Algorithm, CryptoKey[]> = {
      HS256: await Promise.all(secrets),
      RS256: [],
      ES256: [],
      EdDSA: [],
    };
    for (const { algorithm, jwk } of files) found[algorithm].push(await importJWK(jwk, algorithm) as CryptoKey);
    return found;
  }

  /** The grant, if one of the keys has signed the token. */
  async function tryKeys(token: string, keys: readonly CryptoKey[], algorithm: Algorithm): Promise<Grant | undefined> {
    for (const key of keys) {
      try {
        const currentDate = new Date(now());
        const { payload } = await jwtVerify(token, key, { ...expected, algorithms: [algorithm], currentDate });
        return toGrant(payload, Buffer.from(token.split(".")[1]!, "base64url").toString());
      } catch (error) {
        if (!(error instanceof JWSSignatureVerificationFailed)) throw error;
      }
    }
    return undefined;
  }

  async function check(token: string): Promise<Grant> {
    const { algorithm, kid } = readHeader(token);
    const own = (await (imported ??= importKeys()))[algorithm];
    const grant = await tryKeys(token, own, algorithm);
    if (grant) return grant;
    // A secret is nothing to be published.
    if (keySet === undefined || algorithm === "HS256") throw unsigned(algorithm, own.length);
    const published = await keySet.find(algorithm, kid);
    const found = await tryKeys(token, published, algorithm);
    if (found) return found;
    if (kid === undefined && await keySet.renew()) {
      const renewed = await tryKeys(token, await keySet.find(algorithm, kid), algorithm);
      if (renewed) return renewed;
    }
    if (published.length > 0 || keySet.fault === undefined) throw unsigned(algorithm, own.length + published.length);
    throw new TokenFault("unreachable", `the key set cannot be had: ${keySet.fault.message}`, { cause: keySet.fault });
  }

  return {
    isConfigured: config.tokenSecret.length > 0 || files.length > 0 || keySet !== undefined,
    looksLike: (text) => text.length <= MAX_LENGTH && TOKEN.test(text),
    async verify(token) {
      try {
        return await check(token);
      } catch (error) {
        throw new GongError("unauthorized", "The token is not valid.", { cause: toFault(error) });
      }
    },
  };
}

/** @throws {TokenFault} `size`, `malformed`, `algorithm` */
function readHeader(token: string): { algorithm: Algorithm; kid: string | undefined } {
  if (token.length > MAX_LENGTH) throw new TokenFault("size", `it has more than ${MAX_LENGTH} characters`);
  if (!TOKEN.test(token) || !CANONICAL.test(token)) throw new TokenFault("malformed", "it is no JWT");
  const { alg, kid } = decodeProtectedHeader(token);
  if (kid !== undefined && (typeof kid !== "string" || kid.length > MAX_KID)) {
    throw new TokenFault("malformed", `its \`kid\` is no text of at most ${MAX_KID} characters`);
  }
  switch (alg) {
    case "HS256":
    case "RS256":
    case "ES256":
    case "EdDSA":
      return { algorithm: alg, kid };
    default:
      throw new TokenFault("algorithm", "its algorithm is none of HS256, RS256, ES256 and EdDSA");
  }
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
