/**
 * The clock of all sessions of an edge: one timer, whoever has something that is due.
 *
 * @module
 */
import { Deadlines } from "../deadlines.ts";
import { Lookout } from "../lookout.ts";
import { startTimer, type Timer } from "../timer.ts";

/** Somebody to whom something happens at a time. */
export interface Beating {
  /** When, by the clock of the {@linkcode Heartbeat}, in milliseconds; `Infinity`: not any more. Set by {@linkcode Heartbeat.plan}. */
  due: number;
  /** For which time the clock has it in its list. */
  listed: number;
  /** It is due, and was to be called `due`. Whoever wants more has it planned again. */
  beat(now: number, due: number): void;
}

/** What a test replaces. */
export interface HeartbeatOptions {
  /** Milliseconds; only differences count. Default: whole ones, which take no memory where they are kept. */
  readonly now?: () => number;
  /** What has it look. Default: `startTimer`. */
  readonly timer?: Timer;
}

/** Milliseconds from one look to the next, at most: looks that are late tell that the machine has stood still. */
export const LOOK = 100;
/** And at least: what is due within them is dealt with together. */
const LEAST = 5;

/** Calls each when it is due, a few milliseconds late, as long as there is anybody. */
export class Heartbeat {
  readonly now: () => number;
  readonly #deadlines = new Deadlines<Beating>(isWanted);
  #lookout: Lookout | undefined;
  readonly #startTimer: Timer;
  #stopTimer = () => {};
  /** When the timer fires. */
  #next = Infinity;
  /** When it last looked, and when it could judge by that. */
  #looked = 0;
  #judged = 0;
  #isLooking = false;

  constructor({ now = () => Math.floor(performance.now()), timer = startTimer }: HeartbeatOptions = {}) {
    this.now = now;
    this.#startTimer = timer;
  }

  /** Has it called then, and no more for what was planned before. */
  plan(item: Beating, due: number): void {
    item.due = due;
    // What comes later than it is listed for is listed anew when that time has come: most of it is put off again and again.
    if (due >= item.listed) return;
    item.listed = due;
    this.#deadlines.add(due, item);
    if (this.#lookout === undefined) {
      this.#looked = this.#judged = this.now();
      this.#lookout = new Lookout(LOOK, this.#looked);
    }
    if (due < this.#next && !this.#isLooking) this.#arm(due);
  }

  /** It is not called any more. */
  cancel(item: Beating): void {
    item.due = Infinity;
  }

  /** Calls it if it is due and nothing keeps anybody from being judged: whoever comes a millisecond later finds it done. */
  check(item: Beating): void {
    const now = this.now();
    if (item.due > now || now - this.#judged > 2 * LOOK) return;
    this.#call(item, now);
  }

  /** Looks who is due, unless what they have said may wait to be read. */
  look(): void {
    const now = this.now();
    this.#looked = now;
    this.#next = Infinity;
    if (!this.#lookout?.mayJudge(now)) return this.#arm(now + LOOK);
    this.#judged = now;
    this.#isLooking = true;
    try {
      this.#callDue(now);
    } finally {
      this.#isLooking = false;
      const { next } = this.#deadlines;
      if (next !== undefined) this.#arm(next);
      else this.#stop();
    }
  }

  #callDue(now: number): void {
    for (let due = this.#deadlines.next; due !== undefined && due <= now; due = this.#deadlines.next) {
      const item = this.#deadlines.take(now)!;
      // An earlier time took this one's place.
      if (item.listed !== due) continue;
      item.listed = Infinity;
      if (item.due <= now) this.#call(item, now);
      else if (item.due !== Infinity) this.plan(item, item.due);
    }
  }

  /** Calls nobody any more. */
  close(): void {
    this.#stop();
    for (let item = this.#deadlines.take(Infinity); item !== undefined; item = this.#deadlines.take(Infinity)) {
      item.due = item.listed = Infinity;
    }
  }

  #call(item: Beating, now: number): void {
    const { due } = item;
    item.due = Infinity;
    item.beat(now, due);
  }

  #arm(due: number): void {
    this.#stopTimer();
    this.#next = Math.min(due, this.#looked + LOOK);
    this.#stopTimer = this.#startTimer(Math.max(LEAST, this.#next - this.now()), () => this.look());
  }

  #stop(): void {
    this.#stopTimer();
    this.#next = Infinity;
    this.#lookout = undefined;
  }
}

/** What is not wanted is taken out of the list, and may come back. */
function isWanted(item: Beating): boolean {
  if (item.due !== Infinity) return true;
  item.listed = Infinity;
  return false;
}
