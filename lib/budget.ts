/**
 * A bound on memory or disk that several parts share.
 *
 * @module
 */

/** Counts bytes towards a bound. Whoever takes some gives them back. */
export class Budget {
  readonly limit: number;
  #used = 0;

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
}
