/**
 * A message as publishers write it in JSON: over HTTP and on the JSON door alike.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { GongError } from "../errors.ts";
import { type Fields, parseJson } from "../json.ts";
import type { Data, Draft } from "../types.ts";

/** What a publisher says of a message, but for where it goes. */
export type Message = Pick<Draft, "data" | "contentType" | "id" | "event" | "tags">;

/** How {@linkcode readMessage} reads. */
export interface MessageOptions {
  /** Most bytes of data, in UTF-8. */
  readonly maxMessage: number;
  /** Name of the field that holds the publisher's id of the message. Default `id`. */
  readonly idField?: string;
}

/** Names of the fields that {@linkcode readMessage} reads, but for the id's. */
export const MESSAGE_FIELDS: readonly string[] = ["data", "encoding", "contentType", "event", "tags"];

const JSON_TYPE = "application/json";
const MAX_ID = 64;
const MAX_EVENT = 128;
const MAX_TYPE = 127;
const MAX_TAGS = 16;
const MAX_TAG = 256;
const TAG_NAME = /^[\w.:/-]{1,64}$/;
const CONTROL = /\p{Cc}/u;
/** RFC 9110 section 8.3.1. The quoted text is only ASCII here. */
const MEDIA_TYPE =
  /^[!#$%&'*+.^_`|~\w-]+\/[!#$%&'*+.^_`|~\w-]+(?:[ \t]*;[ \t]*[!#$%&'*+.^_`|~\w-]+=(?:[!#$%&'*+.^_`|~\w-]+|"(?:[ !#-[\]-~]|\\[ -~])*"))*$/;

/**
 * The message in the fields of an object.
 *
 * @throws {GongError} `bad_request` or, for the data, `too_large`; each names the field
 */
export function readMessage(fields: Fields, options: MessageOptions): Message {
  const { idField = "id" } = options;
  const { data, contentType } = readData(fields);
  if (byteLength(data) > options.maxMessage) {
    throw new GongError("too_large", `The data is larger than ${options.maxMessage} bytes.`, {
      field: fields.pointer("data"),
    });
  }
  const id = readName(fields, idField, MAX_ID);
  const event = readName(fields, "event", MAX_EVENT);
  const tags = readTags(fields);
  return {
    data,
    contentType,
    ...(id === undefined ? {} : { id }),
    ...(event === undefined ? {} : { event }),
    ...(tags === undefined ? {} : { tags }),
  };
}

/** Bytes of the data on a wire. */
export function byteLength(data: Data): number {
  return typeof data === "string" ? Buffer.byteLength(data) : data.length;
}

function readData(fields: Fields): { data: Data; contentType: string } {
  const value = fields.get("data");
  const encoding = fields.string("encoding");
  const type = readMediaType(fields);
  if (value === undefined) throw fields.error("data", "`data` is missing.");
  if (encoding !== undefined) {
    if (encoding !== "base64") throw fields.error("encoding", "`encoding` has to be `base64`.");
    if (type === JSON_TYPE) throw fields.error("contentType", "JSON is sent as itself, not as base64.");
    return { data: decodeBase64(fields), contentType: type ?? "application/octet-stream" };
  }
  if (typeof value !== "string") return { data: JSON.stringify(value), contentType: type ?? JSON_TYPE };
  const text = fields.string("data")!;
  if (type !== JSON_TYPE) return { data: text, contentType: type ?? "text/plain" };
  // Doors write JSON into lines of their own: it has to be JSON, and on one line.
  return { data: compact(text, fields), contentType: JSON_TYPE };
}

function compact(text: string, fields: Fields): string {
  try {
    return JSON.stringify(parseJson(text));
  } catch (error) {
    throw fields.error("data", `Of \`data\` as ${JSON_TYPE}: ${(error as GongError).message}`);
  }
}

function decodeBase64(fields: Fields): Uint8Array {
  const text = fields.string("data") ?? "";
  try {
    return Uint8Array.fromBase64(text, { lastChunkHandling: "strict" });
  } catch {
    throw fields.error("data", "`data` is not base64 (RFC 4648 section 4, padded).");
  }
}

/** JSON's type comes back without parameters: it has none (RFC 8259 section 11), and doors compare it. */
function readMediaType(fields: Fields): string | undefined {
  const type = fields.string("contentType");
  if (type === undefined) return undefined;
  if (type.length > MAX_TYPE || !MEDIA_TYPE.test(type)) {
    throw fields.error("contentType", `\`contentType\` has to be a media type of at most ${MAX_TYPE} characters.`);
  }
  return type.split(";", 1)[0]!.trim().toLowerCase() === JSON_TYPE ? JSON_TYPE : type;
}

function readName(fields: Fields, name: string, limit: number): string | undefined {
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
    return [name, readName(tags, name, MAX_TAG)!];
  }));
}
