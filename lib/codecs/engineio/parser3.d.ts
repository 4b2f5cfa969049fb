/**
 * Types of what we use of npm `engine.io-parser` 2, which has none.
 *
 * @module
 */

import type { Buffer } from "node:buffer";

export interface Packet {
  /** Undefined for bytes whose first one names no type. */
  readonly type?: "open" | "close" | "ping" | "pong" | "message" | "upgrade" | "noop" | "error";
  readonly data?: string | Buffer;
}

declare const parser: {
  decodePacket(frame: string | Buffer): Packet;
  /** Calls back for each packet at once, until `false` is returned. */
  decodePayload(payload: string | Buffer, callback: (packet: Packet) => boolean | void): void;
  encodePayload(
    packets: readonly Packet[],
    supportsBinary: boolean,
    callback: (payload: string | Buffer) => void,
  ): void;
};
export default parser;
