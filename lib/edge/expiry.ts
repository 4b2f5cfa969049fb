/**
 * Sessions whose token or login ends at a known time.
 *
 * @module
 */
import { Deadlines } from "../deadlines.ts";
import type { Session } from "../session.ts";

/** How often it is looked who has to end, in milliseconds. */
const INTERVAL = 1000;

/** One time of one session, until that has left or shown a newer token: nothing of it is kept for the heap's sake. */
interface Entry {
  session: Session | undefined;
}

/** Ends sessions within about a second of the end of what has opened them; one timer for all, and none for nobody. */
export class Expiry {
  readonly #now: () => number;
  readonly #entries = new Map<Session, Entry>();
  readonly #deadlines = new Deadlines<Entry>(({ session }) => session !== undefined);
  #timer: ReturnType<typeof setInterval> | undefined;

  /** @param now milliseconds since 1970 */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Ends the session when its grant does; in place of what was known of it. */
  watch(session: Session): void {
    this.forget(session);
    const { until } = session;
    if (until === undefined) return;
    const entry: Entry = { session };
    this.#entries.set(session, entry);
    this.#deadlines.add(until, entry);
    this.#timer ??= setInterval(() => this.sweep(), INTERVAL);
  }

  /** It need not be ended any more. */
  forget(session: Session): void {
    const entry = this.#entries.get(session);
    if (!entry) return;
    entry.session = undefined;
    this.#entries.delete(session);
  }

  /** Ends those whose time is over. */
  sweep(): void {
    const now = this.#now();
    for (let entry: Entry | undefined; (entry = this.#deadlines.take(now));) {
      const { session } = entry;
      if (!session) continue;
      this.forget(session);
      end(session);
    }
    if (this.#entries.size === 0) this.close();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

function end(session: Session): void {
  session.close("unauthorized", session.grant?.login === undefined ? "The token has expired." : "The login has ended.");
}
