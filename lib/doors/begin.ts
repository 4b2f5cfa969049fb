/**
 * How a visit becomes a session.
 *
 * @module
 */
import type { Auth, Grant } from "../auth.ts";
import type { Carrier } from "../carrier.ts";
import type { Config } from "../config.ts";
import type { Door } from "../door.ts";
import type { Edge } from "../edge.ts";
import { Session } from "../session.ts";
import type { Wish } from "./query.ts";

/** Characters of `User-Agent` that are kept for the operator. */
const MAX_USER_AGENT = 160;

/** What a door needs of its edge. */
export interface DoorOptions {
  readonly config: Config;
  readonly edge: Edge;
  readonly auth: Auth;
}

/** Who comes, by which door, for what. */
export interface Visit {
  readonly userAgent: string;
  readonly wish: Wish;
  readonly door: Door;
  readonly carrier: Carrier;
  readonly address: string;
  readonly grant: Grant | undefined;
}

/** What the client says it is. An upgraded request does not tell any more. */
export function userAgentOf({ headers }: Request): string {
  return (headers.get("user-agent") ?? "").slice(0, MAX_USER_AGENT);
}

/** Begins a session, whose carrier may open later. */
export function beginSession(edge: Edge, { wish, door, carrier, address, userAgent, grant }: Visit): Session {
  const id = edge.registry.newId();
  const { channels, starts, echo, formerly } = wish;
  // Named one by one they have no memory beside the object's, which stays as long as the session.
  const options = { id, door, carrier, address, userAgent, grant, channels, starts, echo, formerly };
  const session = new Session(edge, options);
  edge.begin(session);
  return session;
}
