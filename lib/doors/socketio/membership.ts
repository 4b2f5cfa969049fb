/**
 * What is known of a socket: kept as its `data`, so that it goes with its connection.
 *
 * @module
 */
import type { ServerSocket } from "../../socketio/engine.ts";
import type { Position } from "../../types.ts";

/** A client in a namespace. */
export interface Membership {
  /** By which its client comes back, if it can. */
  pid: string | undefined;
  /** The channels that it hears, and from where on: that of the namespace, those of its rooms, maybe that of the user. */
  readonly since: Map<string, Position>;
}

/** That of a socket that is connected, or was. */
export function membershipOf({ data }: ServerSocket): Membership {
  return data as Membership;
}
