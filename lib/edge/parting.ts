/**
 * How sessions are ended when the server goes away: not all at once, so that they do not all come back at once.
 *
 * @module
 */
/** Sessions that an edge lets go in a second, as long as that leaves time for the last of them. */
const RATE = 100;
/** Of a drain, the part in which they are let go; the rest is for what is queued to the last of them. */
const SPREAD = 0.5;
/** Between two looks whose turn it is, in milliseconds. */
const STEP = 20;
/** When to come back, in seconds. Elsewhere that is soon enough, and they have been spread already. */
export const RETURN = 1;

/** What is asked of a session. */
export interface Leaver {
  /** Its client comes back by itself with every request, so that only when it does has to be spread. */
  readonly isBrief: boolean;
  /** Ends it as soon as what it has asked for is done; its client is told to come back after so many seconds. */
  dismiss(retryAfter: number): void;
  /** Ends it now. */
  hurry(): void;
}

/** Settings of {@linkcode Parting}. */
export interface PartingOptions {
  /** How long the drain may take in all, in seconds. */
  readonly seconds: number;
  /** Of a monotonic clock, in milliseconds. Default `performance.now`. */
  readonly now?: () => number;
  /** Default `setInterval`. Returns what stops it. */
  readonly every?: (milliseconds: number, look: () => void) => () => void;
}

/**
 * The end of all sessions of an edge: in random order, evenly over half of the drain, or faster where there are few; those
 * that are brief at once, with a time to come back that is spread instead. What is still there when the half is over has no
 * more time for what it waits for.
 */
export class Parting {
  readonly #leavers: readonly Leaver[];
  readonly #spread: number;
  readonly #half: number;
  readonly #start: number;
  readonly #now: () => number;
  readonly #stop: () => void;
  #next = 0;

  constructor(sessions: readonly Leaver[], options: PartingOptions) {
    const { seconds, now = () => performance.now(), every = atIntervals } = options;
    this.#now = now;
    this.#start = now();
    this.#half = seconds * SPREAD * 1000;
    this.#leavers = shuffle(sessions.filter(({ isBrief }) => !isBrief));
    this.#spread = Math.min(this.#half, this.#leavers.length / RATE * 1000);
    this.#stop = every(STEP, () => this.#look());
    for (const brief of sessions) {
      if (brief.isBrief) brief.dismiss(RETURN + Math.random() * Math.ceil(this.#half / 1000));
    }
    this.#look();
  }

  /** Looks no more whose turn it is. Idempotent. */
  stop(): void {
    this.#stop();
  }

  #look(): void {
    const passed = this.#now() - this.#start;
    const { length } = this.#leavers;
    // The first goes at once, and the last a step before the end.
    const due = passed >= this.#spread ? length : Math.min(length, 1 + Math.floor(passed / this.#spread * length));
    for (; this.#next < due; this.#next++) this.#leavers[this.#next]!.dismiss(RETURN);
    if (passed < this.#half) return;
    this.#stop();
    for (const leaver of this.#leavers) leaver.hurry();
  }
}

function atIntervals(milliseconds: number, look: () => void): () => void {
  const timer = setInterval(look, milliseconds);
  return () => clearInterval(timer);
}

/** Fisher and Yates, as Durstenfeld has it. */
function shuffle<T>(items: T[]): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const other = Math.floor(Math.random() * (i + 1));
    [items[i], items[other]] = [items[other]!, items[i]!];
  }
  return items;
}
