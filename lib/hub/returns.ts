/**
 * Clients that come back on another connection, of whichever node: what they go on with, and whose place they take.
 *
 * @module
 */
import type { NodeMethods } from "../cluster/peers.ts";
import { GongError } from "../errors.ts";
import type { HubMethods } from "../methods.ts";
import type { Admitted } from "./admitted.ts";
import type { Guard } from "./guard.ts";
import type { Places } from "./places.ts";
import type { Recovery } from "../types.ts";
import type { Recoveries } from "./recoveries.ts";
import type { Seeking } from "./seeking.ts";

type Order<M extends keyof HubMethods> = Parameters<HubMethods[M]>[0];
type Surrender = Parameters<NodeMethods["surrender"]>[0];

/** What {@linkcode Returns} are made of. */
export interface ReturnsOptions {
  readonly recoveries: Pick<Recoveries, "remember" | "find" | "returned" | "take">;
  readonly guard: Pick<Guard, "get">;
  /** The session has another id from now on. */
  readonly rename: (edge: number, session: Admitted, id: string) => void;
  readonly places: Places;
  /** Whether the session is on another node, though that has not made its id. */
  readonly isElsewhere: (session: string) => boolean;
  /** Ends the session, wherever it is. @throws {GongError} `overloaded` when its edge or node does not answer */
  readonly supersede: (session: string) => Promise<boolean>;
  readonly seeking: Seeking;
}

/** How many are ended who have come back meanwhile too. */
const MOST_RIVALS = 8;

/** Who is ended so that somebody can come back. */
class Ended {
  readonly #sessions = new Set<string>();
  #count = 0;

  has(session: string): boolean {
    return this.#sessions.has(session);
  }

  /** Who ends somebody has to take the place, unless that is taken again. @throws {GongError} `overloaded` when it is always */
  add(session: string): void {
    if (this.#count++ === MOST_RIVALS) throw new GongError("overloaded", "Another connection goes on with this one.");
    this.#sessions.add(session);
  }
}

/** Who comes back. */
export class Returns {
  readonly #options: ReturnsOptions;

  constructor(options: ReturnsOptions) {
    this.#options = options;
  }

  /** As {@linkcode HubMethods.remember}. @throws {GongError} `not_found` for a session that is not counted, or no more has it */
  async remember(edge: number, { pid, session, state }: Order<"remember">): Promise<void> {
    const { recoveries, guard, seeking } = this.#options;
    const known = guard.get(edge, session);
    // What another node has taken since it was recalled is not to be in two places.
    if (!known || seeking.heirOf(pid)) throw new GongError("not_found");
    // Its own id, not the text that came with the order, which would stay.
    const { id, user, address } = known;
    await recoveries.remember(pid, { session: id, ...(user === undefined ? {} : { user }), state }, address);
  }

  /** As {@linkcode HubMethods.recall}. @throws {GongError} `overloaded` when the session that has it cannot be ended */
  async recall(edge: number, order: Order<"recall">): Promise<{ state: string; session: string } | undefined> {
    const { recoveries, guard } = this.#options;
    const { pid, session, adopt } = order;
    const homeless = await recoveries.find(pid) ? undefined : await this.#seek(edge, order);
    const ended = new Ended();
    for (;;) {
      const found = await recoveries.find(pid) ?? homeless;
      const asker = guard.get(edge, session);
      if (!found || !asker || found.user !== asker.user) return undefined;
      const { session: old, state } = found;
      if (old === session) return { state, session };
      if (!this.#isThere(old, ended)) return { state, session: adopt ? this.#adopt(edge, asker, old) : session };
      await this.#supersede(old, ended);
    }
  }

  /**
   * As {@linkcode NodeMethods.surrender}.
   *
   * @throws {GongError} `overloaded` when the session that has it cannot be ended, or it is still on its way here
   */
  async surrender(order: Surrender): ReturnType<NodeMethods["surrender"]> {
    const { recoveries, seeking } = this.#options;
    const { pid, session, user, node, wasGiven } = order;
    if (wasGiven) await seeking.settled(pid);
    const ended = new Ended();
    for (;;) {
      const found = await recoveries.find(pid);
      const isWanted = found !== undefined && found.user === user && found.session !== session;
      if (!isWanted || !this.#isThere(found.session, ended)) break;
      await this.#supersede(found.session, ended);
    }
    const recovery = await recoveries.take(pid, user) ?? seeking.unreceived(order);
    const heir = seeking.heirOf(pid);
    if (!recovery && !heir && wasGiven && seeking.isUnderway(pid)) throw new GongError("overloaded");
    if (!recovery) return heir;
    seeking.gave(pid, node, recovery);
    return { recovery };
  }

  async #seek(edge: number, { pid, session, maker }: Order<"recall">): Promise<Recovery | undefined> {
    const { guard, seeking } = this.#options;
    const asker = guard.get(edge, session);
    if (!asker || maker === undefined) return undefined;
    const { user, address } = asker;
    return await seeking.seek({ pid, session, address, maker, ...user === undefined ? {} : { user } });
  }

  #isThere(session: string, ended: Ended): boolean {
    const { guard, places, isElsewhere } = this.#options;
    if (guard.get(places.edgeOf(session), session)) return true;
    // That one of another node is no more is told some time later.
    return !ended.has(session) && isElsewhere(session);
  }

  /** One whose edge ends has ended too. */
  async #supersede(session: string, ended: Ended): Promise<void> {
    ended.add(session);
    try {
      await this.#options.supersede(session);
    } catch (error) {
      if (!(error instanceof GongError) || error.code !== "restarting") throw error;
    }
  }

  /** The session has this id from now on; one that is present somewhere keeps its own. */
  #adopt(edge: number, session: Admitted, id: string): string {
    const { rename, places, recoveries } = this.#options;
    if (session.place) return session.id;
    places.forget(session.id);
    rename(edge, session, id);
    places.put(id, edge);
    recoveries.returned(id);
    return id;
  }
}
