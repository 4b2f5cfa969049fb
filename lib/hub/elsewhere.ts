/**
 * The sessions of other nodes, as far as anybody asks for them: those of users, those that are present somewhere, and those
 * that are not on the node that has made their ids. They stand beside the own ones, so that what is asked of all is answered
 * by one node and also while the broker is away.
 *
 * @module
 */
import type { Present } from "../types.ts";
import type { Admitted } from "./admitted.ts";
import type { Batch, Change, Taken } from "../cluster/changes.ts";
import { placesOf, type Presence } from "./presence.ts";
import type { Users } from "./users.ts";

interface Known {
  readonly run: string;
  /** Nothing was known before this run. */
  readonly isAnew: boolean;
  sequence: number;
  readonly sessions: Map<string, Admitted>;
  /** Ids that another node has made. */
  readonly away: Set<string>;
  /** Those that have not been told of again since all there is began. */
  stale: Set<string>;
  /** Who has left a channel where that is published, and was not yet. */
  readonly unsaid: Map<string, { readonly channel: string; readonly present: Present }>;
}

/** Those that are {@linkcode Known.unsaid} of one node, at most: past it the oldest is forgotten. */
const MOST_UNSAID = 100_000;

/** What is known of other nodes. */
export class Elsewhere {
  readonly #users: Users;
  readonly #presence: Presence;
  readonly #isPublished: (channel: string) => boolean;
  readonly #nodes = new Map<number, Known>();
  /** Where those are that are {@linkcode Known.away}. */
  readonly #away = new Map<string, number>();

  /** @param isPublished whether leaving the channel is */
  constructor(users: Users, presence: Presence, isPublished: (channel: string) => boolean) {
    this.#users = users;
    this.#presence = presence;
    this.#isPublished = isPublished;
  }

  /** The node that the session is on, if that is not the one that has made its id, nor this one. */
  nodeOf(id: string): number | undefined {
    return this.#away.get(id);
  }

  /** Takes a batch; false when something before it is missing, so that all has to be told again. */
  take({ node, run, sequence, changes, begins, ends }: Batch): Taken {
    let known = this.#nodes.get(node);
    // One that was given up as unanswered may come late, and be repeated by then: what is there is newer.
    if (known && sequence <= known.sequence) return known.run === run && howTaken(known);
    if (begins) {
      const isAnew = !known || known.isAnew && known.run === run;
      const sessions = known?.sessions ?? new Map<string, Admitted>();
      const away = known?.away ?? new Set<string>();
      const stale = new Set([...sessions.keys(), ...away]);
      this.#nodes.set(node, known = { run, isAnew, sequence, sessions, away, stale, unsaid: new Map() });
    } else if (!known || known.run !== run || sequence > known.sequence + 1) return false;
    known.sequence = sequence;
    for (const change of changes) if (isChange(change)) this.#apply(node, known, change);
    if (ends) {
      for (const id of known.stale) this.#remove(node, known, id);
      known.stale = new Set();
    }
    return howTaken(known);
  }

  /** The node is gone, and its sessions with it; returns who has left where that is published and was not, by channel. */
  forget(node: number): { readonly run: string; readonly left: ReadonlyMap<string, readonly Present[]> } {
    const known = this.#nodes.get(node);
    if (!known) return { run: "", left: new Map() };
    this.#nodes.delete(node);
    for (const id of known.away) this.#forgetAway(node, id);
    const left = new Map<string, Present[]>();
    const leaves = (channel: string, present: Present) => {
      const others = left.get(channel);
      if (others) others.push(present);
      else left.set(channel, [present]);
    };
    for (const session of known.sessions.values()) {
      for (const { channel, present } of placesOf(session)) {
        if (!present || !this.#isPublished(channel)) continue;
        // It has come back since.
        known.unsaid.delete(keyOf(session.id, channel));
        leaves(channel, present);
      }
      this.#drop(session);
    }
    for (const { channel, present } of known.unsaid.values()) leaves(channel, present);
    return { run: known.run, left };
  }

  #apply(node: number, known: Known, change: Change): void {
    const [kind, id] = change;
    if (kind === "said") return void known.unsaid.delete(keyOf(id, change[2]));
    // What it was before counts no more.
    if (known.stale.delete(id)) this.#remove(node, known, id);
    if (kind === "gone") {
      this.#note(known, id);
      return this.#remove(node, known, id);
    }
    if (kind === "here") {
      known.away.add(id);
      return void this.#away.set(id, node);
    }
    const session = this.#open(known, id);
    if (kind === "join") this.#presence.join(session, change[2], { since: change[3], at: change[4] });
    else if (kind === "leave") {
      this.#note(known, id, change[2]);
      this.#presence.leave(session, change[2]);
    } else {
      this.#users.identify(session, change[2], change[3] ?? undefined);
      this.#presence.identified(session);
    }
    if (session.user === undefined && !session.place) known.sessions.delete(id);
  }

  #open({ sessions }: Known, id: string): Admitted {
    let session = sessions.get(id);
    if (!session) {
      session = { id, address: "", isElsewhere: true, user: undefined, info: undefined, place: undefined };
      sessions.set(id, session);
    }
    return session;
  }

  #remove(node: number, { sessions, away }: Known, id: string): void {
    if (away.delete(id)) this.#forgetAway(node, id);
    const session = sessions.get(id);
    if (!session) return;
    sessions.delete(id);
    this.#drop(session);
  }

  /** It may be on another one by now, and that may have been told before what this one has told late. */
  #forgetAway(node: number, id: string): void {
    if (this.#away.get(id) !== node) return;
    this.#away.delete(id);
    for (const [other, { away }] of this.#nodes) if (away.has(id)) this.#away.set(id, other);
  }

  /** Takes a session out of everything. */
  #drop(session: Admitted): void {
    this.#presence.remove(session);
    this.#users.remove(session);
  }

  /** The session is about to leave the channel, or every one. */
  #note({ sessions, unsaid }: Known, id: string, left?: string): void {
    const session = sessions.get(id);
    if (!session) return;
    for (const { channel, present } of placesOf(session)) {
      if (!present || left !== undefined && left !== channel || !this.#isPublished(channel)) continue;
      unsaid.set(keyOf(id, channel), { channel, present });
      const [oldest] = unsaid.keys();
      if (unsaid.size > MOST_UNSAID) unsaid.delete(oldest!);
    }
  }
}

function howTaken({ isAnew }: Known): Taken {
  return isAnew ? "anew" : true;
}

/** All that there is to tell of a session. */
export function* describe(session: Admitted): Generator<Change> {
  const { id, user, info, isAway } = session;
  if (isAway) yield ["here", id];
  if (user !== undefined) yield ["user", id, user, info ?? null];
  for (const { channel, at, present } of placesOf(session)) if (present) yield ["join", id, channel, present.since, at];
}

function isChange(change: unknown): change is Change {
  if (!Array.isArray(change)) return false;
  const [kind, session, text, last, at] = change;
  if (typeof session !== "string") return false;
  if (kind === "gone" || kind === "here") return true;
  if (typeof text !== "string") return false;
  if (kind === "user") return last === null || typeof last === "string";
  return kind === "leave" || kind === "said" || kind === "join" && Number.isFinite(last) && Number.isFinite(at);
}

/** Neither has a space in it. */
function keyOf(session: string, channel: string): string {
  return `${session} ${channel}`;
}
