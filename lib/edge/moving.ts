/**
 * Sessions that go from one edge to another, as their clients go on with connections that another edge has accepted.
 *
 * @module
 */
import type { Auth } from "../auth.ts";
import { packGrant } from "../auth/grant.ts";
import type { Carrier } from "../carrier.ts";
import type { Door } from "../door.ts";
import type { MovedSession, PackedSession } from "../engineio/orders.ts";
import { GongError } from "../errors.ts";
import { type Link, within } from "../link.ts";
import type { Logger } from "../log.ts";
import type { HubMethods } from "../methods.ts";
import { Session } from "../session.ts";
import type { SessionHost } from "../session/host.ts";
import type { Start } from "../types.ts";
import type { Delivery } from "./delivery.ts";
import type { Registry } from "./registry.ts";

/** How long what is under way in a session may take to come to its end, in seconds. */
const PATIENCE = 3;

/** What {@linkcode Moving} is made of. */
export interface MovingOptions {
  readonly link: Link<HubMethods>;
  readonly auth: Pick<Auth, "unpack">;
  readonly log: Pick<Logger, "debug">;
  readonly registry: Registry;
  readonly delivery: Delivery;
  /** The session is watched by what watches sessions of this edge, or no more. */
  readonly began: (session: Session) => void;
  readonly left: (session: Session) => void;
  /** In seconds. Default 3. */
  readonly patience?: number;
}

/** A session on its way, without its transport. */
export type Given = Omit<MovedSession, "engine">;

/** How sessions leave an edge and come to it. */
export class Moving {
  readonly #options: MovingOptions;
  /** Sessions that were handed over, as long as anybody knows them. */
  readonly #given = new WeakSet<Session>();

  constructor(options: MovingOptions) {
    this.#options = options;
  }

  /**
   * Waits until nothing is under way that only this edge can finish; then, in one step, everything of the session is taken
   * out and it is here no more: no word to its client, none to the hub, which is told by the answer.
   *
   * @throws {GongError} `not_found`: it has ended meanwhile; `overloaded`: it cannot be now, and is here still
   */
  async give(session: Session): Promise<Given> {
    const { patience = PATIENCE, registry, delivery, left, log } = this.#options;
    await within(patience, this.#settled(session));
    if (session.hasLeft) throw new GongError("not_found");
    const { options: { id, address, userAgent, echo, formerly }, since, grant, door } = session;
    const { subscriptions, delivered } = delivery;
    const positions = [...subscriptions.positions(session)];
    const after = subscriptions.after(session, delivered);
    const imposed = [...session.imposed ?? []];
    const state = pack(session);
    const packed: PackedSession = {
      ...{ id, address, userAgent, since, echo, formerly, positions, imposed, after },
      grant: grant && packGrant(grant),
      ...session.give(),
    };
    this.#given.add(session);
    left(session);
    registry.give(session);
    log.debug("session.moved", { session: id, door: door.name, address });
    return { session: packed, door: state };
  }

  /** Goes on with a session of another edge, on a carrier that is open: it hears what it heard, from where it stood. */
  receive(host: SessionHost<Session>, packed: PackedSession, { door, carrier, arrived }: Arrival): Session {
    const { registry, delivery, began } = this.#options;
    const { grant, positions, imposed, after, frames, delivered, ...rest } = packed;
    const session = new Session(host, { ...rest, door, carrier, grant: undefined, channels: [], starts: NO_STARTS });
    registry.receive(session);
    arrived?.(session);
    session.resume({ frames, delivered });
    try {
      session.grant = grant && this.#options.auth.unpack(grant);
      began(session);
    } catch (error) {
      session.refuse(error);
    }
    // Nobody else says so. What was queued goes first.
    session.opened();
    if (imposed.length > 0) session.imposed = new Set(imposed);
    delivery.subscriptions.resume(session, positions, after);
    return session;
  }

  /** The carrier of a session is gone: of one that was handed over, only if nobody gets it, which the hub does not know. */
  gone(session: Session): void {
    if (this.#given.delete(session)) this.#options.link.notify("release", session.id);
  }

  async #settled(session: Session): Promise<void> {
    const { link, delivery: { subscriptions } } = this.#options;
    do {
      await subscriptions.allTold(session);
      // What it has posted is dealt with when what comes behind that is, and its refusals are here by then.
      await link.request("publish", { drafts: [], atomic: false });
      await session.door.settled?.();
    } while (session.subscribing.some(({ isTold }) => !isTold));
  }
}

/** What its door remembers. One that cannot say so has said its last. */
function pack(session: Session): unknown {
  try {
    return session.door.pack?.();
  } catch (error) {
    session.refuse(error);
    throw error;
  }
}

/** How a session goes on. */
export interface Arrival {
  readonly door: Door;
  readonly carrier: Carrier;
  /** The session is there; its door was told nothing yet. */
  readonly arrived?: (session: Session) => void;
}

const NO_STARTS: ReadonlyMap<string, Start> = new Map();
