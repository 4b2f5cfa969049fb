/**
 * The end of a turn: when everything that the event loop had at hand has been taken. A microtask comes too early, since
 * each message of a port or socket has its own, and a timer too late.
 *
 * @module
 */
import { setImmediate } from "node:timers";

/** Microtasks without anything new after which a turn has ended. */
const QUIET = 16;
/** How often callbacks may call for more before the event loop has to turn. */
const MOST_ROUNDS = 64;

/**
 * What one isolate does at the ends of its turns. What is called for while a turn ends, promises settled by it included,
 * is done in the same end: each further pass of the event loop would cost more than the work itself.
 */
export class Turn {
  #queue: (() => void)[] = [];
  #isEnding = false;

  /** Calls back at the end of this turn, in the order of the calls. */
  end(callback: () => void): void {
    this.#queue.push(callback);
    if (this.#queue.length === 1 && !this.#isEnding) setImmediate(() => void this.#run());
  }

  async #run(): Promise<void> {
    this.#isEnding = true;
    try {
      for (let rounds = 0, quiet = 0; quiet < QUIET && rounds < MOST_ROUNDS; quiet++) {
        const queue = this.#queue;
        if (queue.length > 0) {
          this.#queue = [];
          for (const callback of queue) callback();
          rounds++;
          quiet = 0;
        }
        await undefined;
      }
    } finally {
      this.#isEnding = false;
      if (this.#queue.length > 0) setImmediate(() => void this.#run());
    }
  }
}
