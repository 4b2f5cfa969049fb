/**
 * What nobody consumes any more goes back into its queue, however long that takes.
 *
 * @module
 */
import type { Broker } from "../types.ts";

/** What {@linkcode Requeuing} is made of. */
export interface RequeuingOptions {
  readonly broker: Pick<Broker, "settle">;
  /** So many messages of the queue are at their places again. */
  readonly onDone: (queue: string, count: number) => void;
  /** It could not be stored: to be tried {@linkcode Requeuing.again}. */
  readonly onFault: (error: unknown) => void;
}

/** Offsets by queue. */
type Offsets = Map<string, number[]>;

/** Requeues, and keeps what could not be requeued: nothing stays claimed for ever. */
export class Requeuing {
  readonly #options: RequeuingOptions;
  #failed: Offsets = new Map();

  constructor(options: RequeuingOptions) {
    this.#options = options;
  }

  /** Asks the broker at once, so that a claim that follows finds them. */
  async requeue(offsets: Offsets): Promise<void> {
    if (offsets.size === 0) return;
    const { broker, onDone, onFault } = this.#options;
    try {
      await broker.settle(Array.from(offsets, ([queue, offsets]) => ({ queue, offsets, as: "requeued" as const })));
    } catch (error) {
      for (const [queue, some] of offsets) addOffsets(this.#failed, queue, some);
      return onFault(error);
    }
    for (const [queue, { length }] of offsets) onDone(queue, length);
  }

  /** Tries what has failed once more. */
  async again(): Promise<void> {
    const failed = this.#failed;
    this.#failed = new Map();
    await this.requeue(failed);
  }
}

/** Adds offsets to those of a queue. */
export function addOffsets(offsets: Offsets, queue: string, more: Iterable<number>): void {
  const known = offsets.get(queue);
  if (!known) offsets.set(queue, [...more]);
  else for (const offset of more) known.push(offset);
}
