/**
 * What a publisher writes in JSON, as a draft: the same fields on every door and in the API.
 *
 * @module
 */
import { decodeBase64 } from "@std/encoding/base64";
import { byteLength } from "./bytes.ts";
import { GongError } from "./errors.ts";
import { type Fields, isJson, parseJson } from "./json.ts";
import type { Data, Draft } from "./types.ts";

/** Data and what kind it is. */
export interface Content {
  readonly data: Data;
  readonly contentType: string;
}

/** The fields that {@linkcode readContent} reads. */
export const CONTENT_FIELDS: readonly string[] = ["data", "contentType", "encoding"];

/** `type/subtype` and parameters (RFC 9110 section 8.3.1), as far as a header can hold them. */
const MEDIA_TYPE = /^[\w!#$&^.+-]{1,60}\/[\w!#$&^.+-]{1,60}(?:;[\x20-\x7e]*)?$/;
const MAX_MEDIA_TYPE = 127;
const MAX_ID = 64;
const MAX_EVENT = 128;
const MAX_TAGS = 16;
const MAX_TAG = 256;
const MAX_TTL = 2_000_000;
const TAG_NAME = /^[\w.:/-]{1,64}$/;
/** What all copies of a message, one a target, may have: so much, or four of the largest. */
const MAX_COPIES = 16 * 2 ** 20;
const NO_TYPE = "has to be a media type, e.g. `text/plain`.";
const CONTROL = /\p{Cc}/u;

/** The fields that {@linkcode readMessage} reads. */
export const MESSAGE_FIELDS: readonly string[] = [...CONTENT_FIELDS, "id", "event", "tags", "ttl"];

/** @param size of all copies together @throws {GongError} `too_large` */
export function checkCopies(size: number, maxMessage: number): void {
  const most = Math.max(MAX_COPIES, maxMessage * 4);
  if (size > most) throw new GongError("too_large", `All copies together are larger than ${most} bytes.`);
}

/**
 * Reads everything of a draft but its channel: the content, `id` (at most 64 bytes), `event` (128), `tags` (16 pairs),
 * `ttl` (0 to 2,000,000 seconds).
 *
 * @throws {GongError} as {@linkcode readContent} does
 */
export function readMessage(fields: Fields, maxMessage: number): Omit<Draft, "channel"> {
  return { ...readContent(fields, maxMessage), ...readDetails(fields) };
}

/**
 * Content as a draft has it: of JSON in text it is one line.
 *
 * @throws {GongError} `bad_request` for what is no media type, and for text that is not the JSON that it says it is
 */
export function toContent(data: Data, contentType: string): Content {
  if (!isMediaType(contentType)) throw new GongError("bad_request", `\`${contentType.slice(0, 64)}\` ${NO_TYPE}`);
  if (typeof data !== "string" || !isJson(contentType)) return { data, contentType };
  const value = parseJson(data);
  // On doors that send lines, a line break would end the publication.
  return { data: /[\r\n]/.test(data) ? JSON.stringify(value) : data, contentType };
}

/**
 * Reads `data`, `contentType` and `encoding`: a string is that text, other JSON is its JSON text, and
 * `"encoding":"base64"` makes a string bytes. JSON text is one line, whoever wrote it.
 *
 * @throws {GongError} `bad_request` naming the field; `too_large` for data of more than `maxMessage` bytes
 */
export function readContent(fields: Fields, maxMessage: number): Content {
  if (!fields.has("data")) throw fields.error("data", "`data` is missing.");
  const encoding = fields.string("encoding");
  if (encoding !== undefined && encoding !== "base64") {
    throw fields.error("encoding", '`encoding` can only be "base64".');
  }
  const contentType = fields.string("contentType");
  if (contentType !== undefined && !isMediaType(contentType)) {
    throw fields.error("contentType", `\`contentType\` ${NO_TYPE}`);
  }
  const content = encoding ? readBytes(fields, contentType) : readText(fields, contentType);
  const { data } = content;
  if (byteLength(data) <= maxMessage) return content;
  throw new GongError("too_large", `The data may have at most ${maxMessage} bytes.`, { field: fields.pointer("data") });
}

function isMediaType(text: string): boolean {
  return text.length <= MAX_MEDIA_TYPE && MEDIA_TYPE.test(text);
}

function readBytes(fields: Fields, contentType = "application/octet-stream"): Content {
  const text = fields.string("data") ?? "";
  try {
    return { data: decodeBase64(text), contentType };
  } catch (cause) {
    throw new GongError("bad_request", "`data` is not base64.", { cause, field: fields.pointer("data") });
  }
}

function readText(fields: Fields, contentType: string | undefined): Content {
  const value = fields.get("data");
  if (typeof value !== "string") {
    return { data: JSON.stringify(value), contentType: contentType ?? "application/json" };
  }
  const data = fields.string("data")!;
  try {
    return toContent(data, contentType ?? "text/plain");
  } catch (error) {
    throw fields.error("data", `${GongError.from(error).message} \`contentType\` says that \`data\` is.`);
  }
}

/** What a message has beside its content. @throws {GongError} `bad_request` naming the field */
export function readDetails(fields: Fields): Pick<Draft, "id" | "event" | "tags" | "ttl"> {
  const id = readLine(fields, "id", MAX_ID);
  const event = readEvent(fields);
  const tags = readTags(fields);
  const ttl = readTtl(fields);
  return {
    ...(id === undefined ? {} : { id }),
    ...(event === undefined ? {} : { event }),
    ...(tags === undefined ? {} : { tags }),
    ...(ttl === undefined ? {} : { ttl }),
  };
}

function readEvent(fields: Fields): string | undefined {
  const event = readLine(fields, "event", MAX_EVENT);
  // What the server itself says is an event of such a name on some doors.
  if (event?.startsWith("$")) throw fields.error("event", "`event` must not begin with `$`: such names are reserved.");
  return event;
}

function readTtl(fields: Fields): number | undefined {
  const ttl = fields.get("ttl");
  if (ttl === undefined || typeof ttl === "number" && ttl >= 0 && ttl <= MAX_TTL) return ttl;
  throw fields.error("ttl", `\`ttl\` has to be a number of seconds, 0 to ${MAX_TTL}.`);
}

/** Some doors write it on a line of its own, so it must not end one. */
function readLine(fields: Fields, name: string, limit: number): string | undefined {
  const text = fields.string(name);
  if (text === undefined) return undefined;
  if (text === "" || byteLength(text) > limit || CONTROL.test(text)) {
    throw fields.error(name, `\`${name}\` has to be 1 to ${limit} bytes without control characters.`);
  }
  return text;
}

function readTags(fields: Fields): Readonly<Record<string, string>> | undefined {
  const tags = fields.object("tags");
  if (tags === undefined) return undefined;
  const names = tags.names();
  if (names.length > MAX_TAGS) throw fields.error("tags", `There may be at most ${MAX_TAGS} tags.`);
  return Object.fromEntries(names.map((name) => {
    if (!TAG_NAME.test(name) || name === "__proto__") {
      throw fields.error("tags", "A tag's name has to be 1 to 64 of `A-Z a-z 0-9 _ . : / -`.");
    }
    return [name, readLine(tags, name, MAX_TAG)!];
  }));
}
