/**
 * One consumer of a queue, as the hub sees it: what is with it, and what it has room for.
 *
 * @module
 */
import { sizeOf } from "../bytes.ts";
import { sessionOf } from "../methods.ts";
import type { QueuedMessage } from "../types.ts";

/** What a consumer is made with. */
export interface ConsumerOptions {
  /** That of its edge, its session's first. */
  readonly id: string;
  /** Number of the edge that it is on. */
  readonly edge: number;
  readonly queue: string;
  /** Messages that may be with it. */
  readonly prefetch: number;
  /** Bytes of those, of which the last message may exceed them. */
  readonly bytes: number;
}

/** What a consumer has room for. */
export interface Room {
  readonly count: number;
  readonly bytes: number;
}

/** Bytes by offset. */
export type Held = ReadonlyMap<number, number>;

/** One consumer. Each message is in one pair of hands: with it, or with whoever has taken it to settle it. */
export class QueueConsumer {
  readonly options: ConsumerOptions;
  readonly session: string;
  /** It takes no more, and nothing comes back to it. */
  isGone = false;
  readonly #held = new Map<number, number>();
  #count = 0;
  #bytes = 0;

  constructor(options: ConsumerOptions) {
    this.options = options;
    this.session = sessionOf(options.id);
  }

  /** What it may be given; nothing when either is not above 0. What is about to be settled takes room until it is. */
  get room(): Room {
    const { prefetch, bytes } = this.options;
    return { count: prefetch - this.#count, bytes: bytes - this.#bytes };
  }

  get hasRoom(): boolean {
    const { prefetch, bytes } = this.options;
    return !this.isGone && this.#count < prefetch && this.#bytes < bytes;
  }

  /** The message is with it from now on. */
  give(message: QueuedMessage): void {
    const size = sizeOf(message);
    this.#held.set(message.offset, size);
    this.#count++;
    this.#bytes += size;
  }

  /** Takes what is to be settled out of its hands; others than are with it are passed over. */
  take(offsets: Iterable<number>): Held {
    const taken = new Map<number, number>();
    for (const offset of offsets) {
      const size = this.#held.get(offset);
      if (size === undefined) continue;
      this.#held.delete(offset);
      taken.set(offset, size);
    }
    return taken;
  }

  /** Takes everything out of its hands. */
  takeAll(): Held {
    return this.take([...this.#held.keys()]);
  }

  /** What was taken is settled. */
  settled(taken: Held): void {
    this.#count -= taken.size;
    for (const size of taken.values()) this.#bytes -= size;
  }

  /** What was taken is not settled: it is with it again. */
  restore(taken: Held): void {
    for (const [offset, size] of taken) this.#held.set(offset, size);
  }
}
