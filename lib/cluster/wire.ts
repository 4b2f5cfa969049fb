/**
 * What nodes say to each other, as text: JSON, in which bytes are `{"$bytes": BASE64}`.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Data } from "../types.ts";

const BYTES = "$bytes";

/** Of a value of JSON that may have bytes in it; `undefined` is left out, and `null` where it is all. */
export function encodeWire(value: unknown): string {
  return JSON.stringify(value ?? null, (_, part) => {
    return part instanceof Uint8Array ? { [BYTES]: Buffer.from(part).toString("base64") } : part;
  });
}

/** @throws {SyntaxError} for what is no JSON */
export function decodeWire(text: string): unknown {
  return JSON.parse(text, (_, part) => {
    const bytes = typeof part === "object" && part !== null ? part[BYTES] : undefined;
    return typeof bytes === "string" ? Uint8Array.from(Buffer.from(bytes, "base64")) : part;
  });
}

/** Bytes that it takes, roughly, without what is around it. */
export function wireLength(data: Data): number {
  if (typeof data !== "string") return Math.ceil(data.length / 3) * 4;
  let length = 0;
  for (let n = 0; n < data.length; n++) length += lengthOf(data.charCodeAt(n));
  return length;
}

/** Of a unit of UTF-16, in JSON and UTF-8; half a pair is taken for a whole character. */
function lengthOf(unit: number): number {
  // `\u0000`, but for five that have a letter.
  if (unit < 0x20) return 6;
  if (unit === 0x22 || unit === 0x5c) return 2;
  return unit < 0x80 ? 1 : unit < 0x800 ? 2 : 3;
}
