/**
 * Whether whoever asks is there until it has its answer.
 *
 * @module
 */

/** A request, and when its answer was handed over to be sent, or cannot be. */
export interface Asked {
  readonly signal: AbortSignal;
  completed(): Promise<void>;
}

/** Sees one who asks leave before the whole answer was handed to its connection: it is not sent again. */
export class Departure {
  readonly #asked: Asked;
  readonly #leave: () => void;

  constructor(asked: Asked, leave: () => void) {
    this.#asked = asked;
    this.#leave = leave;
    // Deno tells of an abort from when it was first asked for it.
    asked.signal.addEventListener("abort", leave);
  }

  /** There is an answer, or, if not `given`, one that nobody need get. */
  answered(given: boolean): void {
    const { signal } = this.#asked;
    signal.removeEventListener("abort", this.#leave);
    if (!given) return;
    // Deno 2.6, and a compiled program, abort every request that is answered. An abort that comes after that says that the
    // answer could not be written.
    this.#asked.completed().then(() => signal.addEventListener("abort", this.#leave), this.#leave);
  }
}
