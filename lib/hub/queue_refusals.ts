/**
 * What queues did not take, as the operator is told.
 *
 * @module
 */
import type { Logger } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { Refusal } from "../types.ts";

/** What {@linkcode QueueRefusals} are made of. */
export interface QueueRefusalsOptions {
  readonly log: Pick<Logger, "warning">;
  readonly metrics: Pick<Metrics, "counter">;
  /** How many consumers a queue has: with none, that is why it is full. */
  readonly consumersOf: (queue: string) => number;
  /** Milliseconds; only differences count. Default `performance.now`. */
  readonly now?: () => number;
}

/** A queue that stays full is told of once in so many milliseconds, of so many queues at most. */
const AGAIN = 60_000;
const MOST_TOLD = 100;

/** Counts every refusal, and logs which queue is full: no figure has the names of queues. */
export class QueueRefusals {
  readonly #options: QueueRefusalsOptions;
  readonly #refused: { value: number };
  readonly #now: () => number;
  readonly #told = new Set<string>();
  #since = -Infinity;

  constructor(options: QueueRefusalsOptions) {
    const { metrics, now = () => performance.now() } = options;
    this.#options = options;
    this.#refused = metrics.counter("gong_queue_refused_total");
    this.#now = now;
  }

  /** A message for the queue was refused. */
  add(queue: string, { code, message }: Refusal): void {
    this.#refused.value++;
    // The others are the publisher's doing, who is told.
    if (code !== "overloaded") return;
    const now = this.#now();
    if (now - this.#since >= AGAIN) {
      this.#told.clear();
      this.#since = now;
    }
    if (this.#told.has(queue) || this.#told.size >= MOST_TOLD) return;
    this.#told.add(queue);
    const { log, consumersOf } = this.#options;
    log.warning("queue.refused", { queue, reason: message, consumers: consumersOf(queue) });
  }
}
