/**
 * Sessions to which something is queued: flushed once a turn, and again until their sockets were handed everything.
 *
 * @module
 */
import type { Session } from "../session.ts";

/** When a socket that held all it may is tried again, in milliseconds: Deno does not tell when it has sent something. */
const RETRY = 10;

/** Who of an edge's sessions waits to be flushed. */
export class Flusher {
  #sessions = new Set<Session>();
  #retry: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  add(session: Session): void {
    this.#sessions.add(session);
  }

  /** Flushes everybody; who is left with something is tried again, with the next turn or soon. */
  flush(): void {
    const sessions = this.#sessions;
    if (sessions.size === 0) return;
    this.#sessions = new Set();
    for (const session of sessions) if (!session.flush()) this.#sessions.add(session);
    if (this.#sessions.size === 0 || this.#closed) return;
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      this.flush();
    }, RETRY);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
  }
}
