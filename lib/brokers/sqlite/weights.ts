import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Weight } from "../ledger/store.ts";

/** Publications that are weighed at once, and channels of which so many are known. */
const CHUNK = 64;
const MOST = 1000;

interface Window {
  /** Offset of the first of `weights`. */
  readonly start: number;
  readonly weights: Weight[];
}

/** What the oldest publications of channels weigh: a channel whose history is full loses one with each that comes. */
export class SqliteWeights {
  readonly #select: StatementSync;
  /** By number of the channel; the one used last is the last. */
  readonly #windows = new Map<number, Window>();

  constructor(db: DatabaseSync) {
    this.#select = db.prepare(
      "SELECT offset, time, bytes FROM publications WHERE channel = ? AND offset >= ? ORDER BY offset LIMIT ?",
    );
  }

  weigh(channel: number, offset: number): Weight {
    const { start, weights } = this.#windows.get(channel) ?? { start: 0, weights: [] };
    return weights[offset - start] ?? this.#load(channel, offset);
  }

  /** Another publication is the channel's next. */
  append(channel: number, offset: number, weight: Weight): void {
    const window = this.#windows.get(channel);
    if (!window || window.weights.length >= CHUNK) return;
    if (offset === window.start + window.weights.length) window.weights.push(weight);
    else this.#windows.delete(channel);
  }

  /** The channel has lost publications or what they weighed. */
  forget(channel: number): void {
    this.#windows.delete(channel);
  }

  clear(): void {
    this.#windows.clear();
  }

  #load(channel: number, offset: number): Weight {
    const rows = this.#select.all(channel, offset, CHUNK) as unknown as (Weight & { offset: number })[];
    if (rows[0]?.offset !== offset) {
      throw new Error(`publication ${offset} of channel ${channel} is missing in the file`);
    }
    this.#windows.delete(channel);
    if (this.#windows.size >= MOST) {
      for (const oldest of this.#windows.keys()) {
        this.#windows.delete(oldest);
        break;
      }
    }
    this.#windows.set(channel, { start: offset, weights: rows });
    return rows[0];
  }
}
