/**
 * The wire of Engine.IO 4.
 *
 * @see https://github.com/socketio/engine.io-protocol
 * @module
 */
import { decodePacket, encodePayload } from "engine.io-parser";
import type { Data } from "../../types.ts";
import { badPacket, checkPacket, type EngineCodec, MOST_PACKETS, type Packet, tooManyPackets } from "./packet.ts";

const SEPARATOR = "\x1e";

export const version4: EngineCodec = {
  encodeMessage(data: Data): Data {
    return typeof data === "string" ? `4${data}` : data;
  },

  decodeFrame(frame: Data): Packet {
    if (typeof frame !== "string") return { type: "message", data: frame };
    // Bytes may come as base64 here too: it is an option of the client.
    return checkPacket(decodePacket(frame, "arraybuffer"));
  },

  encodePayload(frames: readonly Data[]): Data {
    let payload = "";
    const packets = frames.map((frame) => {
      return typeof frame === "string" ? decodePacket(frame) : { type: "message" as const, data: frame };
    });
    encodePayload(packets, (encoded) => payload = encoded);
    return payload;
  },

  decodePayload(payload: Data, take: (packet: Packet) => boolean): void {
    if (typeof payload !== "string") throw badPacket();
    const frames = payload.split(SEPARATOR, MOST_PACKETS + 1);
    if (frames.length > MOST_PACKETS) throw tooManyPackets();
    if (!frames.every(hasType)) throw badPacket();
    for (const frame of frames) if (!take(version4.decodeFrame(frame))) return;
  },
};

/** Of packets, and of bytes in base64. */
const TYPES = "0123456b";

function hasType(frame: string): boolean {
  return frame !== "" && TYPES.includes(frame[0]!);
}
