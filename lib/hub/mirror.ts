/**
 * Tells other nodes of this one's sessions: what changes, in order, each node as fast as it takes it; and all there is, to
 * one that knows nothing yet or has missed something.
 *
 * @module
 */
import type { Batch, Change } from "../cluster/changes.ts";
import type { Peers } from "../cluster/peers.ts";
import { startTimer, type Timer } from "../timer.ts";

/** What a {@linkcode Mirror} is made of. */
export interface MirrorOptions {
  readonly peers: Pick<Peers, "node" | "request">;
  /** All there is to tell. */
  readonly all: () => Iterable<Change>;
  /** Another node had taken this one for gone, and has said so, perhaps. */
  readonly onForgotten?: () => void;
  /** Default `setTimeout`. */
  readonly timer?: Timer;
}

/** Changes that go at once, and that may wait; past that all is told again. */
const MOST_AT_ONCE = 1000;
const MOST_WAITING = 100_000;
/** How long changes are gathered, before one that was not taken is told again, and between two that say that nothing changed. */
const GATHERED = 20;
const RETRY = 500;
const SILENCE = 5000;

/** What goes to one node. */
interface Way {
  readonly node: number;
  sequence: number;
  waiting: Change[];
  /** All there is, as far as it was not told yet. */
  rest: Iterator<Change> | undefined;
  begins: boolean;
  /** One that was not answered. */
  sent: Batch | undefined;
  stopTimer: (() => void) | undefined;
  /** It waits only to say that nothing has changed. */
  isIdle: boolean;
  isBusy: boolean;
  isOver: boolean;
  /** It may have taken this node for gone. */
  mayHaveForgotten: boolean;
  /** Somebody waits until there is nothing more to tell. */
  onTold: (() => void) | undefined;
}

/** The way of this node's sessions to all others. */
export class Mirror {
  readonly #options: MirrorOptions;
  readonly #timer: Timer;
  #run = crypto.randomUUID();
  /** The highest number of any batch: none is said twice to a node, even if that has been gone meanwhile. */
  #last = 0;
  readonly #ways = new Map<number, Way>();

  constructor(options: MirrorOptions) {
    this.#options = options;
    this.#timer = options.timer ?? startTimer;
  }

  /** Something has changed. */
  changed(change: Change): void {
    for (const way of this.#ways.values()) {
      way.waiting.push(change);
      if (way.waiting.length > MOST_WAITING) this.#tellAll(way);
      this.#wait(way, GATHERED);
    }
  }

  /** The node is there, and knows nothing. */
  joined(node: number): void {
    this.gone(node);
    const way: Way = {
      ...{ node, sequence: this.#last, waiting: [], rest: undefined, begins: false, sent: undefined },
      ...{ stopTimer: undefined, isIdle: false, isBusy: false, isOver: false },
      ...{ mayHaveForgotten: false, onTold: undefined },
    };
    this.#ways.set(node, way);
    this.#tellAll(way);
    this.#wait(way, 0);
  }

  gone(node: number): void {
    const way = this.#ways.get(node);
    if (!way) return;
    way.isOver = true;
    way.stopTimer?.();
    way.onTold?.();
    this.#ways.delete(node);
    // What it has said before that nobody can be asked any more.
    if (way.mayHaveForgotten) this.#forgotten();
  }

  /** The others may have taken this node for gone, and know nothing of it any more. */
  returned(): void {
    // What they have published of that is known by it: the next time they do it is another time.
    this.#run = crypto.randomUUID();
    // Of the time before nobody can be asked any more.
    if ([...this.#ways.values()].some(({ mayHaveForgotten }) => mayHaveForgotten)) this.#forgotten();
    for (const way of this.#ways.values()) {
      way.mayHaveForgotten = true;
      this.#tellAll(way);
      this.#wait(way, 0);
    }
  }

  /** Resolves when all others know everything, or when that has taken so many milliseconds. */
  async flush(patience: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const stopTimer = this.#timer(patience, resolve);
    await Promise.race([promise, Promise.all(Array.from(this.#ways.values(), (way) => this.#untilTold(way)))]);
    stopTimer();
  }

  close(): void {
    for (const way of this.#ways.values()) way.mayHaveForgotten = false;
    for (const node of [...this.#ways.keys()]) this.gone(node);
  }

  #tellAll(way: Way): void {
    way.waiting = [];
    way.sent = undefined;
    way.rest = this.#options.all()[Symbol.iterator]();
    way.begins = true;
  }

  /** One that is about to be told something is not told sooner for more. */
  #wait(way: Way, delay: number): void {
    if (way.isBusy || way.isOver || way.stopTimer && !way.isIdle) return;
    way.stopTimer?.();
    way.isIdle = delay === SILENCE;
    way.stopTimer = this.#timer(delay, () => {
      way.stopTimer = undefined;
      void this.#tell(way);
    });
  }

  #untilTold(way: Way): Promise<void> {
    if (isTold(way)) return Promise.resolve();
    way.stopTimer?.();
    way.stopTimer = undefined;
    this.#wait(way, 0);
    return new Promise((resolve) => way.onTold = resolve);
  }

  async #tell(way: Way): Promise<void> {
    way.isBusy = true;
    const batch = way.sent ??= this.#next(way);
    let delay = 0;
    try {
      const taken = await this.#options.peers.request(way.node, "roster", batch);
      const isTaken = taken !== false;
      if (way.sent === batch && batch.begins && isTaken && way.mayHaveForgotten) {
        way.mayHaveForgotten = false;
        if (taken === "anew") this.#forgotten();
      }
      // All may have begun anew meanwhile.
      if (way.sent === batch && !isTaken) this.#tellAll(way);
      if (way.sent === batch) way.sent = undefined;
      if (!isTaken) delay = RETRY;
      else if (!way.rest && way.waiting.length === 0) delay = SILENCE;
    } catch {
      delay = RETRY;
    }
    way.isBusy = false;
    if (isTold(way)) way.onTold?.();
    this.#wait(way, delay);
  }

  /** It does not matter how many have. */
  #forgotten(): void {
    for (const way of this.#ways.values()) way.mayHaveForgotten = false;
    this.#options.onForgotten?.();
  }

  #next(way: Way): Batch {
    const changes: Change[] = [];
    const { begins } = way;
    let ends = false;
    way.begins = false;
    while (way.rest && changes.length < MOST_AT_ONCE) {
      const { value, done } = way.rest.next();
      if (!done) changes.push(value);
      else {
        way.rest = undefined;
        ends = true;
      }
    }
    if (!way.rest && !ends) changes.push(...way.waiting.splice(0, MOST_AT_ONCE));
    this.#last = Math.max(this.#last, ++way.sequence);
    return {
      ...{ node: this.#options.peers.node, run: this.#run, sequence: way.sequence, changes },
      ...begins ? { begins } : {},
      ...ends ? { ends } : {},
    };
  }
}

function isTold({ rest, waiting, sent, isBusy }: Way): boolean {
  return !rest && waiting.length === 0 && !sent && !isBusy;
}
