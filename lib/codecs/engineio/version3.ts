/**
 * The wire of Engine.IO 3, as clients of Socket.IO 2 speak it.
 *
 * @see https://github.com/socketio/engine.io-protocol/tree/v3
 * @module
 */
import { Buffer } from "node:buffer";
// @ts-types="./parser3.d.ts"
import parser from "engine.io-parser-3";
import type { Data } from "../../types.ts";
import { badPacket, checkPacket, type EngineCodec, MOST_PACKETS, type Packet, tooManyPackets } from "./packet.ts";

/** The first byte of a message of bytes. */
const MESSAGE = 4;
/** The byte behind the length in a payload of bytes. */
const END = 255;
/** Digits of a length: more than any body has. */
const MOST_DIGITS = 10;

export const version3: EngineCodec = {
  encodeMessage(data: Data): Data {
    if (typeof data === "string") return `4${data}`;
    const frame = new Uint8Array(data.length + 1);
    frame[0] = MESSAGE;
    frame.set(data, 1);
    return frame;
  },

  decodeFrame(frame: Data): Packet {
    return checkPacket(parser.decodePacket(typeof frame === "string" ? frame : view(frame)));
  },

  encodePayload(frames: readonly Data[], asText: boolean): Data {
    let payload: Data = "";
    const packets = frames.map((frame) => parser.decodePacket(typeof frame === "string" ? frame : view(frame)));
    parser.encodePayload(packets, !asText, (encoded) => payload = encoded);
    return payload;
  },

  decodePayload(payload: Data, take: (packet: Packet) => boolean): void {
    if (typeof payload !== "string") checkLengths(payload);
    let count = 0;
    let goesOn = true;
    let fault: unknown;
    parser.decodePayload(typeof payload === "string" ? payload : view(payload), (packet) => {
      // Of bytes it calls for all of them, whatever it is told.
      if (!goesOn) return false;
      try {
        if (++count > MOST_PACKETS) throw tooManyPackets();
        goesOn = take(checkPacket(packet));
      } catch (error) {
        fault = error;
        goesOn = false;
      }
      return goesOn;
    });
    if (fault !== undefined) throw fault;
    if (count === 0) throw badPacket();
  },
};

/** The same memory. */
function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Looks at the lengths in a payload of bytes, of which the parser believes everything. */
function checkLengths(payload: Uint8Array): void {
  let count = 0;
  for (let at = 0; at < payload.length;) {
    if (++count > MOST_PACKETS) throw tooManyPackets();
    if (payload[at++]! > 1) throw badPacket();
    let length = 0;
    const first = at;
    for (; payload[at] !== END; at++) {
      const digit = payload[at];
      if (digit === undefined || digit > 9 || at - first >= MOST_DIGITS) throw badPacket();
      length = length * 10 + digit;
    }
    if (at === first || length === 0) throw badPacket();
    at += 1 + length;
    if (at > payload.length) throw badPacket();
  }
}
