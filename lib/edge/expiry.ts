/**
 * Sessions whose token or login ends at a known time.
 *
 * @module
 */
import { Deadlines } from "../deadlines.ts";
import type { Session } from "../session.ts";

/** How often it is looked who has to end, in milliseconds. */
const INTERVAL = 1000;

/** Who ends at one time; nobody any more, once it is not among the {@linkcode Expiry.#endings}. */
interface Ending {
  readonly time: number;
  readonly sessions: Set<Session>;
}

/** Ends sessions within about a second of the end of what has opened them; one timer for all, and none for nobody. */
export class Expiry {
  readonly #now: () => number;
  /** By their times: tokens that were made within a second share one. */
  readonly #endings = new Map<number, Ending>();
  readonly #deadlines = new Deadlines<Ending>((ending) => this.#endings.get(ending.time) === ending);
  #timer: ReturnType<typeof setInterval> | undefined;

  /** @param now milliseconds since 1970 */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Entries that are kept, also of those who have left; those are cleared out now and then. */
  get size(): number {
    return this.#deadlines.size;
  }

  /** Ends the session when its grant does. Before it gets another, it has to be forgotten. */
  watch(session: Session): void {
    const { until } = session;
    if (until === undefined) return;
    const ending = this.#endings.get(until) ?? this.#await(until);
    ending.sessions.add(session);
    this.#timer ??= setInterval(() => this.sweep(), INTERVAL);
  }

  /** It need not be ended any more. */
  forget(session: Session): void {
    const ending = session.until === undefined ? undefined : this.#endings.get(session.until);
    if (!ending?.sessions.delete(session) || ending.sessions.size > 0) return;
    this.#endings.delete(ending.time);
  }

  /** Ends those whose time is over. */
  sweep(): void {
    const now = this.#now();
    for (let ending: Ending | undefined; (ending = this.#deadlines.take(now));) {
      for (const session of ending.sessions) {
        this.forget(session);
        end(session);
      }
    }
    if (this.#endings.size === 0) this.close();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #await(time: number): Ending {
    const ending: Ending = { time, sessions: new Set() };
    this.#endings.set(time, ending);
    this.#deadlines.add(time, ending);
    return ending;
  }
}

function end(session: Session): void {
  session.close("unauthorized", session.grant?.login === undefined ? "The token has expired." : "The login has ended.");
}
