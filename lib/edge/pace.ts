/**
 * How often an edge writes to many: not again before about as much time has passed as that takes. What comes meanwhile is
 * joined to one write, and whoever publishes one message after the other is heard in between.
 *
 * @module
 */
import type { Turn } from "../turn.ts";

/** To write to so many sessions needs no rest. */
const FEW = 200;
/** The engine writes when the turn is over, and nobody tells how long that takes: about four times what handing over took. */
const WITH_ENGINE = 5;
/** The longest rest, the engine's part included, in milliseconds. */
const LONGEST = 20;

/** Work: returns to how many sessions it wrote, at most. */
export type Work = () => number;

/** The time between two times of work. */
export class Pace {
  readonly #turn: Turn;
  /** When the rest is over, by `performance.now()`. Nothing is set off by that: a paced load has no timer. */
  #rested = 0;
  #waiter: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(turn: Turn) {
    this.#turn = turn;
  }

  /** Whether what is scheduled now has to wait. */
  get isResting(): boolean {
    return performance.now() < this.#rested;
  }

  /** Does the work at the end of this turn, or as soon as it may; one work at a time. */
  schedule(work: Work): void {
    if (this.#closed) return;
    const wait = this.#rested - performance.now();
    if (wait <= 0) this.#turn.end(() => this.run(work));
    else this.#waiter = setTimeout(() => this.run(work), wait);
  }

  /** Does the work now; it is a part of the one before. */
  run(work: Work): void {
    if (this.#closed) return;
    const begun = performance.now();
    if (work() < FEW) return;
    const now = performance.now();
    // The engine's part, and as long again as all of it.
    this.#rested = now + Math.min((now - begun) * (2 * WITH_ENGINE - 1), LONGEST);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#waiter);
  }
}
