/**
 * A bound on memory or disk that several parts share.
 *
 * @module
 */

/** Counts bytes towards a bound. Whoever takes some gives them back. */
export class Budget {
  readonly limit: number;
  #used = 0;
  #giveUp: (() => boolean) | undefined;

  /** @param limit bytes that may be used in all */
  constructor(limit: number) {
    this.limit = limit;
  }

  /** Bytes in use. */
  get used(): number {
    return this.#used;
  }

  /** Whether so many bytes more are within the bound. */
  hasRoomFor(bytes: number): boolean {
    return this.#used + bytes <= this.limit;
  }

  take(bytes: number): void {
    this.#used += bytes;
  }

  give(bytes: number): void {
    this.#used -= bytes;
  }

  /** @param giveUp gives back some of what others need more, if there is any; returns whether there was */
  lend(giveUp: () => boolean): void {
    this.#giveUp = giveUp;
  }

  /** Has somebody give back what was lent; returns false when there is nothing. For whoever has no other way to make room. */
  reclaim(): boolean {
    return this.#giveUp?.() ?? false;
  }
}
