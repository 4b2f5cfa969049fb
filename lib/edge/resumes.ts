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
  /** By what is asked for, in the order of asking; first those who go before the others. */
  readonly #urgent = new Map<string, Waiting>();
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
   * @param isUrgent it goes before the others, and is never refused: of such there are few
   */
  async read(request: ReadRequest, begin: () => boolean, isUrgent = false): Promise<History> {
    const { read } = this.#options;
    const queue = isUrgent ? this.#urgent : this.#waiting;
    const isNext = this.#urgent.size === 0 && queue.size === 0;
    if (!request.start || isNext && this.#bucket.take()) {
      if (!begin()) throw unwanted();
      return await read(request);
    }
    const key = keyOf(request);
    const waiting = queue.get(key);
    if (waiting) {
      waiting.begin.push(begin);
      return await waiting.answer.promise;
    }
    if (!isUrgent && queue.size >= MOST_WAITING) {
      this.#options.onRefused();
      throw new GongError("overloaded", "Too many are resuming; try again.", { retryAfter: 5 });
    }
    const answer = Promise.withResolvers<History>();
    queue.set(key, { request, begin: [begin], answer });
    this.#schedule();
    return await answer.promise;
  }

  /** Counts a read that need not be, if nobody waits and there is room. */
  takeSpare(): boolean {
    return this.#urgent.size === 0 && this.#waiting.size === 0 && this.#bucket.take();
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
    if (!this.#serveQueue(this.#urgent) || !this.#serveQueue(this.#waiting)) this.#schedule();
  }

  /** Returns whether nobody waits there any more. */
  #serveQueue(queue: Map<string, Waiting>): boolean {
    for (const [key, { request, begin, answer }] of queue) {
      // To read is to host the channel, which may have been given up.
      const isWanted = begin.map((begin) => begin()).includes(true);
      if (isWanted && !this.#bucket.take()) return false;
      queue.delete(key);
      if (isWanted) this.#options.read(request).then(answer.resolve, answer.reject);
      else answer.reject(unwanted());
    }
    return true;
  }
}

function unwanted(): GongError {
  return new GongError("conflict", "Nobody waits for this any more.");
}

function keyOf({ channel, start, limit, after, moved }: ReadRequest): string {
  return JSON.stringify([channel, start, limit, ...moved ? [after] : []]);
}
