import { Buffer } from "node:buffer";
import type { Data, Draft } from "./types.ts";

/** What a message takes beside its data and tags, roughly, in bytes. */
export const MESSAGE_OVERHEAD = 256;

/** Bytes of a text in UTF-8, or of a block. */
export function byteLength(data: Data): number {
  return typeof data === "string" ? Buffer.byteLength(data) : data.length;
}

/** What a message takes up in memory or on the bus, roughly, in bytes; quick, so a character counts as one. */
export function sizeOf({ data, tags }: Pick<Draft, "data" | "tags">): number {
  let size = data.length + MESSAGE_OVERHEAD;
  for (const name in tags) size += name.length + tags[name]!.length;
  return size;
}

/** The bytes of all parts, one after the other. */
export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
