/**
 * Batches of the bus on their way to the sessions: a bounded part of them a turn, and the hub is told how far that is.
 *
 * @module
 */
import { bytesPerTurn } from "../bus.ts";
import { MESSAGE_OVERHEAD } from "../bytes.ts";
import { readBatchHead } from "../codecs/batch.ts";

/** Bytes of batches that are delivered before the hub is told, at most; an eighth of `busLag` where that is less. */
const MOST_UNTOLD = 1 << 20;

/** What an {@linkcode Inbox} is made of. */
export interface InboxOptions {
  /** What may be queued to a session, in bytes. */
  readonly outbox: number;
  /** Bytes that the slowest edge may lag. */
  readonly busLag: number;
  /** Number of the last batch that this edge need not see. */
  readonly last: number;
  /** Tells the hub the number of the last batch that was delivered. Each time wakes it. */
  readonly acknowledge: (last: number) => void;
}

/** What the bus has brought to one edge. */
export class Inbox {
  readonly #options: InboxOptions;
  readonly #perTurn: number;
  readonly #tellAfter: number;
  readonly #batches: Uint8Array[] = [];
  /** Number of the last batch that was delivered, and the bytes since the hub was told of one. */
  #delivered: number;
  #untold = 0;

  constructor(options: InboxOptions) {
    this.#options = options;
    this.#delivered = options.last;
    this.#perTurn = bytesPerTurn(options.outbox);
    this.#tellAfter = Math.min(options.busLag / 8, MOST_UNTOLD);
  }

  /** Number of the last batch that was delivered. */
  get last(): number {
    return this.#delivered;
  }

  get isEmpty(): boolean {
    return this.#batches.length === 0;
  }

  add(batch: Uint8Array): void {
    this.#batches.push(batch);
  }

  /** Takes the next batches out, as many as one turn may deliver, or all. */
  take(all = false): Uint8Array[] {
    let count = all ? this.#batches.length : 0;
    for (let bytes = 0; count < this.#batches.length; count++) {
      const batch = this.#batches[count]!;
      bytes += batch.length + readBatchHead(batch).count * MESSAGE_OVERHEAD;
      if (count > 0 && bytes > this.#perTurn) break;
    }
    return this.#batches.splice(0, count);
  }

  /** These were delivered, next in order. */
  delivered(batches: readonly Uint8Array[]): void {
    for (const { length } of batches) this.#untold += length;
    this.#delivered = readBatchHead(batches.at(-1)!).number;
    if (this.#untold >= this.#tellAfter) this.acknowledge();
  }

  /** Says how far it is, when it has not said so: after so many bytes, and whenever the hub wonders. */
  acknowledge(): void {
    if (this.#untold === 0) return;
    this.#untold = 0;
    this.#options.acknowledge(this.#delivered);
  }
}
