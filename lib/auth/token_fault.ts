/**
 * Why a token is not accepted.
 *
 * @module
 */

/**
 * A check that a token failed; fit for a label.
 *
 * | check         | what is wrong                                                                        |
 * | ------------- | ------------------------------------------------------------------------------------ |
 * | `malformed`   | it is no JWT                                                                         |
 * | `size`        | it is too long                                                                       |
 * | `algorithm`   | it was signed in a way that is none of ours                                          |
 * | `critical`    | it demands an extension that nobody here knows (RFC 7515 section 4.1.11)             |
 * | `key`         | there is no key of its algorithm, or none of its `kid`                               |
 * | `unreachable` | its key may be at a URL from which the keys could not be had                         |
 * | `signature`   | none of the keys has signed it                                                       |
 * | `expired`     | `exp`                                                                                |
 * | `not_yet`     | `nbf`                                                                                |
 * | `issuer`      | `iss`                                                                                |
 * | `audience`    | `aud`                                                                                |
 * | `claims`      | another claim is missing, or not what it has to be                                   |
 */
export type TokenCheck =
  | "malformed"
  | "size"
  | "algorithm"
  | "critical"
  | "key"
  | "unreachable"
  | "signature"
  | "expired"
  | "not_yet"
  | "issuer"
  | "audience"
  | "claims";

/** A token is not accepted. The message is for the operator; neither the token nor a claim is in it. */
export class TokenFault extends Error {
  override readonly name = "TokenFault";
  readonly check: TokenCheck;

  constructor(check: TokenCheck, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.check = check;
  }
}
