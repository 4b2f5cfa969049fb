/**
 * Tokens of users, as somebody else would sign them.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";

/** What the servers of tests are given as `--token-secret`. */
export const TOKEN_SECRET = "a-secret-of-the-tests-that-is-long-enough";

/** Claims; `exp` is in an hour if nothing else is said. */
export interface Claims {
  readonly sub?: string;
  readonly aud?: string;
  readonly exp?: number;
  readonly channels?: readonly string[];
  readonly publish?: readonly string[];
  readonly info?: unknown;
}

/** A token of the user `42`, or of another `sub`, signed with HS256. */
export function signToken(claims: Claims = {}, secret = TOKEN_SECRET): string {
  const body = { sub: "42", exp: Math.floor(Date.now() / 1000) + 3600, ...claims };
  const signed = `${encode({ alg: "HS256" })}.${encode(body)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

/** The same claims in a token that nobody has signed. */
export function unsigned(claims: Claims = {}): string {
  const [, body] = signToken(claims).split(".");
  return `${encode({ alg: "none" })}.${body}.`;
}

/** `exp` of a token that is accepted for so many seconds more: 30 s of leeway are nearly over. */
export function endingIn(seconds: number): number {
  return Math.floor(Date.now() / 1000) - 30 + seconds;
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
