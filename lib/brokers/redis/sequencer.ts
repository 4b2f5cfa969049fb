/**
 * One channel that somebody here listens to: what Redis announces of it may be missing, late or doubled, what leaves here is
 * each publication once and in order.
 *
 * @module
 */
import type { Position, Publication } from "../../types.ts";

/** What Redis has of a channel behind a position. */
export interface Later {
  readonly top: Position;
  /** Offset of the first publication of this epoch. */
  readonly first: number;
  /** Those that are kept, ascending; some may be gone. Not all of them, if there are many. */
  readonly publications: readonly Publication[];
}

/** What a {@linkcode Sequencer} asks and tells. */
export interface SequencerOptions {
  /** Reads what comes after a position, whether it is of the epoch that counts or not. */
  readonly read: (position: Position) => Promise<Later>;
  /** The next ones, in order. */
  readonly announce: (publications: readonly Publication[]) => void;
  /** Something is gone that was never announced, and nothing that follows tells of it. */
  readonly moved: () => void;
  /** How long what is missing may be on its way, in milliseconds. */
  readonly patience?: number;
}

interface Waiter {
  readonly position: Position;
  readonly resolve: () => void;
}

const PATIENCE = 50;
/** Publications that wait for what comes before them. */
const MOST_EARLY = 10_000;

/** Stands at a position from when it is opened. */
export class Sequencer {
  /** When something was last heard of it, by `performance.now()`. */
  heard = performance.now();
  readonly #options: SequencerOptions;
  #position: Position | undefined;
  /** What came before it could be announced. */
  #early: Publication[] = [];
  #waiters: Waiter[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #catching: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: SequencerOptions) {
    this.#options = options;
  }

  /** Where it stands; undefined until it was opened. */
  get position(): Position | undefined {
    return this.#position;
  }

  /** What comes after the position is announced from now on. */
  open(position: Position): void {
    this.#position = position;
    this.#pass();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#giveUp(this.#waiters);
  }

  /** Takes what was announced. */
  receive(publications: readonly Publication[]): void {
    this.heard = performance.now();
    const early = this.#early;
    if (early.length > 0) {
      this.#early = [...early, ...publications].sort((one, other) => one.offset - other.offset);
    } else this.#early = [...publications];
    // What is read again need not be held.
    if (this.#early.length > MOST_EARLY) this.#early = [];
    this.#pass();
  }

  /**
   * Redis has come so far: resolves when everything up to there was announced, or cannot be for the moment.
   */
  async reach(position: Position): Promise<void> {
    if (this.#isClosed || this.#isBehind(position) === false) return;
    await new Promise<void>((resolve) => {
      this.#waiters.push({ position, resolve });
      this.#wait();
    });
  }

  /** Reads what was missed, if anything; rejects with what kept it from that. */
  catchUp(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    return this.#catching ??= this.#catchUpOnce();
  }

  async #catchUpOnce(): Promise<void> {
    try {
      await this.#catchUp();
    } catch (error) {
      // Nobody waits for what cannot be read.
      this.#giveUp(this.#waiters);
      throw error;
    } finally {
      this.#catching = undefined;
    }
    // What came meanwhile had nobody to look after it.
    if (this.#early.length > 0 || this.#waiters.length > 0) this.#wait();
  }

  /** Whether it is still to come to the position; unknown before it was opened. */
  #isBehind({ epoch, offset }: Position): boolean | undefined {
    const own = this.#position;
    return own && (own.epoch !== epoch || own.offset < offset);
  }

  /** Announces what follows; what does not may have something before it that is on its way. */
  #pass(): void {
    const own = this.#position;
    if (!own || this.#isClosed) return;
    const { epoch } = own;
    let { offset } = own;
    const next: Publication[] = [];
    const early: Publication[] = [];
    for (const publication of this.#early) {
      if (publication.epoch !== epoch) early.push(publication);
      else if (publication.offset === offset + 1) {
        next.push(publication);
        offset++;
      } else if (publication.offset > offset) early.push(publication);
    }
    this.#early = early;
    if (next.length > 0) {
      this.#position = { epoch, offset };
      this.#options.announce(next);
    }
    if (this.#waiters.length > 0) this.#resolve();
    if (this.#early.length > 0 || this.#waiters.length > 0) this.#wait();
  }

  #wait(): void {
    if (this.#timer !== undefined || this.#catching || this.#isClosed || !this.#position) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      // It is tried again when something comes, or after a while.
      this.catchUp().catch(() => {});
    }, this.#options.patience ?? PATIENCE);
  }

  #resolve(): void {
    const waiters = this.#waiters;
    this.#waiters = waiters.filter(({ position }) => this.#isBehind(position));
    for (const { position, resolve } of waiters) if (!this.#isBehind(position)) resolve();
  }

  #giveUp(given: readonly Waiter[]): void {
    this.#waiters = this.#waiters.filter((waiter) => !given.includes(waiter));
    for (const { resolve } of given) resolve();
  }

  async #catchUp(): Promise<void> {
    for (;;) {
      const before = this.#position;
      if (!before || this.#isClosed) return;
      // What comes from here on may be newer than what is read.
      const early = new Set(this.#early);
      const waiters = [...this.#waiters];
      const { top, first, publications } = await this.#options.read(before);
      if (this.#isClosed) return;
      // What came meanwhile may have taken it further than what was read.
      const own = this.#position!;
      this.heard = performance.now();
      if (top.epoch === own.epoch && top.offset <= own.offset) return this.#caughtUp(early, waiters);
      const isSame = top.epoch === own.epoch;
      const since = isSame ? own.offset : Math.max(first - 1, 0);
      const end = publications.at(-1)?.offset ?? top.offset;
      // All that was read has come by itself, and more is left.
      if (isSame && end <= own.offset) continue;
      const later = publications.filter(({ epoch, offset }) => epoch === top.epoch && offset > since);
      this.#position = { epoch: top.epoch, offset: end };
      if (later.length > 0) this.#options.announce(later);
      else this.#options.moved();
      if (end >= top.offset) return this.#caughtUp(early, waiters);
    }
  }

  /**
   * What Redis had when it was asked is announced: of what was there before that, the rest is of an epoch that is over, or
   * Redis never had it.
   */
  #caughtUp(early: ReadonlySet<Publication>, waiters: readonly Waiter[]): void {
    this.#early = this.#early.filter((publication) => !early.has(publication));
    this.#giveUp(waiters.filter((waiter) => this.#waiters.includes(waiter)));
    this.#pass();
  }
}
