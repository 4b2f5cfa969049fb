/**
 * The users who are connected, over all edges: whose session is whose.
 *
 * @module
 */
import type { PageRequest, UserInfo, UserPage } from "../types.ts";
import type { Admitted } from "./guard.ts";

/** Ids of sessions that are told of one user. */
const MOST_SESSIONS = 100;

interface User {
  readonly id: string;
  /** What its newest token brought. */
  info: string | undefined;
  readonly sessions: Set<Admitted>;
}

/** Sessions by user. */
export class Users {
  readonly #byId = new Map<string, User>();
  /** Ids in their order; also of some who are gone, and not of the {@linkcode Users.#fresh}. */
  #order: string[] = [];
  /** Ids of those who have come since the order was looked at. */
  readonly #fresh = new Set<string>();

  /** Users there are. */
  get size(): number {
    return this.#byId.size;
  }

  /** The session is this user's from now on, or the user's info has changed. */
  identify(session: Admitted, id: string, info: string | undefined): void {
    if (session.user !== id) this.remove(session);
    let user = this.#byId.get(id);
    if (!user) {
      this.#byId.set(id, user = { id, info, sessions: new Set() });
      this.#fresh.add(id);
    }
    user.sessions.add(session);
    // Sessions of one user share its texts.
    if (user.info !== info) user.info = info;
    session.user = user.id;
    session.info = user.info;
  }

  /** The session is no user's any more. */
  remove(session: Admitted): void {
    const user = session.user === undefined ? undefined : this.#byId.get(session.user);
    if (!user?.sessions.delete(session) || user.sessions.size > 0) return;
    this.#byId.delete(user.id);
    this.#fresh.delete(user.id);
  }

  /** Ids of the user's sessions, in the order in which they became the user's. */
  sessionsOf(user: string): readonly string[] {
    return Array.from(this.#byId.get(user)?.sessions ?? [], ({ id }) => id);
  }

  /** How many sessions there are of these users. */
  reach(users: readonly string[]): number {
    let reached = 0;
    for (const user of new Set(users)) reached += this.#byId.get(user)?.sessions.size ?? 0;
    return reached;
  }

  get(id: string): UserInfo | undefined {
    const user = this.#byId.get(id);
    return user && infoOf(user);
  }

  /** One page of those whose ids begin with the prefix, in the order of their ids. */
  page({ limit, after, prefix = "" }: PageRequest & { readonly prefix?: string }): UserPage {
    const ids = this.#ids();
    const first = lowest(ids, (id) => id >= prefix);
    const end = lowest(ids, (id) => id > prefix && !id.startsWith(prefix));
    const start = after === undefined ? first : Math.max(first, lowest(ids, (id) => id > after));
    const stop = Math.min(end, start + limit);
    const users = ids.slice(start, stop).map((id) => infoOf(this.#byId.get(id)!));
    const total = end - first;
    const last = users.at(-1);
    return stop < end && last ? { users, total, next: last.user } : { users, total };
  }

  /** All ids in their order. What came since it was last asked is sorted in: a run beside another, which is fast. */
  #ids(): readonly string[] {
    if (this.#fresh.size > 0 || this.#order.length !== this.#byId.size) {
      const known = this.#order.filter((id) => this.#byId.has(id) && !this.#fresh.has(id));
      this.#order = [...known, ...this.#fresh].sort();
      this.#fresh.clear();
    }
    return this.#order;
  }
}

function infoOf({ id, info, sessions }: User): UserInfo {
  const ids: string[] = [];
  for (const session of sessions) {
    if (ids.length === MOST_SESSIONS) break;
    ids.push(session.id);
  }
  return { user: id, ...(info === undefined ? {} : { info }), sessions: ids, count: sessions.size };
}

/** The lowest index of which it is so; from there on it has to be so of all. */
function lowest(ids: readonly string[], isSo: (id: string) => boolean): number {
  let [low, high] = [0, ids.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isSo(ids[middle]!)) high = middle;
    else low = middle + 1;
  }
  return low;
}
