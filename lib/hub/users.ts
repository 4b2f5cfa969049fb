/**
 * The users who are connected, over all edges: whose session is whose.
 *
 * @module
 */
import { Multimap } from "../multimap.ts";
import type { PageRequest, UserInfo, UserPage } from "../types.ts";
import type { Admitted } from "./admitted.ts";

/** Ids of sessions that are told of one user. */
const MOST_SESSIONS = 100;

/** Sessions by user. */
export class Users {
  readonly #sessions = new Multimap<string, Admitted>();
  /** Ids in their order; also of some who are gone, and not of the {@linkcode Users.#fresh}. Until somebody asks, none. */
  #order: string[] | undefined;
  /** Ids of those who have come since the order was looked at. */
  readonly #fresh = new Set<string>();

  /** Users there are. */
  get size(): number {
    return this.#sessions.size;
  }

  /** The session is this user's from now on, or the user's info has changed. */
  identify(session: Admitted, id: string, info: string | undefined): void {
    if (session.user !== id) this.remove(session);
    if (this.#order && !this.#sessions.has(id)) this.#fresh.add(id);
    this.#sessions.add(id, session);
    session.user = id;
    session.info = info;
  }

  /** The session is no user's any more. */
  remove(session: Admitted): void {
    const { user } = session;
    if (user === undefined || !this.#sessions.delete(user, session)) return;
    if (!this.#sessions.has(user)) this.#fresh.delete(user);
  }

  /** Ids of the user's sessions, in the order in which they became the user's. */
  sessionsOf(user: string): readonly string[] {
    return Array.from(this.#sessions.get(user), ({ id }) => id);
  }

  /** How many sessions there are of these users. */
  reach(users: readonly string[]): number {
    let reached = 0;
    for (const user of new Set(users)) reached += this.#sessions.count(user);
    return reached;
  }

  get(id: string): UserInfo | undefined {
    return this.#sessions.has(id) ? this.#show(id) : undefined;
  }

  /** One page of those whose ids begin with the prefix, in the order of their ids. */
  page({ limit, after, prefix = "" }: PageRequest & { readonly prefix?: string }): UserPage {
    const ids = this.#ids();
    const first = lowest(ids, (id) => id >= prefix);
    const end = lowest(ids, (id) => id > prefix && !id.startsWith(prefix));
    const start = after === undefined ? first : Math.max(first, lowest(ids, (id) => id > after));
    const stop = Math.min(end, start + limit);
    const users = ids.slice(start, stop).map((id) => this.#show(id));
    const total = end - first;
    const last = users.at(-1);
    return stop < end && last ? { users, total, next: last.user } : { users, total };
  }

  /** All ids in their order. What came since it was last asked is sorted in: a run beside another, which is fast. */
  #ids(): readonly string[] {
    if (!this.#order) return this.#order = [...this.#sessions.keys()].sort();
    if (this.#fresh.size > 0 || this.#order.length !== this.#sessions.size) {
      const known = this.#order.filter((id) => this.#sessions.has(id) && !this.#fresh.has(id));
      this.#order = [...known, ...this.#fresh].sort();
      this.#fresh.clear();
    }
    return this.#order;
  }

  /** Its info is what the newest of its sessions has brought. */
  #show(user: string): UserInfo {
    const sessions: string[] = [];
    let info: string | undefined;
    for (const session of this.#sessions.get(user)) {
      if (sessions.length < MOST_SESSIONS) sessions.push(session.id);
      info = session.info ?? info;
    }
    return { user, ...(info === undefined ? {} : { info }), sessions, count: this.#sessions.count(user) };
  }
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
