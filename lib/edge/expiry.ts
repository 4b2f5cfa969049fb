/**
 * Sessions whose token or login ends at a known time.
 *
 * @module
 */
import { Deadlines } from "../deadlines.ts";
import { Multimap } from "../multimap.ts";
import type { Session } from "../session.ts";

/** How often it is looked who has to end, in milliseconds. */
const INTERVAL = 1000;

/** Ends sessions within about a second of the end of what has opened them; one timer for all, and none for nobody. */
export class Expiry {
  readonly #now: () => number;
  /** By the time at which they end: tokens that were made within a second share it. */
  readonly #sessions = new Multimap<number, Session>();
  readonly #times = new Deadlines<number>((time) => this.#sessions.has(time));
  #timer: ReturnType<typeof setInterval> | undefined;

  /** @param now milliseconds since 1970 */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Ends the session when its grant does. Before it gets another, it has to be forgotten. */
  watch(session: Session): void {
    const { until } = session;
    if (until === undefined) return;
    if (!this.#sessions.has(until)) this.#times.add(until, until);
    this.#sessions.add(until, session);
    this.#timer ??= setInterval(() => this.sweep(), INTERVAL);
  }

  /** It need not be ended any more. */
  forget(session: Session): void {
    if (session.until !== undefined) this.#sessions.delete(session.until, session);
  }

  /** Ends those whose time is over. */
  sweep(): void {
    const now = this.#now();
    for (let time: number | undefined; (time = this.#times.take(now)) !== undefined;) {
      for (const session of this.#sessions.get(time)) {
        this.forget(session);
        end(session);
      }
    }
    if (this.#sessions.size === 0) this.close();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

function end(session: Session): void {
  session.close("unauthorized", session.grant?.login === undefined ? "The token has expired." : "The login has ended.");
}
