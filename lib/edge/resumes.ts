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

  /** Reads when it is its turn; at once what is no resume. Rejects with `overloaded` when too many wait. */
  async read(request: ReadRequest): Promise<History> {
    const { read } = this.#options;
    if (!request.start || this.#waiting.size === 0 && this.#bucket.take()) return await read(request);
    const key = keyOf(request);
    const waiting = this.#waiting.get(key);
    if (waiting) return await waiting.answer.promise;
    if (this.#waiting.size >= MOST_WAITING) {
      this.#options.onRefused();
      throw new GongError("overloaded", "Too many are resuming; try again.", { retryAfter: 5 });
    }
    const answer = Promise.withResolvers<History>();
    this.#waiting.set(key, { request, answer });
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
    for (const [key, { request, answer }] of this.#waiting) {
      if (!this.#bucket.take()) return this.#schedule();
      this.#waiting.delete(key);
      this.#options.read(request).then(answer.resolve, answer.reject);
    }
  }
}

function keyOf({ channel, start, limit }: ReadRequest): string {
  return JSON.stringify([channel, start, limit]);
}
