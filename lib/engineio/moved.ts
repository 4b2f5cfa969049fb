/**
 * Sessions that have gone to another edge: for a while their ids are known, and refused as what they are.
 *
 * @module
 */

/** How long they are remembered, in milliseconds: clients that have upgraded do not come back here. */
const KEPT = 60_000;
/** And how many. */
const MOST = 10_000;

/** The ids of those that are gone, the oldest first. */
export class Moved {
  readonly #now: () => number;
  readonly #until = new Map<string, number>();

  /** @param now milliseconds; only differences count */
  constructor(now: () => number) {
    this.#now = now;
  }

  add(sid: string): void {
    const now = this.#now();
    this.#until.delete(sid);
    for (const [oldest, until] of this.#until) {
      if (until > now && this.#until.size < MOST) break;
      this.#until.delete(oldest);
    }
    this.#until.set(sid, now + KEPT);
  }

  has(sid: string): boolean {
    return (this.#until.get(sid) ?? 0) > this.#now();
  }

  /** It is back. */
  delete(sid: string): void {
    this.#until.delete(sid);
  }
}
