/**
 * Whether a certificate and a private key belong together: a listener says so too, but only when it is made.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/;
const PRIVATE_KEY = /-----BEGIN ([A-Z ]*PRIVATE KEY)-----[^-]+-----END \1-----/;

/**
 * Whether they certainly do not. Nothing is said of kinds of keys that cannot be read here: a listener may know more.
 *
 * @param certificates as PEM, that of the server first
 * @param key as PEM
 */
export function isMismatch(certificates: string, key: string): boolean {
  try {
    const [certificate = ""] = CERTIFICATE.exec(certificates) ?? [];
    const [own = ""] = PRIVATE_KEY.exec(key) ?? [];
    const ofKey = createPublicKey(createPrivateKey(own) as never);
    return !bytesOf(createPublicKey(certificate)).equals(bytesOf(ofKey));
  } catch {
    return false;
  }
}

function bytesOf(key: KeyObject): Buffer {
  return key.export({ type: "spki", format: "der" });
}
