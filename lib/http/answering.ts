/**
 * Requests that are being answered.
 *
 * @module
 */

/** Counts them, so that an edge does not end while somebody waits for what it has asked. */
export class Answering {
  #count = 0;
  readonly #waiting: (() => void)[] = [];

  /** Counts one until it is answered, however. Returns the same answer. */
  count(answer: Promise<Response>): Promise<Response> {
    this.#count++;
    answer.then(this.#answered, this.#answered);
    return answer;
  }

  /** Resolves as soon as none is being answered. */
  idle(): Promise<void> {
    return this.#count === 0 ? Promise.resolve() : new Promise((resolve) => this.#waiting.push(resolve));
  }

  readonly #answered = (): void => {
    if (--this.#count === 0) { for (const resolve of this.#waiting.splice(0)) resolve(); }
  };
}
