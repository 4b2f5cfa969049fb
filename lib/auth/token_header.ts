/**
 * What the header of a token says of its signature.
 *
 * @module
 */
import { decodeProtectedHeader } from "jose/decode/protected_header";
import type { KeyAlgorithm } from "../config.ts";
import { TokenFault } from "./token_fault.ts";

/** How tokens may be signed. */
export type Algorithm = "HS256" | KeyAlgorithm;

/** How a token was signed, and the name of its key, if it has one. Nothing else in a header is looked at but `crit`. */
export interface TokenHeader {
  readonly algorithm: Algorithm;
  readonly kid: string | undefined;
}

const MAX_LENGTH = 8192;
const MAX_KID = 256;
/** A token that is not signed has an empty third part; it is told apart by its algorithm. */
const TOKEN = /^[\w-]+\.[\w-]+\.[\w-]*$/;
/** Bits of the last character that belong to no byte are 0, so that there is one text for one signature. */
const CANONICAL = /\.(?:[\w-]{4})*(?:[\w-][AQgw]|[\w-]{2}[AEIMQUYcgkosw048])?$/;

/** Whether the text has the form of a token: three parts in base64url, at most 8,192 characters. */
export function isTokenShaped(text: string): boolean {
  return text.length <= MAX_LENGTH && TOKEN.test(text);
}

/** @throws {TokenFault} `size`, `malformed`, `algorithm`; {@linkcode TypeError} for a header that is not JSON */
export function readHeader(token: string): TokenHeader {
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
