/**
 * Something that is done now and again.
 *
 * @module
 */

import { startTimer, type Timer } from "./timer.ts";

/** What a {@linkcode Periodic} calls. */
export interface PeriodicOptions {
  /** What its action threw, or rejected with. It goes on nonetheless. */
  readonly onError: (error: unknown) => void;
  /** Milliseconds; only differences count. Default `performance.now`. */
  readonly now?: () => number;
  /** Default: a timer of the isolate. */
  readonly after?: Timer;
}

/** Does one thing at a time, at times that do not move: what takes longer than a period, or a busy isolate, skips some. */
export class Periodic {
  readonly #onError: (error: unknown) => void;
  readonly #now: () => number;
  readonly #after: Timer;
  #cancel: (() => void) | undefined;

  constructor({ onError, now = () => performance.now(), after = startTimer }: PeriodicOptions) {
    this.#onError = onError;
    this.#now = now;
    this.#after = after;
  }

  /** Does it at once, and again every so many milliseconds from now, in place of what it has done so far. */
  start(period: number, action: () => unknown): void {
    this.stop();
    let due = this.#now();
    let isUnderWay = false;
    const fire = () => {
      due += period * Math.max(1, Math.floor((this.#now() - due) / period) + 1);
      this.#cancel = this.#after(due - this.#now(), fire);
      if (isUnderWay) return;
      isUnderWay = true;
      void this.#run(action).finally(() => isUnderWay = false);
    };
    fire();
  }

  /** Returns whether there was something to stop. What is under way ends by itself. */
  stop(): boolean {
    const cancel = this.#cancel;
    this.#cancel = undefined;
    cancel?.();
    return cancel !== undefined;
  }

  async #run(action: () => unknown): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.#onError(error);
    }
  }
}
