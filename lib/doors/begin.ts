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
  readonly request: Request;
  readonly wish: Wish;
  readonly door: Door;
  readonly carrier: Carrier;
  readonly address: string;
  readonly grant: Grant | undefined;
}

/** Begins a session, whose carrier may open later. */
export function beginSession(edge: Edge, { request, wish, ...visit }: Visit): Session {
  const userAgent = (request.headers.get("user-agent") ?? "").slice(0, MAX_USER_AGENT);
  const session = new Session(edge, { ...wish, ...visit, id: edge.registry.newId(), userAgent });
  edge.begin(session);
  return session;
}
