/**
 * What nodes say to each other, as text: JSON, in which bytes are `{"$bytes": BASE64}`.
 *
 * @module
 */
import { Buffer } from "node:buffer";

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
