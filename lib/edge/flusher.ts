/**
 * Sessions to which something is queued: flushed once a turn, and again until their sockets were handed everything.
 *
 * @module
 */
import type { Session } from "../session.ts";

/** What a {@linkcode Flusher} needs of a session. */
export type Flushed = Pick<Session, "flush" | "isAwaited">;

/** When a socket that held all it may is tried again, in milliseconds: Deno does not tell when it has sent something. */
const RETRY = 10;
/** The same where a page of history waits for it, doubled as long as that does not go. */
const FIRST_RETRY = 1;

/** Who of an edge's sessions waits to be flushed. */
export class Flusher<S extends Flushed> {
  readonly #onFault: (session: S, error: unknown) => void;
  #sessions = new Set<S>();
  #retry: ReturnType<typeof setTimeout> | undefined;
  /** When that is, by `performance.now()`. */
  #due = Infinity;
  #wait = FIRST_RETRY;
  #closed = false;

  /** @param onFault told of a session that cannot be flushed: it ends alone, and the others have theirs */
  constructor(onFault: (session: S, error: unknown) => void) {
    this.#onFault = onFault;
  }

  add(session: S): void {
    this.#sessions.add(session);
    if (session.isAwaited) this.#wait = FIRST_RETRY;
  }

  /** Flushes everybody; who is left with something is tried again, with the next turn or soon. */
  flush(): void {
    const sessions = this.#sessions;
    if (sessions.size === 0) return;
    this.#sessions = new Set();
    let isAwaited = false;
    let hasMoved = false;
    for (const session of sessions) {
      const wasAwaited = session.isAwaited;
      if (!this.#flush(session)) this.#sessions.add(session);
      if (session.isAwaited) isAwaited = true;
      else if (wasAwaited) hasMoved = true;
    }
    this.#wait = hasMoved ? FIRST_RETRY : Math.min(this.#wait * 2, RETRY);
    if (this.#sessions.size > 0) this.#tryAgain(isAwaited ? this.#wait : RETRY);
  }

  #flush(session: S): boolean {
    try {
      return session.flush();
    } catch (error) {
      this.#onFault(session, error);
      return true;
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
  }

  #tryAgain(wait: number): void {
    const due = performance.now() + wait;
    if (this.#closed || due >= this.#due) return;
    clearTimeout(this.#retry);
    this.#due = due;
    this.#retry = setTimeout(() => {
      this.#due = Infinity;
      this.flush();
    }, wait);
  }
}
