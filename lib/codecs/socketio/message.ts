/**
 * Events as publications, and back (PROTOCOL.md, "Events are publications").
 *
 * @module
 */
import { decodeBase64, encodeBase64 } from "@std/encoding/base64";
import { checkDepth, isJson, parseJson } from "../../json.ts";
import type { Publication } from "../../types.ts";
import { MAX_ATTACHMENTS } from "./packet.ts";

/** What of a publication makes the event. */
export type EventOf = Pick<Publication, "data" | "contentType" | "event" | "tags">;

/** The event of a publication that names none. */
const NAMELESS = "message";
/** The tag of JSON with bytes in it. */
const BINARY = { binary: "base64" };
/**
 * Names that a client's parser takes for a broken packet, whereupon it closes the connection, or that its page takes for
 * news of the connection itself.
 */
const RESERVED: ReadonlySet<string> = new Set([
  "connect",
  "connect_error",
  "disconnect",
  "disconnecting",
  "newListener",
  "removeListener",
]);

/** A publication's part of an event: one line of JSON, or bytes where they are all there is. */
export function toMessage(
  event: string,
  args: readonly unknown[],
): Pick<Publication, "data" | "contentType" | "tags"> & { readonly event: string } {
  const [first] = args;
  if (args.length === 1 && first instanceof Uint8Array) {
    return { event, data: first, contentType: "application/octet-stream" };
  }
  const contentType = "application/json";
  if (!hasBytes(args)) return { event, data: JSON.stringify(args), contentType };
  return { event, data: JSON.stringify(args, withPlaceholders), contentType, tags: BINARY };
}

/** The event that a publication is, whichever door it came by. Throws nothing. */
export function argsOf(publication: EventOf): { event: string; args: readonly unknown[] } {
  const { data, contentType } = publication;
  const event = eventOf(publication);
  if (typeof data !== "string" || !isJson(contentType)) return { event, args: [data] };
  let value: unknown;
  try {
    value = isBinaryJson(publication) ? parseBinary(data) : parseJson(data);
  } catch {
    return { event, args: [data] };
  }
  return { event, args: publication.event !== undefined && Array.isArray(value) ? value : [value] };
}

/** The name of the event that a publication is. */
export function eventOf({ event }: Pick<Publication, "event">): string {
  return event === undefined || RESERVED.has(event) ? NAMELESS : event;
}

/** Whether there may be bytes in its JSON. */
export function isBinaryJson({ tags }: Pick<Publication, "tags">): boolean {
  return tags !== undefined && Object.hasOwn(tags, "binary") && tags.binary === BINARY.binary;
}

function hasBytes(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return value instanceof Uint8Array || (Array.isArray(value) ? value : Object.values(value)).some(hasBytes);
}

/** A replacer of `JSON.stringify`. The value has been through `toJSON`, which a `Buffer` has. */
function withPlaceholders(this: Record<string, unknown>, key: string, value: unknown): unknown {
  const original = this[key];
  return original instanceof Uint8Array ? { _placeholder: true, base64: encodeBase64(original) } : value;
}

/**
 * The value with bytes for their placeholders. Where anything is left that a client would take for one of its own, or
 * there are more than it takes, nothing is replaced: a client that cannot read a packet closes its connection.
 */
function parseBinary(text: string): unknown {
  checkDepth(text);
  // The official encoder does not know numbers that are kept as they are written.
  const value = JSON.parse(text);
  const count = { bytes: 0, others: 0 };
  const replaced = replace(value, count);
  return count.others === 0 && count.bytes <= MAX_ATTACHMENTS ? replaced : value;
}

function replace(value: unknown, count: { bytes: number; others: number }): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => replace(item, count));
  if (Object.hasOwn(value, "_placeholder")) {
    const bytes = bytesOf(value as Record<string, unknown>);
    if (bytes) count.bytes++;
    else if ((value as Record<string, unknown>)._placeholder === true) count.others++;
    if (bytes) return bytes;
  }
  // By definition, not by assignment: a key may be `__proto__`.
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, replace(item, count)]));
}

function bytesOf(value: Record<string, unknown>): Uint8Array | undefined {
  const { _placeholder: isOne, base64 } = value;
  if (isOne !== true || typeof base64 !== "string" || Object.keys(value).length !== 2) return undefined;
  try {
    return decodeBase64(base64);
  } catch {
    return undefined;
  }
}
