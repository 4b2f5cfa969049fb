/**
 * How often an edge writes to many: not again before as much time has passed as that takes. What comes meanwhile is joined
 * to one write, and whoever publishes one message after the other is heard in between.
 *
 * @module
 */
import type { Turn } from "../turn.ts";

/** To write to so many sessions needs no rest. */
const FEW = 200;
/** The longest rest, in milliseconds. */
const LONGEST = 10;

/** Work: returns to how many sessions it wrote, at most. */
export type Work = () => number;

/** The time between two times of work. */
export class Pace {
  readonly #turn: Turn;
  /** It is being written, by the engine too. */
  #writing = false;
  /** When the rest is over, by `performance.now()`. */
  #rested = 0;
  #next: Work | undefined;
  #writer: ReturnType<typeof setTimeout> | undefined;
  #waiter: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(turn: Turn) {
    this.#turn = turn;
  }

  /** Whether what is scheduled now has to wait. */
  get isResting(): boolean {
    return this.#writing || performance.now() < this.#rested;
  }

  /** Does the work at the end of this turn, or as soon as it may; one work at a time. */
  schedule(work: Work): void {
    if (this.#closed) return;
    if (this.#writing) {
      this.#next = work;
      return;
    }
    const wait = this.#rested - performance.now();
    if (wait <= 0) this.#turn.end(() => this.run(work));
    else this.#waiter = setTimeout(() => this.run(work), wait);
  }

  /** Does the work now; it is a part of the one before. */
  run(work: Work): void {
    if (this.#closed) return;
    const begun = performance.now();
    if (work() < FEW) return;
    this.#writing = true;
    // The engine writes when this turn is over, and has no time for timers before that is done.
    clearTimeout(this.#writer);
    this.#writer = setTimeout(() => this.#rest(begun), 1);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#writer);
    clearTimeout(this.#waiter);
  }

  #rest(begun: number): void {
    const now = performance.now();
    this.#writing = false;
    this.#rested = now + Math.min(now - begun, LONGEST);
    const next = this.#next;
    this.#next = undefined;
    if (next) this.schedule(next);
  }
}
