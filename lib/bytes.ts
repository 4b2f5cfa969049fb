import type { Data } from "./types.ts";

const encoder = new TextEncoder();

/** Bytes of a text in UTF-8, or of a block. */
export function byteLength(data: Data): number {
  return typeof data === "string" ? encoder.encode(data).length : data.length;
}
