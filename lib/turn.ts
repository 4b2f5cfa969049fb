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

type Callback = () => void;

/**
 * What one isolate does at the ends of its turns: first the work, then the letters to other isolates. What is called for
 * while a turn ends, promises settled by it included, is done in the same end: each further pass of the event loop would
 * cost more than the work itself. Letters leave together, so that they wake who gets them once.
 */
export class Turn {
  #work: Callback[] = [];
  #letters: Callback[] = [];
  #scheduled = false;

  /** Calls back at the end of this turn, in the order of the calls. */
  end(callback: Callback): void {
    this.#work.push(callback);
    this.#schedule();
  }

  /** Calls back when everything else of this turn is done; for what leaves the isolate. */
  leave(callback: Callback): void {
    this.#letters.push(callback);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => void this.#run());
  }

  async #run(): Promise<void> {
    try {
      await this.#doWork();
      callAll(this.#takeLetters());
    } finally {
      this.#scheduled = false;
      if (this.#work.length > 0 || this.#letters.length > 0) this.#schedule();
    }
  }

  /** Until nothing new comes, or too much. */
  async #doWork(): Promise<void> {
    for (let rounds = 0, quiet = 0; quiet < QUIET && rounds < MOST_ROUNDS; quiet++) {
      if (this.#work.length > 0) {
        const work = this.#work;
        this.#work = [];
        callAll(work);
        rounds++;
        quiet = 0;
      }
      await undefined;
    }
  }

  #takeLetters(): Callback[] {
    const letters = this.#letters;
    this.#letters = [];
    return letters;
  }
}

function callAll(callbacks: readonly Callback[]): void {
  for (const callback of callbacks) callback();
}
