/**
 * What a client says when it connects to a namespace, and what it is told.
 *
 * @module
 */
import { type Packet, PacketType } from "../codecs/socketio.ts";
import type { EngineProtocol } from "../engineio/orders.ts";
import type { GongError } from "../errors.ts";
import type { Refusal } from "../types.ts";
import type { ConnectAnswer } from "./engine.ts";
import type { NamespaceSocket } from "./socket.ts";

/** What is said by who says nothing; all of them share it. */
export const NO_AUTH: Readonly<Record<string, unknown>> = Object.freeze({});

/** The namespace of a packet. Clients of version 2 put what they say of themselves behind it, as a query. */
export function namespaceOf({ nsp }: Packet, protocol: EngineProtocol): string {
  const query = protocol === 3 ? nsp.indexOf("?") : -1;
  return query < 0 ? nsp : nsp.slice(0, query);
}

/** What the client says of itself; of a member that is given twice, the last. */
export function authOf({ nsp, data }: Packet, protocol: EngineProtocol): Readonly<Record<string, unknown>> {
  if (protocol === 4) return data ?? NO_AUTH;
  const query = nsp.indexOf("?");
  return query < 0 ? NO_AUTH : Object.fromEntries(new URLSearchParams(nsp.slice(query)));
}

/** CONNECT, which tells a client of version 2 nothing but that. */
export function connectPacket(
  { id, namespace }: NamespaceSocket,
  answer: ConnectAnswer,
  protocol: EngineProtocol,
): Packet {
  const packet = { type: PacketType.CONNECT, nsp: namespace };
  return protocol === 3 ? packet : { ...packet, data: { sid: id, ...answer } };
}

/** CONNECT_ERROR, which is ERROR in version 2. */
export function refusalPacket(namespace: string, { code, message }: Pick<Refusal, "code" | "message">): Packet {
  return { type: PacketType.CONNECT_ERROR, nsp: namespace, data: { message, data: { code } } };
}

/** The refusal of a namespace that there is not, as every server of Socket.IO words it. */
export function invalidNamespace(namespace: string): Packet {
  return { type: PacketType.CONNECT_ERROR, nsp: namespace, data: { message: "Invalid namespace" } };
}

/** What a client is told of an event that failed and that wants no acknowledgement. */
export function failurePacket(namespace: string, { code, message }: GongError, protocol: EngineProtocol): Packet {
  const error = { code, message };
  return protocol === 3
    ? { type: PacketType.CONNECT_ERROR, nsp: namespace, data: error }
    : { type: PacketType.EVENT, nsp: namespace, data: ["$error", error] };
}
