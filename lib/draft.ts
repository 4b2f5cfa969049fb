/**
 * What a publisher writes in JSON, as a draft: the same fields on every door and in the API.
 *
 * @module
 */
import { decodeBase64 } from "@std/encoding/base64";
import { GongError } from "./errors.ts";
import type { Fields } from "./json.ts";
import type { Data } from "./types.ts";

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
  if (contentType !== undefined && (contentType.length > MAX_MEDIA_TYPE || !MEDIA_TYPE.test(contentType))) {
    throw fields.error("contentType", "`contentType` has to be a media type, e.g. `text/plain`.");
  }
  const content = encoding ? readBytes(fields, contentType) : readText(fields, contentType);
  const { data } = content;
  const bytes = typeof data === "string" ? new TextEncoder().encode(data).length : data.length;
  if (bytes <= maxMessage) return content;
  throw new GongError("too_large", `The data may have at most ${maxMessage} bytes.`, { field: fields.pointer("data") });
}

/** Whether data of this type is JSON text. */
export function isJson(contentType: string): boolean {
  return /^application\/(?:json|[\w.-]+\+json)(?:;|$)/i.test(contentType);
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
  if (contentType === undefined || !isJson(contentType)) return { data, contentType: contentType ?? "text/plain" };
  try {
    // On doors that send lines, a line break would end the publication.
    return { data: /[\r\n]/.test(data) ? JSON.stringify(JSON.parse(data)) : (JSON.parse(data), data), contentType };
  } catch (cause) {
    throw new GongError("bad_request", "`data` is not the JSON that `contentType` says.", {
      cause,
      field: fields.pointer("data"),
    });
  }
}
