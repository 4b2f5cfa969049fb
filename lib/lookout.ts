/**
 * Whether a look at who has been silent says anything.
 *
 * @module
 */

/**
 * Of one who looks at regular times who has been silent for too long. Where an isolate stood still, because its machine
 * did or it was busy itself, what others said meanwhile is not read yet when its timer fires: such a look judges nobody, and
 * the next one does, however late that is.
 */
export class Lookout {
  readonly #latest: number;
  #last: number;
  #hasSpared = false;

  /**
   * @param period from one look to the next, in milliseconds
   * @param now by the clock of the looks, in milliseconds
   */
  constructor(period: number, now: number) {
    this.#latest = 2 * period;
    this.#last = now;
  }

  /** Called at each look: whether those who have been silent until now may be judged by it. */
  mayJudge(now: number): boolean {
    const isLate = now - this.#last > this.#latest;
    this.#last = now;
    this.#hasSpared = isLate && !this.#hasSpared;
    return !this.#hasSpared;
  }
}
