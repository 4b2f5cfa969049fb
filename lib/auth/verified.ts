/**
 * Tokens that were accepted a moment ago: who polls shows the same one again and again.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { Grant } from "./grant.ts";

/** That a token was accepted. */
export interface Acceptance {
  readonly grant: Grant;
  /** When: before that, should the clock be set back, `nbf` has to be looked at again. */
  readonly since: number;
  /** Which version of the key set accepted it, if it was no key of our own. */
  readonly version: number | undefined;
}

const MAX_ENTRIES = 4096;

/** Keeps digests, not tokens; those used least go first. */
export class Verified {
  readonly #entries = new Map<string, Acceptance>();

  /** That the token of this digest was accepted, unless its time is over. */
  get(digest: string, now: number): Acceptance | undefined {
    const entry = this.#entries.get(digest);
    if (entry === undefined) return undefined;
    this.#entries.delete(digest);
    if (now < entry.since || now >= entry.grant.until!) return undefined;
    this.#entries.set(digest, entry);
    return entry;
  }

  add(digest: string, acceptance: Acceptance): void {
    this.#entries.set(digest, acceptance);
    const oldest = this.#entries.keys().next();
    if (this.#entries.size > MAX_ENTRIES && !oldest.done) this.#entries.delete(oldest.value);
  }
}

/** What stands for a token here. */
export function digestOf(token: string): string {
  return createHash("sha256").update(token).digest("base64");
}
