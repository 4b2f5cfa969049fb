/**
 * Keys that tokens are signed for: from PEM or JWK to one form, each with the one algorithm that it is for.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";

/** What a key of two halves can be for; what it is follows from the key alone (RFC 8725 section 3.1). */
export type KeyAlgorithm = "RS256" | "ES256" | "EdDSA";

/** A key, as a JWK with nothing in it that does not belong to the key itself (RFC 7517). */
export interface TokenKey {
  readonly algorithm: KeyAlgorithm;
  readonly jwk: JsonWebKey;
}

/** Shorter ones are too weak (RFC 7518 section 3.3), longer ones only take time. */
const LEAST_MODULUS = 2048;
const MOST_MODULUS = 8192;
/** All that is in use; OpenSSL makes 65537. */
const MOST_EXPONENT_BYTES = 4;

/** What is wrong with a key that is for none of the algorithms. */
const KEY_KINDS = "a key is RSA with 2048 to 8192 bits, EC with P-256, or Ed25519";

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[A-Za-z0-9+/=\s]+-----END \1-----/g;

/**
 * The public half of a key, if it is for one of the algorithms. Whatever else stands in the JWK, the private half too,
 * is left out.
 */
export function publicKeyOf(jwk: JsonWebKey): TokenKey | undefined {
  const { kty, crv, n, e, x, y } = jwk;
  if (kty === "RSA" && isModulus(n) && isExponent(e)) return { algorithm: "RS256", jwk: { kty, n, e } };
  if (kty === "EC" && crv === "P-256" && isCoordinate(x) && isCoordinate(y)) {
    return { algorithm: "ES256", jwk: { kty, crv, x, y } };
  }
  if (kty === "OKP" && crv === "Ed25519" && isCoordinate(x)) return { algorithm: "EdDSA", jwk: { kty, crv, x } };
  return undefined;
}

/**
 * Reads a public key, or the certificate of one; of a chain the first.
 *
 * @throws {SyntaxError} whose message has nothing of the file in it
 */
export function readPublicKey(pem: string): TokenKey {
  const blocks = [...pem.matchAll(BLOCK)];
  const [first] = blocks;
  if (first === undefined) throw new SyntaxError("expected a public key or a certificate as PEM");
  if (blocks.some(([, label = ""]) => label.includes("PRIVATE"))) {
    throw new SyntaxError(
      "a private key is not needed to check tokens; `openssl pkey -pubout` makes the public one of it",
    );
  }
  if (blocks.length > 1 && first[1] !== "CERTIFICATE") throw new SyntaxError("expected one key a file");
  return fit(parse(() => createPublicKey(first[0]))).key;
}

/**
 * Reads a private key, to sign with: its JWK is that of both halves.
 *
 * @throws {SyntaxError} whose message has nothing of the file in it
 */
export function readPrivateKey(pem: string): TokenKey {
  const block = [...pem.matchAll(BLOCK)].find(([, label = ""]) => label.endsWith("PRIVATE KEY"));
  if (block === undefined) throw new SyntaxError("expected a private key as PEM, without a password");
  const { key, jwk } = fit(parse(() => createPrivateKey(block[0])));
  return { algorithm: key.algorithm, jwk };
}

function parse(read: () => KeyObject): JsonWebKey {
  try {
    return read().export({ format: "jwk" }) as JsonWebKey;
  } catch {
    throw new SyntaxError(`it is no key that can be read; ${KEY_KINDS}`);
  }
}

function fit(jwk: JsonWebKey): { key: TokenKey; jwk: JsonWebKey } {
  const key = publicKeyOf(jwk);
  if (key === undefined) throw new SyntaxError(`it is another kind of key: ${KEY_KINDS}`);
  return { key, jwk };
}

/** 32 bytes in base64url. */
function isCoordinate(value: unknown): value is string {
  return typeof value === "string" && /^[\w-]{43}$/.test(value);
}

function isModulus(n: unknown): n is string {
  if (typeof n !== "string") return false;
  const bytes = Buffer.from(n, "base64url");
  const start = bytes.findIndex((byte) => byte !== 0);
  if (start < 0) return false;
  const bits = (bytes.length - start) * 8 - (Math.clz32(bytes[start]!) - 24);
  return bits >= LEAST_MODULUS && bits <= MOST_MODULUS;
}

function isExponent(e: unknown): e is string {
  return typeof e === "string" && Buffer.from(e, "base64url").length <= MOST_EXPONENT_BYTES;
}
