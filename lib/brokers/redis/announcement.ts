/**
 * What Redis announces on a channel: publications of one call that follow each other. A line,
 * `1 EPOCH OFFSET TIME LENGTH,LENGTH...`, with the offset of the first and the lengths of their payloads in bytes; then the
 * payloads, one after the other.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import type { Publication } from "../../types.ts";
import { decodePayload } from "./payload.ts";

const LINE = /^1 ([0-9a-z]{1,32}) ([1-9]\d{0,15}) (\d{1,15}) (\d+(?:,\d+)*)$/;
const END = 10;

/** @throws {TypeError} for what is none */
export function decodeAnnouncement(channel: string, message: Buffer): Publication[] {
  const end = message.indexOf(END);
  const [, epoch, offset, time, lengths] = LINE.exec(message.toString("latin1", 0, Math.max(0, end))) ?? [];
  if (epoch === undefined || lengths === undefined) throw new TypeError("an announcement of another version");
  let at = end + 1;
  const publications = lengths.split(",").map((length, index): Publication => {
    const payload = message.subarray(at, at += Number(length));
    return { channel, epoch, offset: Number(offset) + index, time: Number(time), ...decodePayload(payload) };
  });
  if (at !== message.length) throw new TypeError("an announcement of another length");
  return publications;
}
