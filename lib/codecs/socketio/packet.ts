/**
 * Packets as frames.
 *
 * @module
 */
import { Encoder, type Packet, PacketType } from "socket.io-parser";
import type { Data } from "../../types.ts";
import { ENGINE_CODECS } from "../engineio.ts";

export { type Packet, PacketType };

/** Version of Engine.IO that is underneath. */
export type Version = 3 | 4;

/** Attachments of a packet. Clients refuse those that have more, as their parser does. */
export const MAX_ATTACHMENTS = 10;

/** It keeps nothing from one packet to the next. */
const ENCODER = new Encoder();
/** What a message of Engine.IO begins with, as text. */
const MESSAGE = ENGINE_CODECS[4].encodeMessage("") as string;

/**
 * The frames of a packet as a WebSocket has them: the text, then the attachments, which are the bytes of its `data` in
 * their order. The packet is left as it is.
 *
 * @throws {TypeError} for data that JSON cannot have
 */
export function encodePacket(packet: Packet, protocol: Version): readonly Data[] {
  const [text, ...attachments] = encodeParts(packet);
  const { encodeMessage } = ENGINE_CODECS[protocol];
  // Most have none, and one array less.
  return attachments.length === 0 ? [encodeMessage(text)] : [text, ...attachments].map(encodeMessage);
}

/** The text of a packet and its attachments, without what Engine.IO has around them. */
export function encodeParts(packet: Packet): [text: string, ...attachments: Uint8Array[]] {
  return ENCODER.encode(packet) as [string, ...Uint8Array[]];
}

/**
 * The text of a packet as a frame that many share: one piece of memory, as V8 would keep a sum of strings as a tree, and
 * each of a thousand sockets pays for that when it gets the frame.
 */
export function sharedFrame(...parts: readonly string[]): string {
  return [MESSAGE, ...parts].join("");
}
