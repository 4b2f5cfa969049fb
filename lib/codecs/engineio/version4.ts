/**
 * The wire of Engine.IO 4.
 *
 * @see https://github.com/socketio/engine.io-protocol
 * @module
 */
import { decodePacket, decodePayload, encodePayload } from "engine.io-parser";
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

  decodePayload(payload: Data): Packet[] {
    if (typeof payload !== "string") throw badPacket();
    if (!hasAtMost(payload, MOST_PACKETS)) throw tooManyPackets();
    return decodePayload(payload, "arraybuffer").map(checkPacket);
  },
};

/** Whether there are so many packets or fewer: asked before any is made. */
function hasAtMost(payload: string, most: number): boolean {
  let count = 1;
  for (let at = payload.indexOf(SEPARATOR); at >= 0 && count <= most; at = payload.indexOf(SEPARATOR, at + 1)) count++;
  return count <= most;
}
