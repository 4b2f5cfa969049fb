/**
 * Everybody who is connected, over all edges: counted in and out, whose it is, and what is heard.
 *
 * @module
 */
import { edgeOf, type HubMethods, nodeOf } from "../methods.ts";
import type { Change } from "../cluster/changes.ts";
import type { Admitted, Place } from "./admitted.ts";
import { describe, Elsewhere } from "./elsewhere.ts";
import { Farewells, type FarewellsOptions } from "./farewells.ts";
import { Guard, type GuardOptions } from "./guard.ts";
import { Joins, type JoinsOptions } from "./joins.ts";
import { placesOf, Presence } from "./presence.ts";
import { Users } from "./users.ts";

/** What a {@linkcode Roster} is made of. */
export interface RosterOptions
  extends GuardOptions, Pick<JoinsOptions, "nameOf" | "publish" | "bytes" | "period">, Pick<FarewellsOptions, "timer"> {
  /** Told what other nodes have to know. */
  readonly onChange?: (change: Change) => void;
}

/** What an edge says of one session. */
type Told<M extends keyof HubMethods> = Parameters<HubMethods[M]>[0];

/** All sessions of a server; and of others those that somebody asks for. */
export class Roster {
  readonly guard: Guard;
  readonly users = new Users();
  readonly presence: Presence;
  readonly elsewhere: Elsewhere;
  readonly #joins: Joins;
  readonly #farewells: Farewells;
  readonly #onChange: (change: Change) => void;

  constructor(options: RosterOptions) {
    this.#onChange = options.onChange ?? (() => {});
    this.guard = new Guard(options);
    const { now } = options;
    this.presence = new Presence({
      onChange: (place) => this.#joins.changed(place),
      ...(now === undefined ? {} : { now }),
    });
    this.elsewhere = new Elsewhere(this.users, this.presence, (channel) => options.nameOf(channel) !== undefined);
    const page: JoinsOptions["page"] = (channel, page) => this.presence.page(channel, page);
    const onSaid = ({ session, channel }: Place) => this.#onChange(["said", session, channel]);
    this.#joins = new Joins({ ...options, page, onSaid });
    this.#farewells = new Farewells({ ...options, page });
  }

  /** @throws {GongError} as {@linkcode Guard.admit} */
  admit(edge: number, { id, address, user, info }: Omit<Told<"admit">, "after">): void {
    const session = this.guard.admit(edge, id, address);
    if (user !== undefined) this.#identify(session, user, info);
  }

  /** Of a session that is not counted in, as everything else here, it is ignored. */
  identify(edge: number, { id, user, info }: Told<"identify">): void {
    const session = this.guard.get(edge, id);
    if (!session) return;
    this.#identify(session, user, info);
    this.presence.identified(session);
  }

  /** The session has another id from now on. Not of one that is present somewhere. */
  rename(edge: number, session: Admitted, id: string): void {
    const before = session.id;
    const wasKnown = isKnown(session);
    this.guard.rename(edge, session, id);
    if (nodeOf(edgeOf(id)) === nodeOf(edge)) delete session.isAway;
    else session.isAway = true;
    if (wasKnown) this.#onChange(["gone", before]);
    for (const change of describe(session)) this.#onChange(change);
  }

  /** The session is on another edge from now on; false when it is not counted. */
  move(from: number, to: number, id: string): boolean {
    const session = this.guard.move(from, to, id);
    // Whoever is being told all there is may be past the one edge, and not have come to it on the other.
    if (session) { for (const change of describe(session)) this.#onChange(change); }
    return session !== undefined;
  }

  present(edge: number, { session: id, channel, isThere }: Told<"present">): void {
    const session = this.guard.get(edge, id);
    if (!session) return;
    if (!isThere) {
      if (this.presence.leave(session, channel)) this.#onChange(["leave", id, channel]);
      return;
    }
    const place = this.presence.join(session, channel);
    if (place) this.#onChange(["join", id, channel, place.present!.since, place.at]);
  }

  /** Returns whether it was counted. */
  release(edge: number, id: string): boolean {
    const session = this.guard.release(edge, id);
    if (!session) return false;
    this.#remove(session);
    return true;
  }

  /** The edge is gone with all its sessions; returns the ids of these. */
  releaseEdge(edge: number): readonly string[] {
    const sessions = this.guard.releaseEdge(edge);
    for (const session of sessions) this.#remove(session);
    return sessions.map(({ id }) => id);
  }

  /** All that other nodes have to know. */
  *all(): Generator<Change> {
    for (const session of this.guard.sessions()) yield* describe(session);
  }

  /** Another node is gone with all its sessions: nobody there tells that they have left. */
  releaseNode(node: number): void {
    const { run, left } = this.elsewhere.forget(node);
    this.#farewells.say(node, run, left);
  }

  /** The node is there, perhaps again. */
  joined(node: number): void {
    this.#farewells.returned(node);
  }

  /** Other nodes have told that all sessions of this one have left. */
  returned(): void {
    for (const session of this.guard.sessions()) {
      for (const place of placesOf(session)) this.#joins.untold(place);
    }
  }

  /** Tells of what has changed until now: those who hear it are on other nodes. */
  flush(): Promise<void> {
    return this.#joins.flush();
  }

  close(): void {
    this.#joins.close();
    this.#farewells.close();
  }

  #identify(session: Admitted, user: string, info: string | undefined): void {
    this.users.identify(session, user, info);
    this.#onChange(["user", session.id, user, info ?? null]);
  }

  #remove(session: Admitted): void {
    const wasKnown = isKnown(session);
    this.presence.remove(session);
    this.users.remove(session);
    if (wasKnown) this.#onChange(["gone", session.id]);
  }
}

/** Whether other nodes have been told of it. */
function isKnown({ user, place, isAway }: Admitted): boolean {
  return user !== undefined || place !== undefined || isAway === true;
}
