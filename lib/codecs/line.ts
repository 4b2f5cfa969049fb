/**
 * A publication as one line of JSON: the JSON door's wire out.
 *
 * @module
 */
import { encodeBase64 } from "@std/encoding/base64";
import type { Asked, Data, Publication, Signal } from "../types.ts";

/**
 * The publication as one line. `contentType` is left out where the JSON type of `data` says it: a string is
 * `text/plain`, any other value `application/json`.
 */
export function encodeLine(publication: Publication): string {
  const { channel, epoch, offset, time, data, contentType, id, event, user, from, tags } = publication;
  const parts = [
    // The channel grammar and an epoch's characters need no escape.
    `{"channel":"${channel}","epoch":"${epoch}","offset":${offset},"time":${time},${encodeContent(data, contentType)}`,
  ];
  if (event !== undefined) parts.push(`"event":${JSON.stringify(event)}`);
  if (user !== undefined) parts.push(`"user":${JSON.stringify(user)}`);
  if (from !== undefined) parts.push(`"from":"${from}"`);
  if (id !== undefined) parts.push(`"messageId":${JSON.stringify(id)}`);
  if (tags !== undefined) parts.push(`"tags":${JSON.stringify(tags)}`);
  return joined(parts);
}

/** A message to one session as one line. */
export function encodeSignal(signal: Signal): string {
  return joined([`{"type":"signal"`, ...partsOf(signal)]);
}

/** What came of a question, as the value of an answer. */
export function encodeAsked({ reached, answer }: Asked): string {
  return joined([`{"reached":${reached}`, ...partsOf(answer)]);
}

function partsOf({ data, contentType, from, user, reply }: Signal): string[] {
  const parts = [encodeContent(data, contentType)];
  if (from !== undefined) parts.push(`"from":"${from}"`);
  if (user !== undefined) parts.push(`"user":${JSON.stringify(user)}`);
  if (reply !== undefined) parts.push(`"reply":${JSON.stringify(reply)}`);
  return parts;
}

/** `"data":...` and what has to be said about it: members of an object. */
export function encodeContent(data: Data, contentType: string): string {
  const type = `,"contentType":${JSON.stringify(contentType)}`;
  if (typeof data !== "string") return `"data":"${encodeBase64(data)}","encoding":"base64"${type}`;
  // JSON text that is a string itself would be taken for text.
  if (contentType === "application/json") return `"data":${data}${/^\s*"/.test(data) ? type : ""}`;
  return `"data":${JSON.stringify(data)}${contentType === "text/plain" ? "" : type}`;
}

/**
 * The parts of an object as one piece of memory. V8 would keep a sum of strings as a tree, and each of a thousand sockets
 * pays for that when it gets the line.
 */
function joined(parts: readonly string[]): string {
  return [parts.join(), "}"].join("");
}
