/**
 * A message as Redis keeps and announces it, which it never looks into:
 *
 * ```
 * u8 version, 1 | u8 kind | u32 head.length | head | data
 * ```
 *
 * `kind` is 0 for text and 1 for bytes, the length little-endian. The head is JSON: everything of the message but its
 * channel and its data. A later release may add to it what this one passes over.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Data, Draft, Publication } from "../../types.ts";

const VERSION = 1;
const FIXED = 6;
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

type Head = Pick<Publication, "contentType" | "id" | "event" | "user" | "from" | "tags" | "trace">;

/** What is kept of a draft. */
export function encodePayload(draft: Draft): Buffer {
  const { channel: _channel, data, ttl: _ttl, publisher: _publisher, ...message } = draft;
  const head = JSON.stringify(message);
  const length = Buffer.byteLength(head);
  const isText = typeof data === "string";
  const payload = Buffer.allocUnsafe(FIXED + length + (isText ? Buffer.byteLength(data) : data.length));
  payload[0] = VERSION;
  payload[1] = isText ? 0 : 1;
  payload.writeUInt32LE(length, 2);
  payload.write(head, FIXED);
  if (isText) payload.write(data, FIXED + length);
  else payload.set(data, FIXED + length);
  return payload;
}

/**
 * The message, without what numbers it.
 *
 * @throws {TypeError} for what is of another version, or damaged
 * @throws {SyntaxError} for a head that is no JSON
 */
export function decodePayload(payload: Buffer): Pick<Publication, "data"> & Head {
  if (payload.length < FIXED || payload[0] !== VERSION) throw new TypeError("a payload of another version");
  const end = FIXED + payload.readUInt32LE(2);
  if (end > payload.length) throw new TypeError("a payload that is cut off");
  const bytes = payload.subarray(end);
  return { ...toHead(JSON.parse(decoder.decode(payload.subarray(FIXED, end)))), data: toData(payload[1]!, bytes) };
}

function toData(kind: number, bytes: Buffer): Data {
  if (kind === 0) return decoder.decode(bytes);
  // A copy: the message outlives what Redis sent with it.
  if (kind === 1) return Uint8Array.from(bytes);
  throw new TypeError("a payload of a kind that is not known");
}

/** What this release knows of the head, which may be anything. */
function toHead(value: unknown): Head {
  if (!isObject(value)) throw new TypeError("a payload whose head is none");
  const { contentType, id, event, user, from, tags, trace } = value;
  if (typeof contentType !== "string") throw new TypeError("a payload without its content type");
  if (tags !== undefined && !isTags(tags)) throw new TypeError("a payload whose tags are none");
  if (trace !== undefined && trace !== true) throw new TypeError("a payload whose trace is none");
  return {
    contentType,
    ...isThere("id", id) ? { id } : {},
    ...isThere("event", event) ? { event } : {},
    ...isThere("user", user) ? { user } : {},
    ...isThere("from", from) ? { from } : {},
    ...tags === undefined ? {} : { tags },
    ...trace === undefined ? {} : { trace },
  };
}

/** @throws {TypeError} for what is there and no text */
function isThere(name: string, value: unknown): value is string {
  if (value !== undefined && typeof value !== "string") throw new TypeError(`a payload whose ${name} is no text`);
  return value !== undefined;
}

function isTags(value: unknown): value is Record<string, string> {
  return isObject(value) && Object.values(value).every((tag) => typeof tag === "string");
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
