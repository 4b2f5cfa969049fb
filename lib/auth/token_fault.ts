/**
 * Why a token is not accepted.
 *
 * @module
 */

/** The checks of a token, as the operator is told which one failed. */
export const TOKEN_CHECKS = [
  /** It is no JWT. */
  "malformed",
  /** It is too long. */
  "size",
  /** It was signed in a way that is none of ours. */
  "algorithm",
  /** It demands an extension that nobody here knows (RFC 7515 section 4.1.11). */
  "critical",
  /** There is no key of its algorithm, or of its `kid`. */
  "key",
  /** The keys are at a URL from which they could not be had. */
  "unreachable",
  "signature",
  "expired",
  "not_yet",
  "issuer",
  "audience",
  /** Another claim is missing, or not what it has to be. */
  "claims",
] as const;

/** A check that a token failed; fit for a label. */
export type TokenCheck = typeof TOKEN_CHECKS[number];

/** A token is not accepted. The message is for the operator; neither the token nor a claim is in it. */
export class TokenFault extends Error {
  override readonly name = "TokenFault";
  readonly check: TokenCheck;

  constructor(check: TokenCheck, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.check = check;
  }
}
