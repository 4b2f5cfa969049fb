/**
 * What the hub has done with sessions of an edge, mostly for the operator, and whatever their rights.
 *
 * @module
 */
import type { SubscribeAnswer } from "../door.ts";
import { GongError } from "../errors.ts";
import type { Chosen, EdgeMethods } from "../methods.ts";
import type { Session } from "../session.ts";
import type { Registry } from "./registry.ts";
import type { Subscriptions } from "./subscriptions.ts";

type Order<M extends keyof EdgeMethods> = Parameters<EdgeMethods[M]>[0];

/** Nobody has asked: who has no room for the channel goes on without it. */
const NOBODY_ASKED: SubscribeAnswer = { subscribed() {}, refused() {} };

/** Orders on one edge. */
export class Orders {
  readonly #registry: Registry;
  readonly #subscriptions: Subscriptions;

  constructor(registry: Registry, subscriptions: Subscriptions) {
    this.#registry = registry;
    this.#subscriptions = subscriptions;
  }

  /** Returns how many were sent it. */
  signal({ sessions: ids, signal }: Order<"signal">): number {
    const chosen = ids === "all" ? [...this.#registry.all()] : this.#find(ids);
    for (const session of chosen) session.door.signal(session, signal);
    return chosen.length;
  }

  /** Ends one without a word. Returns whether it was there. */
  supersede(id: Order<"supersede">): boolean {
    const session = this.#registry.get(id);
    session?.supersede();
    return session !== undefined;
  }

  /** Ends one. Returns whether it was there. */
  close({ id, code, reason }: Order<"closeSession">): boolean {
    const session = this.#registry.get(id);
    session?.closeWith(code, reason, "forbidden");
    return session !== undefined;
  }

  /** What it had posted was not taken. */
  refused({ session: id, refusal }: Order<"refused">): void {
    const session = this.#registry.get(id);
    session?.door.refused(session, GongError.fromRefusal(refusal));
  }

  disconnect({ sessions, reason }: Order<"disconnect">): number {
    const chosen = this.#find(sessions);
    for (const session of chosen) session.close("forbidden", reason);
    return chosen.length;
  }

  /**
   * Returns how many did not hear it. Left as they are those with as many channels as they may have, and brief ones, whose
   * client comes back with a cursor, and would be refused for the channel's sake.
   */
  subscribe({ sessions, channel }: Order<"subscribeSessions">): number {
    return this.#find(sessions).filter((session) => {
      if (session.door.isBrief) return false;
      const isHeard = this.#hears(session, channel);
      if (!isHeard && !this.#begin(session, channel)) return false;
      (session.imposed ??= new Set()).add(channel);
      return !isHeard;
    }).length;
  }

  /** Returns how many heard it. */
  unsubscribe({ sessions, channel }: Order<"unsubscribeSessions">): number {
    const chosen = this.#find(sessions).filter((session) => this.#hears(session, channel));
    for (const session of chosen) {
      this.#subscriptions.end(session, channel);
      session.door.unsubscribed(session, channel);
    }
    return chosen.length;
  }

  /** As of now: what is done with them changes who hears what. */
  #find(sessions: Chosen): Session[] {
    if ("channel" in sessions) return [...new Set(this.#subscriptions.of(sessions.channel))];
    return [...new Set(sessions)].flatMap((id) => this.#registry.get(id) ?? []);
  }

  #hears(session: Session, channel: string): boolean {
    return this.#subscriptions.channels(session).includes(channel);
  }

  #begin(session: Session, channel: string): boolean {
    try {
      this.#subscriptions.begin(session, channel, { answer: NOBODY_ASKED });
      return true;
    } catch (error) {
      if (error instanceof GongError && error.code === "too_many") return false;
      throw error;
    }
  }
}
