import { Buffer } from "node:buffer";
import type { Data } from "./types.ts";

/** Bytes of a text in UTF-8, or of a block. */
export function byteLength(data: Data): number {
  return typeof data === "string" ? Buffer.byteLength(data) : data.length;
}
