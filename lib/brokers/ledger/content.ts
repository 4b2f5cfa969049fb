/**
 * What a draft is to a broker: its content for comparing, its publication, its place.
 *
 * @module
 */
import { hash } from "node:crypto";
import { MESSAGE_OVERHEAD } from "../../bytes.ts";
import type { Draft, Position, Publication } from "../../types.ts";

/** What an id counts for beside its letters and its publisher's. */
const ID_OVERHEAD = MESSAGE_OVERHEAD;

/** Bytes that the remembering of a draft's id takes, roughly. */
export function sizeOfId({ id = "", publisher = "" }: Draft): number {
  return id.length + publisher.length + ID_OVERHEAD;
}

/**
 * Stands for data, content type, event, tags in any order, and ttl: the same under one id is a repeat, anything else a
 * conflict. Who is named as user or session does not count, for a retry may come over another connection.
 */
export function digestOf({ data, contentType, event, tags, ttl }: Draft): string {
  const names = tags && Object.keys(tags).sort().map((name) => [name, tags[name]]);
  const isText = typeof data === "string";
  const head = JSON.stringify([isText, contentType, event, names, ttl]);
  if (isText) return shorten(hash("sha256", head + data, "base64url"));
  return shorten(hash("sha256", head + hash("sha256", data, "base64url"), "base64url"));
}

/** 132 bits. */
function shorten(digest: string): string {
  return digest.slice(0, 22);
}

/** The draft as it is numbered, without what is nobody's business. */
export function toPublication(draft: Draft, { epoch, offset }: Position, time: number): Publication {
  const { ttl: _ttl, publisher: _publisher, ...message } = draft;
  return { ...message, epoch, offset, time };
}

/** What is left of a publication whose `ttl` is over. */
export function toPlace({ channel, epoch, offset, time }: Publication): Publication {
  return { channel, epoch, offset, time, data: "", contentType: "text/plain", expired: true };
}
