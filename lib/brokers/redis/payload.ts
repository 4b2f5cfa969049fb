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
import type { Draft, Publication } from "../../types.ts";

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
 */
export function decodePayload(payload: Buffer): Pick<Publication, "data"> & Head {
  if (payload.length < FIXED || payload[0] !== VERSION) throw new TypeError("a payload of another version");
  const end = FIXED + payload.readUInt32LE(2);
  if (end > payload.length) throw new TypeError("a payload that is cut off");
  const bytes = payload.subarray(end);
  // A copy: the message outlives what Redis sent with it.
  const data = payload[1] === 0 ? decoder.decode(bytes) : Uint8Array.from(bytes);
  return { ...toHead(JSON.parse(decoder.decode(payload.subarray(FIXED, end)))), data };
}

/** What this release knows of the head. */
function toHead({ contentType, id, event, user, from, tags, trace }: Head): Head {
  if (typeof contentType !== "string") throw new TypeError("a payload without its content type");
  return {
    contentType,
    ...(id === undefined ? {} : { id }),
    ...(event === undefined ? {} : { event }),
    ...(user === undefined ? {} : { user }),
    ...(from === undefined ? {} : { from }),
    ...(tags === undefined ? {} : { tags }),
    ...(trace === undefined ? {} : { trace }),
  };
}
