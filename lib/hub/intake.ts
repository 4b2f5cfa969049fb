/**
 * Publications on their way into the broker: what one turn brings goes in as one call, calls follow each other, and
 * while the bus lags they wait, up to a time and a size.
 *
 * @module
 */
import { sizeOf } from "../bytes.ts";
import { GongError } from "../errors.ts";
import { queueOf } from "../reserved.ts";
import { Turn } from "../turn.ts";
import type { Broker, Draft, PublishOptions, PublishResult } from "../types.ts";

/** Bounds of an {@linkcode Intake} and what it asks. */
export interface IntakeOptions {
  /** Bytes that may wait; more are refused at once. */
  readonly bytes: number;
  /** Seconds that one may wait. */
  readonly wait: number;
  /** False while nothing more may be announced; {@linkcode Intake.resume} says that it may have changed. */
  readonly open: () => boolean;
  /** Told how many publications were numbered and stored: not those that repeat one, nor messages of queues. */
  readonly published?: (count: number) => void;
  /** Milliseconds; only differences count. Default `performance.now`. */
  readonly now?: () => number;
  /** The isolate's. */
  readonly turn?: Turn;
}

interface Waiting {
  readonly drafts: readonly Draft[];
  readonly options: PublishOptions;
  readonly atomic: boolean;
  readonly bytes: number;
  readonly since: number;
  readonly resolve: (results: PublishResult[]) => void;
}

/** The queue before the broker, first come first served. */
export class Intake {
  readonly #broker: Broker;
  readonly #options: IntakeOptions;
  readonly #now: () => number;
  readonly #turn: Turn;
  #queue: Waiting[] = [];
  #bytes = 0;
  #busy = false;
  #scheduled = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(broker: Broker, options: IntakeOptions) {
    this.#broker = broker;
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#turn = options.turn ?? new Turn();
  }

  /** Resolves when the drafts are numbered, stored and announced, or refused with `overloaded`. */
  publish(drafts: readonly Draft[], options: PublishOptions = {}): Promise<PublishResult[]> {
    const { records = [], settled = [] } = options;
    const atomic = options.atomic === true || records.length > 0 || settled.length > 0;
    const bytes = drafts.reduce((sum, draft) => sum + sizeOf(draft), 0);
    if (this.#bytes > 0 && this.#bytes + bytes > this.#options.bytes) return Promise.resolve(refuse(drafts));
    this.#bytes += bytes;
    return new Promise((resolve) => {
      this.#queue.push({ drafts, options, atomic, bytes, since: this.#now(), resolve });
      this.resume();
    });
  }

  /** Takes up what waits, at the end of this turn, if it may. */
  resume(): void {
    if (this.#scheduled || this.#busy || this.#queue.length === 0) return;
    this.#scheduled = true;
    this.#turn.end(() => {
      this.#scheduled = false;
      void this.#drain();
    });
  }

  /** What waits is refused. */
  close(): void {
    clearTimeout(this.#timer);
    for (const call of this.#queue.splice(0)) this.#settle(call, refuse(call.drafts));
  }

  async #drain(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      while (this.#queue.length > 0 && this.#options.open()) await this.#publishNext();
    } finally {
      this.#busy = false;
    }
    if (this.#queue.length > 0) this.#expire();
  }

  /** One broker call: an atomic one alone, else everything up to the next atomic one. */
  async #publishNext(): Promise<void> {
    const next = this.#queue.findIndex(({ atomic }) => atomic);
    const calls = this.#queue.splice(0, next === 0 ? 1 : next < 0 ? this.#queue.length : next);
    const drafts = calls.length === 1 ? calls[0]!.drafts : calls.flatMap((call) => call.drafts);
    const results = await this.#ask(drafts, calls[0]!);
    let at = 0;
    for (const call of calls) this.#settle(call, results.slice(at, at += call.drafts.length));
  }

  async #ask(drafts: readonly Draft[], { options, atomic }: Waiting): Promise<PublishResult[]> {
    try {
      const results = await this.#broker.publish(drafts, { ...options, atomic });
      this.#options.published?.(countPublished(drafts, results));
      return results;
    } catch (error) {
      return drafts.map(() => ({ error: GongError.from(error).toRefusal() }));
    }
  }

  #settle(call: Waiting, results: PublishResult[]): void {
    this.#bytes -= call.bytes;
    call.resolve(results);
  }

  /** Refuses what has waited too long, and comes back for the rest. */
  #expire(): void {
    const oldest = this.#now() - this.#options.wait * 1000;
    while (this.#queue.length > 0 && this.#queue[0]!.since <= oldest) {
      const call = this.#queue.shift()!;
      this.#settle(call, refuse(call.drafts));
    }
    if (this.#queue.length === 0 || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#expire();
    }, Math.max(1, this.#queue[0]!.since - oldest));
  }
}

function countPublished(drafts: readonly Draft[], results: readonly PublishResult[]): number {
  let count = 0;
  for (let index = 0; index < results.length; index++) {
    const result = results[index]!;
    if ("offset" in result && !result.repeated && queueOf(drafts[index]!.channel) === undefined) count++;
  }
  return count;
}

function refuse(drafts: readonly Draft[]): PublishResult[] {
  const error = new GongError("overloaded", "The server cannot keep up; try again.", { retryAfter: 1 }).toRefusal();
  return drafts.map(() => ({ error }));
}
