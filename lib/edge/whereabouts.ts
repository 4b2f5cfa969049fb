/**
 * Whose the sessions of Engine.IO are, and the ways to them: their ids say which edge has made them, under a seal.
 *
 * @module
 */
import type { Whereabouts } from "../engineio/engine.ts";
import type { EndedSession, EngineAnswer, EngineOrder, MovedSession } from "../engineio/orders.ts";
import type { Link } from "../link.ts";
import { type HubMethods, nodeOf } from "../methods.ts";
import type { Expected } from "./expected.ts";
import { SealedIds } from "./sealed_ids.ts";

/** What {@linkcode EdgeWhereabouts} are made of. */
export interface WhereaboutsOptions {
  /** Number of the edge. */
  readonly number: number;
  /** Shared by all edges of all nodes, and by those after a restart. */
  readonly seal: Uint8Array;
  readonly link: Pick<Link<HubMethods>, "request" | "notify">;
  readonly expected: Expected;
}

/** The whereabouts, as one edge sees them. */
export class EdgeWhereabouts implements Whereabouts {
  readonly #options: WhereaboutsOptions;
  readonly #sids: SealedIds;

  constructor(options: WhereaboutsOptions) {
    this.#options = options;
    this.#sids = new SealedIds({ ...options, kind: "engine.io sid" });
  }

  newSid(): string {
    return this.#sids.newId();
  }

  ownerOf(sid: string): number | "here" | undefined {
    const owner = this.#sids.edgeOf(sid);
    return owner === this.#options.number ? "here" : owner;
  }

  isFar(edge: number): boolean {
    return nodeOf(edge) !== nodeOf(this.#options.number);
  }

  ask(edge: number, order: EngineOrder): Promise<EngineAnswer> {
    return this.#options.link.request("engine", { edge, order });
  }

  abandon(edge: number, sid: string): void {
    this.#options.link.notify("abandonPoll", { edge, sid });
  }

  take(edge: number, sid: string): Promise<MovedSession | EndedSession> {
    const { link, expected } = this.#options;
    return expected.during(() => link.request("take", { edge, sid }));
  }
}
