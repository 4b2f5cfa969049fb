/**
 * Counts of what is asked: where they go on, and which of them have come.
 *
 * @module
 */

/** Counts that may come out of order: a second at 100,000 requests, and a bit each, 16 KiB in all. */
export const WINDOW = 2 ** 17;

/** What one process asks, counted for each of those whom it asks: what goes to one makes nothing late that goes to another. */
export class Counters {
  readonly #most: number;
  /** The last of each, those asked last at the end. */
  readonly #last = new Map<string, number>();
  /** Who is not known may have been, and had no more than these. */
  #start = 0;

  /** @param most how many are remembered */
  constructor(most: number) {
    this.#most = most;
  }

  /** The next one: greater than any before for the same. */
  next(to: string): number {
    const count = (this.#last.get(to) ?? this.#start) + 1;
    remember(this.#last, to, count, this.#most, (forgotten) => this.#start = Math.max(this.#start, forgotten));
    return count;
  }
}

/** Which counts of one process have come. Those behind the window count as such. */
export class Window {
  readonly #start: number;
  /** A bit for each of the window, at the rest of its division by that. */
  readonly #bits = new Uint32Array(WINDOW / 32);
  #last: number;

  /** @param start the last one that has come before, with all below */
  constructor(start = 0) {
    this.#start = this.#last = start;
  }

  get last(): number {
    return this.#last;
  }

  /** Whether it has not come before; it has from now on. */
  take(count: number): boolean {
    if (!Number.isSafeInteger(count) || count <= Math.max(this.#start, this.#last - WINDOW)) return false;
    this.#advance(count);
    const place = count % WINDOW;
    const bit = 1 << place % 32;
    if (this.#bits[place >>> 5]! & bit) return false;
    this.#bits[place >>> 5]! |= bit;
    return true;
  }

  /** The places of those behind the window are for those that come into it. */
  #advance(last: number): void {
    for (let count = Math.max(this.#last, last - WINDOW) + 1; count <= last; count++) {
      const place = count % WINDOW;
      this.#bits[place >>> 5]! &= ~(1 << place % 32);
    }
    this.#last = Math.max(this.#last, last);
  }
}

/** Of more than so many the one that was remembered first is forgotten. */
export function remember<V>(
  known: Map<string, V>,
  key: string,
  value: V,
  most: number,
  forgotten: (value: V, key: string) => void = () => {},
): void {
  known.delete(key);
  known.set(key, value);
  if (known.size <= most) return;
  const [oldest] = known.keys();
  const last = known.get(oldest!)!;
  known.delete(oldest!);
  forgotten(last, oldest!);
}
