/**
 * The clock of all connections of a door on an edge: one timer, whoever has something that is due.
 *
 * @module
 */
import { Lookout } from "../lookout.ts";

/** Somebody who is told how late it is. */
export interface Ticking {
  /** @param now by the clock of the {@linkcode Pulse}, in milliseconds @returns whether it wants to be told again */
  tick(now: number): boolean;
}

/** What a test replaces. */
export interface PulseOptions {
  /** Milliseconds; only differences count. Default `performance.now`. */
  readonly now?: () => number;
}

/** Milliseconds from one look to the next: what is due comes later by at most that. */
export const TICK = 250;

/** Ticks as long as there is somebody to be told. */
export class Pulse {
  readonly now: () => number;
  readonly #members = new Set<Ticking>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #lookout: Lookout | undefined;

  constructor({ now = () => performance.now() }: PulseOptions = {}) {
    this.now = now;
  }

  add(member: Ticking): void {
    this.#members.add(member);
    if (this.#timer !== undefined) return;
    this.#lookout = new Lookout(TICK, this.now());
    this.#timer = setInterval(() => this.tick(), TICK);
  }

  delete(member: Ticking): void {
    this.#members.delete(member);
    if (this.#members.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Tells everybody, unless what they have said may wait to be read; who ends meanwhile does so alone. */
  tick(): void {
    const now = this.now();
    if (!this.#lookout?.mayJudge(now)) return;
    for (const member of this.#members) if (!member.tick(now)) this.delete(member);
  }
}
