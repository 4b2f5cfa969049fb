/**
 * Reads of history at a bounded rate: when everybody comes back at once, they are served one after the other, and who
 * asks for the same is served together.
 *
 * @module
 */
import { GongError } from "../errors.ts";
import { TokenBucket } from "../rates.ts";
import type { History } from "../types.ts";
import type { ReadRequest } from "./hosting.ts";

/** Reads that may wait; more are refused. */
const MOST_WAITING = 10_000;

/** What {@linkcode Resumes} are made of. */
export interface ResumesOptions {
  /** Reads a second; twice as many at once. */
  readonly rate: number;
  readonly read: (request: ReadRequest) => Promise<History>;
  /** Told of each that is refused. */
  readonly onRefused: () => void;
}

interface Waiting {
  readonly request: ReadRequest;
  /** One for each who waits. */
  readonly begin: (() => boolean)[];
  readonly answer: PromiseWithResolvers<History>;
}

/** The queue before the hub's history, first come first served. */
export class Resumes {
  readonly #options: ResumesOptions;
  readonly #bucket: TokenBucket;
  /** By what is asked for, in the order of asking. */
  readonly #waiting = new Map<string, Waiting>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: ResumesOptions) {
    this.#options = options;
    this.#bucket = new TokenBucket({ rate: options.rate, burst: options.rate * 2 });
  }

  /**
   * Reads when it is its turn; at once what is no resume. Rejects with `overloaded` when too many wait.
   *
   * @param begin called when its turn has come, maybe more than once; false when the answer is not wanted any more, and
   * then nothing is read for it
   */
  async read(request: ReadRequest, begin: () => boolean): Promise<History> {
    const { read } = this.#options;
    if (!request.start || this.#waiting.size === 0 && this.#bucket.take()) {
      if (!begin()) throw unwanted();
      return await read(request);
    }
    const key = keyOf(request);
    const waiting = this.#waiting.get(key);
    if (waiting) {
      waiting.begin.push(begin);
      return await waiting.answer.promise;
    }
    if (this.#waiting.size >= MOST_WAITING) {
      this.#options.onRefused();
      throw new GongError("overloaded", "Too many are resuming; try again.", { retryAfter: 5 });
    }
    const answer = Promise.withResolvers<History>();
    this.#waiting.set(key, { request, begin: [begin], answer });
    this.#schedule();
    return await answer.promise;
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#serve();
    }, Math.max(1, 1000 / this.#options.rate));
  }

  #serve(): void {
    for (const [key, { request, begin, answer }] of this.#waiting) {
      // To read is to host the channel, which may have been given up.
      const isWanted = begin.map((begin) => begin()).includes(true);
      if (isWanted && !this.#bucket.take()) return this.#schedule();
      this.#waiting.delete(key);
      if (isWanted) this.#options.read(request).then(answer.resolve, answer.reject);
      else answer.reject(unwanted());
    }
  }
}

function unwanted(): GongError {
  return new GongError("conflict", "Nobody waits for this any more.");
}

function keyOf({ channel, start, limit }: ReadRequest): string {
  return JSON.stringify([channel, start, limit]);
}
