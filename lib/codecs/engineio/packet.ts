/**
 * What both versions of the wire have in common.
 *
 * @module
 */
import { GongError } from "../../errors.ts";
import type { Data } from "../../types.ts";

/** Packets that a payload may have: each becomes an object, and a byte or two make one. */
export const MOST_PACKETS = 65_536;

export type PacketType = "open" | "close" | "ping" | "pong" | "message" | "upgrade" | "noop";

/** One packet; without data it is empty. */
export interface Packet {
  readonly type: PacketType;
  readonly data?: Data;
}

/** Packets and payloads of one version. */
export interface EngineCodec {
  /** A message as a WebSocket has it. */
  encodeMessage(data: Data): Data;
  /** What a WebSocket has brought. @throws {GongError} `bad_request` */
  decodeFrame(frame: Data): Packet;
  /**
   * What a poll is answered with: these frames, as a WebSocket has them, at least one.
   *
   * @param asText bytes are to be base64
   */
  encodePayload(frames: readonly Data[], asText: boolean): Data;
  /**
   * What a POST has brought, at least one packet: each is taken before the next one is decoded, as long as `take` says so.
   * Bytes cost microseconds each, and are two letters of a payload: who may not say them is not to have thousands decoded.
   *
   * @throws {GongError} `bad_request`, also for too many; what `take` throws
   */
  decodePayload(payload: Data, take: (packet: Packet) => boolean): void;
}

export function badPacket(): GongError {
  return new GongError("bad_request", "That is no packet.");
}

export function tooManyPackets(): GongError {
  return new GongError("bad_request", `A payload has at most ${MOST_PACKETS} packets.`);
}

/** A packet as a parser has made it. @throws {GongError} `bad_request` when it is none */
export function checkPacket({ type, data }: { type?: string | undefined; data?: unknown }): Packet {
  if (type === undefined || type === "error") throw badPacket();
  if (data === undefined || data === null) return { type: type as PacketType };
  return { type: type as PacketType, data: typeof data === "string" ? data : toArray(data) };
}

/** Without what else is in the memory behind it: a parser's buffers may be parts of one that all share. */
function toArray(data: unknown): Uint8Array {
  return data instanceof ArrayBuffer ? new Uint8Array(data) : new Uint8Array(data as Uint8Array);
}
