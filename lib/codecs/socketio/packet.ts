/**
 * Packets as frames.
 *
 * @module
 */
import { encodePacket as encodeMessage } from "engine.io-parser";
import { Encoder, type Packet, PacketType } from "socket.io-parser";
import type { Data } from "../../types.ts";

export { type Packet, PacketType };

/** Version of Engine.IO that is underneath. */
export type Version = 3 | 4;

/** Attachments of a packet. Clients refuse those that have more, as their parser does. */
export const MAX_ATTACHMENTS = 10;

/** It keeps nothing from one packet to the next. */
const ENCODER = new Encoder();
/** What a message of Engine.IO begins with, as text. */
const MESSAGE = messageType();
const MESSAGE_BYTE = Number(MESSAGE);

/**
 * The frames of a packet as a WebSocket has them: the text, then the attachments, which are the bytes of its `data` in
 * their order. The packet is left as it is.
 *
 * @throws {TypeError} for data that JSON cannot have
 */
export function encodePacket(packet: Packet, protocol: Version): readonly Data[] {
  const [text, ...attachments] = encodeParts(packet);
  return attachments.length === 0
    ? [MESSAGE + text]
    : [MESSAGE + text, ...attachments.map((bytes) => encodeAttachment(bytes, protocol))];
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

/** Bytes of a message as a frame: as they are in Engine.IO 4, behind a byte with the type in 3. */
export function encodeAttachment(bytes: Uint8Array, protocol: Version): Uint8Array {
  if (protocol === 4) return bytes;
  const frame = new Uint8Array(bytes.length + 1);
  frame[0] = MESSAGE_BYTE;
  frame.set(bytes, 1);
  return frame;
}

function messageType(): string {
  let type = "";
  encodeMessage({ type: "message" }, true, (encoded: string) => type = encoded);
  return type;
}
