/**
 * Sessions to which something is queued: flushed once a turn, and again until their sockets have taken everything.
 *
 * @module
 */
import type { Session } from "../session.ts";

/** When a socket that held all it may is tried again, in milliseconds: Deno does not tell when it has sent something. */
const RETRY = 10;

/** Who of an edge's sessions waits to be flushed. */
export class Flusher {
  #sessions: Session[] = [];
  #retry: ReturnType<typeof setTimeout> | undefined;

  add(session: Session): void {
    this.#sessions.push(session);
  }

  /** Flushes everybody; who is left with something is tried again, with the next turn or soon. */
  flush(): void {
    this.#sessions = this.#sessions.filter((session) => !session.flush());
    clearTimeout(this.#retry);
    if (this.#sessions.length > 0) this.#retry = setTimeout(() => this.flush(), RETRY);
  }

  close(): void {
    clearTimeout(this.#retry);
  }
}
