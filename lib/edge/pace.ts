/**
 * How often an edge writes to many: not again before as much time has passed as that takes. What comes meanwhile is joined
 * to one write, and whoever publishes one message after the other is heard in between.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type { Turn } from "../turn.ts";

/** Publications to sessions, all counted, that need no rest. */
const FEW = 200;
/** The longest rest, in milliseconds. */
const LONGEST = 10;

/** The time between two times of work. */
export class Pace {
  readonly #turn: Turn;
  #resting = false;
  #next: (() => number) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(turn: Turn) {
    this.#turn = turn;
  }

  /** Whether what is scheduled now has to wait. */
  get isResting(): boolean {
    return this.#resting;
  }

  /**
   * Does the work at the end of this turn, or as soon as it may; one work at a time.
   *
   * @param work returns how much was written: so many publications, to so many sessions
   */
  schedule(work: () => number): void {
    if (this.#resting) this.#next = work;
    else this.#turn.end(() => this.run(work));
  }

  /** Does the work now; it is a part of the one before. */
  run(work: () => number): void {
    const begun = performance.now();
    if (work() < FEW) return;
    this.#resting = true;
    // The engine writes when this turn is over.
    setImmediate(() => {
      if (this.#closed) return;
      const took = performance.now() - begun;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#wake(), Math.min(took, LONGEST));
    });
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #wake(): void {
    this.#resting = false;
    const next = this.#next;
    this.#next = undefined;
    if (next) this.schedule(next);
  }
}
