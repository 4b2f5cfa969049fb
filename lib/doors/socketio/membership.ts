/**
 * What is known of a socket: kept as its `data`, so that it goes with its connection.
 *
 * @module
 */
import { FewMap } from "../../few_map.ts";
import type { PackedConnection, ServerSocket } from "../../socketio/engine.ts";
import type { Position } from "../../types.ts";

/** A client in a namespace. */
export interface Membership {
  /** By which its client comes back, if it can. */
  pid: string | undefined;
  /** The channels that it hears, and from where on: that of the namespace, those of its rooms, maybe that of the user. */
  readonly since: FewMap<string, Position>;
}

/** As it crosses isolates. */
interface PackedMembership {
  readonly pid: string | undefined;
  readonly since: readonly [channel: string, position: Position][];
}

/** That of a socket that is connected, or was. */
export function membershipOf({ data }: Pick<ServerSocket, "data">): Membership {
  return data as Membership;
}

/** The connection as it crosses isolates, with its memberships. */
export function packMemberships(connection: PackedConnection): PackedConnection {
  return withData(connection, (socket): PackedMembership => {
    const { pid, since } = membershipOf(socket);
    return { pid, since: [...since] };
  });
}

/** The reverse of {@linkcode packMemberships}. */
export function unpackMemberships(connection: PackedConnection): PackedConnection {
  return withData(connection, ({ data }): Membership => {
    const { pid, since } = data as PackedMembership;
    return { pid, since: new FewMap(since) };
  });
}

type PackedSocket = PackedConnection["sockets"][number];

function withData(connection: PackedConnection, dataOf: (socket: PackedSocket) => unknown): PackedConnection {
  return { ...connection, sockets: connection.sockets.map((socket) => ({ ...socket, data: dataOf(socket) })) };
}
