/**
 * The sessions of one edge: those that are there, and those whose sockets will not go.
 *
 * @module
 */
import { compareIds } from "../methods.ts";
import type { Metrics } from "../metrics.ts";
import type { Session } from "../session.ts";
import type { CloseReason } from "../session/host.ts";
import type { SessionInfo } from "../types.ts";

/** What a socket that was closed but does not go costs beside its bytes, roughly. */
const SOCKET = 20_000;

/** What has left, and whose socket should go. */
export interface Leaving {
  /** Whether it is only there until what is queued has left too. */
  readonly lingers: boolean;
  /** Bytes that its socket holds. */
  readonly held: number;
}

/** Sessions by public id: in the order of their connecting, which is that of their ids, and those that came with theirs. */
export class Registry {
  readonly #edge: number;
  readonly #grace: number;
  readonly #metrics: Metrics;
  readonly #sessions = new Map<string, Session>();
  /** Those whose ids were made elsewhere, or for another. */
  readonly #strays = new Map<string, Session>();
  /** Those that have left, but Deno has not let the socket go, and since when; in that order. */
  readonly #closing = new Map<Leaving, number>();
  readonly #byDoor = new Map<string, number>();
  readonly #waiting: (() => void)[] = [];
  #latest = 0;

  /** @param grace how long a closing handshake may take until its socket counts as stuck, in milliseconds */
  constructor(edge: number, metrics: Metrics, grace: number) {
    this.#edge = edge;
    this.#grace = grace;
    this.#metrics = metrics;
  }

  get size(): number {
    return this.#sessions.size + this.#strays.size;
  }

  /** Sockets that were closed and have not gone for a while, and what they hold, with about 20 KB for each. */
  stuck(): { sockets: number; bytes: number } {
    const latest = performance.now() - this.#grace;
    let [sockets, sum] = [0, 0];
    for (const [{ lingers, held }, since] of this.#closing) {
      if (since > latest) break;
      if (lingers) continue;
      sockets++;
      sum += held + SOCKET;
    }
    return { sockets, bytes: sum };
  }

  /** A new public id: edge, time and chance, ascending. */
  newId(): string {
    this.#latest = Math.max(this.#latest + 1, Date.now());
    const chance = crypto.getRandomValues(new Uint32Array(1))[0]!.toString(36).padStart(7, "0");
    return `${this.#edge.toString(36)}-${this.#latest.toString(36)}${chance}`;
  }

  add(session: Session): void {
    this.#sessions.set(session.id, session);
    this.#countDoor(session, 1);
    this.#metrics.count("gong_sessions_opened_total", { door: session.door.name });
  }

  /** One that has come from another edge, and was counted there. */
  receive(session: Session): void {
    this.#strays.set(session.id, session);
    this.#countDoor(session, 1);
  }

  /** The session has this id from now on. */
  rename(session: Session, id: string): void {
    if (!this.#remove(session)) return;
    session.rename(id);
    this.#strays.set(id, session);
  }

  get(id: string): Session | undefined {
    return this.#sessions.get(id) ?? this.#strays.get(id);
  }

  *all(): Generator<Session> {
    yield* this.#sessions.values();
    yield* this.#strays.values();
  }

  /** Up to `limit` sessions whose ids come after `after`, in their order. */
  page(limit: number, after?: string): SessionInfo[] {
    const isNext = (id: string) => after === undefined || compareIds(id, after) > 0;
    const ids = [...this.#strays.keys()].filter(isNext);
    let count = 0;
    for (const id of this.#sessions.keys()) {
      if (count >= limit) break;
      if (isNext(id) && ids.push(id)) count++;
    }
    return ids.sort(compareIds).slice(0, limit).map((id) => this.get(id)!.info(this.#edge));
  }

  /** It is no session any more; its socket may be there until it is {@linkcode gone}. */
  leave(session: Session, reason: CloseReason): void {
    if (!this.#remove(session)) return;
    this.#countDoor(session, -1);
    this.#metrics.count("gong_sessions_closed_total", { reason });
    this.#closing.set(session, performance.now());
  }

  /** It goes on with another edge, and is not counted anew there. */
  give(session: Session): void {
    if (!this.#remove(session)) return;
    this.#countDoor(session, -1);
    this.#metrics.count("gong_sessions_moved_total", {});
    this.gone(session);
  }

  /** Its socket was told to close: it should go from now on. */
  closing(leaving: Leaving): void {
    this.#closing.delete(leaving);
    this.#closing.set(leaving, performance.now());
  }

  gone(leaving: Leaving): void {
    this.#closing.delete(leaving);
    if (this.size + this.#closing.size === 0) { for (const resolve of this.#waiting.splice(0)) resolve(); }
  }

  /** Resolves when no socket is left, or the seconds are over. */
  async empty(seconds: number): Promise<void> {
    if (this.size + this.#closing.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    const timer = setTimeout(resolve, seconds * 1000);
    await promise;
    clearTimeout(timer);
  }

  /** Closes the sessions with the most pending until those take about `bytes` of memory. */
  shed(bytes: number): void {
    const heaviest = [...this.all()]
      .map((session) => ({ session, weight: session.weigh() }))
      .filter(({ weight }) => weight > 0)
      .sort((a, b) => b.weight - a.weight);
    let left = bytes;
    for (const { session, weight } of heaviest) {
      if (left <= 0) return;
      left -= weight;
      session.abandon("overloaded", "The server is short of memory.");
    }
  }

  /** Brings the gauges up to date. */
  measure(): void {
    let pending = 0;
    for (const session of this.all()) pending += session.pending;
    for (const [door, count] of this.#byDoor) this.#metrics.gauge("gong_sessions", { door }, count);
    this.#metrics.gauge("gong_outbox_bytes", {}, pending);
    const { sockets, bytes } = this.stuck();
    this.#metrics.gauge("gong_stuck_sockets", {}, sockets);
    this.#metrics.gauge("gong_stuck_bytes", {}, bytes);
  }

  /** Returns whether it was there. */
  #remove({ id }: Session): boolean {
    return this.#sessions.delete(id) || this.#strays.delete(id);
  }

  #countDoor(session: Session, by: number): void {
    const { name } = session.door;
    this.#byDoor.set(name, (this.#byDoor.get(name) ?? 0) + by);
  }
}
