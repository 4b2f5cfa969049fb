/**
 * The keys of tokens that stand in the configuration.
 *
 * @module
 */
import { importJWK } from "jose/key/import";
import { readPublicKey } from "../config.ts";
import type { Algorithm } from "./token_header.ts";

/** Keys by the one algorithm that each is for. */
export type OwnKeys = Readonly<Record<Algorithm, readonly CryptoKey[]>>;

/**
 * Secrets, and public keys as PEM, ready to check signatures.
 *
 * @throws {SyntaxError} at once, for a key that a loaded configuration cannot have
 */
export function importKeys(secrets: readonly string[], pems: readonly string[]): () => Promise<OwnKeys> {
  const keys = pems.map(readPublicKey);
  let imported: Promise<OwnKeys> | undefined;

  async function importAll(): Promise<OwnKeys> {
    const found: Record<Algorithm, CryptoKey[]> = { HS256: [], RS256: [], ES256: [], EdDSA: [] };
    for (const secret of secrets) found.HS256.push(await importSecret(secret));
    for (const { algorithm, jwk } of keys) found[algorithm].push(await importJWK(jwk, algorithm) as CryptoKey);
    return found;
  }

  return () => imported ??= importAll();
}

function importSecret(secret: string): Promise<CryptoKey> {
  const bytes = new TextEncoder().encode(secret);
  return crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
}
