/**
 * Sessions whose token or login ends at a known time.
 *
 * @module
 */
import { Deadlines } from "../deadlines.ts";
import type { Session } from "../session.ts";

/** How often it is looked who has to end, in milliseconds. */
const INTERVAL = 1000;

/** One time of one session. */
interface Entry {
  readonly session: Session;
}

/** Ends sessions within about a second of the end of what has opened them; one timer for all, and none for nobody. */
export class Expiry {
  readonly #now: () => number;
  /** The entry that counts: a session may have shown a newer token since. */
  readonly #current = new WeakMap<Session, Entry>();
  readonly #deadlines = new Deadlines<Entry>((entry) => this.#counts(entry));
  #timer: ReturnType<typeof setInterval> | undefined;

  /** @param now milliseconds since 1970 */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Ends the session when its grant does; in place of what was known of it. */
  watch(session: Session): void {
    const until = session.grant?.until;
    if (until === undefined) return;
    const entry: Entry = { session };
    this.#current.set(session, entry);
    this.#deadlines.add(until, entry);
    this.#timer ??= setInterval(() => this.sweep(), INTERVAL);
  }

  /** Ends those whose time is over. */
  sweep(): void {
    const now = this.#now();
    for (let entry: Entry | undefined; (entry = this.#deadlines.take(now));) {
      if (this.#counts(entry)) end(entry.session);
    }
    if (this.#deadlines.size === 0) this.close();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #counts(entry: Entry): boolean {
    return !entry.session.hasLeft && this.#current.get(entry.session) === entry;
  }
}

function end(session: Session): void {
  session.close("unauthorized", session.grant?.login === undefined ? "The token has expired." : "The login has ended.");
}
