/**
 * Keys of every kind, and JWTs that are signed with them.
 *
 * @module
 */
import { CompactSign } from "jose/jws/compact/sign";
import { exportJWK, exportSPKI } from "jose/key/export";
import { generateKeyPair } from "jose/key/generate/keypair";

export const SECRET = "0123456789abcdef0123456789abcdef";

/** What {@linkcode signJwt} signs with. */
export interface Signer {
  readonly alg: string;
  readonly key: CryptoKey | Uint8Array;
}

/** Both halves of a key. */
export interface Pair extends Signer {
  /** The public half. */
  readonly pem: string;
  readonly jwk: JsonWebKey;
}

export const HS256: Signer = { alg: "HS256", key: new TextEncoder().encode(SECRET) };

export async function makePair(alg: string, options: { modulusLength?: number } = {}): Promise<Pair> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true, ...options });
  return { alg, key: privateKey, pem: await exportSPKI(publicKey), jwk: await exportJWK(publicKey) as JsonWebKey };
}

/** A token; claims may be their text, since some can only be written so. */
export function signJwt(
  claims: Readonly<Record<string, unknown>> | string,
  { alg, key }: Signer = HS256,
  header: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const text = typeof claims === "string" ? claims : JSON.stringify(claims);
  return new CompactSign(new TextEncoder().encode(text))
    .setProtectedHeader({ alg, ...header })
    .sign(key, { crit: { exp: true } });
}

/** Seconds since 1970, so many from `now` on. */
export function inSeconds(seconds: number, now = Date.now()): number {
  return Math.floor(now / 1000) + seconds;
}
