/**
 * Clients that come back on another connection: what they go on with, and whose place they take.
 *
 * @module
 */
import { GongError } from "../errors.ts";
import type { HubMethods } from "../methods.ts";
import type { Admitted } from "./admitted.ts";
import type { Guard } from "./guard.ts";
import type { Places } from "./places.ts";
import type { Recoveries } from "./recoveries.ts";

type Order<M extends keyof HubMethods> = Parameters<HubMethods[M]>[0];

/** What {@linkcode Returns} are made of. */
export interface ReturnsOptions {
  readonly recoveries: Pick<Recoveries, "remember" | "find" | "returned">;
  readonly guard: Pick<Guard, "get">;
  /** The session has another id from now on. */
  readonly rename: (edge: number, session: Admitted, id: string) => void;
  readonly places: Places;
  /** Ends the session. @throws {GongError} `overloaded` when its edge does not answer */
  readonly supersede: (session: string) => Promise<boolean>;
}

/** How many are ended who have come back meanwhile too. */
const MOST_RIVALS = 8;

/** Who comes back. */
export class Returns {
  readonly #options: ReturnsOptions;

  constructor(options: ReturnsOptions) {
    this.#options = options;
  }

  /** As {@linkcode HubMethods.remember}. @throws {GongError} `not_found` for a session that is not counted */
  async remember(edge: number, { pid, session, state }: Order<"remember">): Promise<void> {
    const { recoveries, guard } = this.#options;
    const known = guard.get(edge, session);
    if (!known) throw new GongError("not_found");
    // Its own id, not the text that came with the order, which would stay.
    const { id, user, address } = known;
    await recoveries.remember(pid, { session: id, ...(user === undefined ? {} : { user }), state }, address);
  }

  /** As {@linkcode HubMethods.recall}. @throws {GongError} `overloaded` when the session that has it cannot be ended */
  async recall(
    edge: number,
    { pid, session, adopt }: Order<"recall">,
  ): Promise<{ state: string; session: string } | undefined> {
    const { recoveries, guard, places } = this.#options;
    for (let ended = 0;; ended++) {
      const found = await recoveries.find(pid);
      const asker = guard.get(edge, session);
      if (!found || !asker || found.user !== asker.user) return undefined;
      const { session: old, state } = found;
      if (old === session) return { state, session };
      if (!guard.get(places.edgeOf(old), old)) {
        return { state, session: adopt ? this.#adopt(edge, asker, old) : session };
      }
      // Who ends somebody has to take the place, unless that is taken again.
      if (ended === MOST_RIVALS) throw new GongError("overloaded", "Another connection goes on with this one.");
      await this.#supersede(old);
    }
  }

  /** One whose edge ends has ended too. */
  async #supersede(session: string): Promise<void> {
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
