/** What became of the messages of one run, added up over subscribers. */
export interface Counts {
  /** Messages that arrived for the first time. */
  delivered: number;
  /** Arrivals of a message that had arrived before. */
  duplicated: number;
  /** First arrivals that came after a later message of the same publisher. */
  outOfOrder: number;
}

/**
 * Which messages one subscriber has got. While each publisher's come in order it keeps one number a publisher; only the
 * first gap starts a list, of what is missing: one bit a message.
 */
export class Tally {
  /** For each publisher the number after the highest that has arrived. */
  readonly #next: Int32Array;
  /** What is missing below it. */
  #missing: Map<number, BitSet> | undefined;

  constructor(publishers: number) {
    this.#next = new Int32Array(publishers);
  }

  /** Counts the arrival of message `sequence` (0, 1, 2 ...) of `publisher`. */
  take(publisher: number, sequence: number, counts: Counts): void {
    const next = this.#next[publisher]!;
    if (sequence === next) {
      this.#next[publisher] = next + 1;
      counts.delivered += 1;
    } else if (sequence > next) {
      this.#missing ??= new Map();
      let missing = this.#missing.get(publisher);
      if (missing === undefined) this.#missing.set(publisher, missing = new BitSet());
      for (let lost = next; lost < sequence; lost++) missing.add(lost);
      this.#next[publisher] = sequence + 1;
      counts.delivered += 1;
    } else if (this.#missing?.get(publisher)?.delete(sequence)) {
      counts.delivered += 1;
      counts.outOfOrder += 1;
    } else {
      counts.duplicated += 1;
    }
  }

  /** How many distinct messages have arrived. */
  get received(): number {
    let sum = 0;
    for (const next of this.#next) sum += next;
    for (const missing of this.#missing?.values() ?? []) sum -= missing.size;
    return sum;
  }
}

class BitSet {
  #bits = new Uint8Array(64);
  size = 0;

  add(index: number): void {
    const at = index >>> 3;
    if (at >= this.#bits.length) {
      const bits = new Uint8Array(Math.max(at + 1, this.#bits.length * 2));
      bits.set(this.#bits);
      this.#bits = bits;
    }
    this.#bits[at]! |= 1 << (index & 7);
    this.size += 1;
  }

  delete(index: number): boolean {
    const at = index >>> 3;
    const bit = 1 << (index & 7);
    if (at >= this.#bits.length || (this.#bits[at]! & bit) === 0) return false;
    this.#bits[at]! &= ~bit;
    this.size -= 1;
    return true;
  }
}
