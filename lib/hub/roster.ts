/**
 * Everybody who is connected, over all edges: counted in and out, whose it is, and what is heard.
 *
 * @module
 */
import type { HubMethods } from "../methods.ts";
import { Guard, type GuardOptions } from "./guard.ts";
import { Joins, type JoinsOptions } from "./joins.ts";
import { Presence } from "./presence.ts";
import { Users } from "./users.ts";

/** What a {@linkcode Roster} is made of. */
export interface RosterOptions extends GuardOptions, Pick<JoinsOptions, "nameOf" | "publish" | "bytes" | "period"> {}

/** What an edge says of one session. */
type Told<M extends keyof HubMethods> = Parameters<HubMethods[M]>[0];

/** All sessions of a server. */
export class Roster {
  readonly guard: Guard;
  readonly users = new Users();
  readonly presence: Presence;
  readonly #joins: Joins;

  constructor(options: RosterOptions) {
    this.guard = new Guard(options);
    const { now } = options;
    this.presence = new Presence({
      onChange: (place) => this.#joins.changed(place),
      ...(now === undefined ? {} : { now }),
    });
    this.#joins = new Joins({
      ...options,
      page: (channel, page) => this.presence.page(channel, page),
    });
  }

  /** @throws {GongError} as {@linkcode Guard.admit} */
  admit(edge: number, { id, address, user, info }: Omit<Told<"admit">, "after">): void {
    const session = this.guard.admit(edge, id, address);
    if (user !== undefined) this.users.identify(session, user, info);
  }

  /** Of a session that is not counted in, as everything else here, it is ignored. */
  identify(edge: number, { id, user, info }: Told<"identify">): void {
    const session = this.guard.get(edge, id);
    if (!session) return;
    this.users.identify(session, user, info);
    this.presence.identified(session);
  }

  present(edge: number, { session: id, channel, isThere }: Told<"present">): void {
    const session = this.guard.get(edge, id);
    if (!session) return;
    if (isThere) this.presence.join(session, channel);
    else this.presence.leave(session, channel);
  }

  /** Returns whether it was counted. */
  release(edge: number, id: string): boolean {
    const session = this.guard.release(edge, id);
    if (!session) return false;
    this.presence.remove(session);
    this.users.remove(session);
    return true;
  }

  /** The edge is gone with all its sessions; returns the ids of these. */
  releaseEdge(edge: number): readonly string[] {
    const sessions = this.guard.releaseEdge(edge);
    for (const session of sessions) {
      this.presence.remove(session);
      this.users.remove(session);
    }
    return sessions.map(({ id }) => id);
  }

  close(): void {
    this.#joins.close();
  }
}
