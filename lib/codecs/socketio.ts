/**
 * The wire of Socket.IO: packets (protocol 5, and 4 as Socket.IO 2 speaks it) within messages of Engine.IO, and what
 * publications are on it. Packets are made and read by the official parsers; what comes in is looked at before those see
 * it, as they were not made for strangers.
 *
 * @see https://github.com/socketio/socket.io/blob/main/docs/socket.io-protocol/v5-current.md
 * @module
 */
export { encodePacket, type Packet, PacketType } from "./socketio/packet.ts";
export { PacketReader, type ReaderLimits } from "./socketio/reader.ts";
export { channelOf, type Place, placeOf } from "./socketio/places.ts";
export { argsOf, type EventOf, toMessage } from "./socketio/message.ts";
export { appendArgument, attachmentsOf, encodePublication } from "./socketio/publication.ts";
