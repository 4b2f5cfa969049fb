/**
 * Counts what becomes of traced publications on one edge, and tells the hub once a turn.
 *
 * @module
 */
import type { Outcome } from "../audience.ts";
import type { TraceCount } from "../methods.ts";
import type { Turn } from "../turn.ts";
import type { Publication } from "../types.ts";

/** What a {@linkcode Tracer} is made of. */
export interface TracerOptions {
  /** Hands publications to everybody who hears their channels, in order. */
  readonly deliver: (publications: readonly Publication[]) => Outcome;
  readonly tell: (counts: readonly TraceCount[]) => void;
  readonly turn: Turn;
}

/** Hands publications on; those that are traced by themselves, since what becomes of several at once is one figure. */
export class Tracer {
  readonly #options: TracerOptions;
  /** Counted in this turn. */
  #counts: TraceCount[] = [];

  constructor(options: TracerOptions) {
    this.#options = options;
  }

  /** Hands publications to everybody who hears their channels, in order. */
  deliver(publications: readonly Publication[]): Outcome {
    const { deliver } = this.#options;
    if (!publications.some(isTraced)) return deliver(publications);
    let [delivered, dropped] = [0, 0];
    const hand = (part: readonly Publication[]): Outcome => {
      const outcome = deliver(part);
      delivered += outcome.delivered;
      dropped += outcome.dropped;
      return outcome;
    };
    let others: Publication[] = [];
    for (const publication of publications) {
      if (!isTraced(publication)) {
        others.push(publication);
        continue;
      }
      if (others.length > 0) hand(others);
      others = [];
      this.#note(publication, hand([publication]));
    }
    if (others.length > 0) hand(others);
    return { delivered, dropped };
  }

  /** One session was handed these from history, all or none. */
  missed(publications: readonly Publication[], wasTaken: boolean): void {
    const outcome = wasTaken ? { delivered: 1, dropped: 0 } : { delivered: 0, dropped: 1 };
    for (const publication of publications) if (isTraced(publication)) this.#note(publication, outcome);
  }

  #note({ id, channel, epoch, offset }: Publication, { delivered: queued, dropped: slow }: Outcome): void {
    if (id === undefined || queued + slow === 0) return;
    if (this.#counts.push({ id, channel, epoch, offset, queued, slow }) > 1) return;
    this.#options.turn.end(() => {
      const counts = this.#counts;
      this.#counts = [];
      this.#options.tell(counts);
    });
  }
}

function isTraced({ trace }: Publication): boolean {
  return trace === true;
}
