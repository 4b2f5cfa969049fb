/**
 * API keys: who they are, and finding the one that a request shows.
 *
 * @module
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { parseApiKey } from "../config.ts";
import type { Grant } from "./grant.ts";

/** A key without its secret. */
export interface HashedKey {
  readonly grant: Grant;
  /** SHA-256 of the secret. */
  readonly digest: Uint8Array;
}

/** Keys in the form that {@linkcode findKey} takes. @throws {SyntaxError} as {@linkcode parseApiKey} does. */
export function createKeys(texts: readonly string[]): readonly HashedKey[] {
  return texts.map((text) => {
    const { name, scopes, secret } = parseApiKey(text);
    return { grant: { name, scopes }, digest: sha256(secret) };
  });
}

/**
 * The key with this secret; the first, if there are several. Digests are compared, each in constant time, and all of
 * them, so that the time tells neither how much of a key was right nor which one was.
 */
export function findKey(keys: readonly HashedKey[], secret: string): HashedKey | undefined {
  const digest = sha256(secret);
  let found: HashedKey | undefined;
  for (const key of keys) {
    const same = timingSafeEqual(key.digest, digest);
    found ??= same ? key : undefined;
  }
  return found;
}

function sha256(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}
