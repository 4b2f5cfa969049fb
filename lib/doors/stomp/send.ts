/**
 * SEND frames as drafts.
 *
 * @module
 */
import { isTextType, MESSAGE_HEADERS } from "../../codecs/stomp/message.ts";
import type { StompFrame } from "../../codecs/stomp.ts";
import { type Content, readDetails, toContent } from "../../draft.ts";
import { GongError } from "../../errors.ts";
import { Fields } from "../../json.ts";
import { queueChannel } from "../../reserved.ts";
import type { Draft } from "../../types.ts";
import type { Destination } from "./destinations.ts";

/** Headers that say something to the server, and those that only it may give. */
const OWN: ReadonlySet<string> = new Set([
  ...["receipt", "transaction", "ttl"],
  ...MESSAGE_HEADERS,
]);
/** What some clients add to every frame, and is nobody's business. */
const SECRET = /^(?:x-)?(?:authorization|api-key)$|^(?:login|passcode|token)$/i;

/**
 * What a SEND publishes.
 *
 * @throws {GongError} `bad_request` naming the header or what is wrong with the body
 */
export function readDraft(frame: StompFrame, destination: Exclude<Destination, { kind: "signal" | "reply" }>): Draft {
  const { headers } = frame;
  const draft = { channel: channelOf(destination), ...readContent(frame) };
  const details: Record<string, unknown> = {};
  for (const name of ["id", "event"]) if (headers.has(name)) details[name] = headers.get(name);
  const ttl = headers.get("ttl");
  if (ttl === "0" && destination.kind === "queue") {
    throw new GongError("bad_request", "A `ttl` of 0 is for those who listen now, and nobody listens to a queue.");
  }
  if (ttl !== undefined) details.ttl = /^\d{1,9}(?:\.\d{1,6})?$/.test(ttl) ? Number(ttl) : ttl;
  // An empty one says no more than none, and cannot be a tag.
  const tags = [...headers].filter(([name, value]) => value !== "" && !OWN.has(name) && !SECRET.test(name));
  // Without a prototype, as their names are anybody's.
  if (tags.length > 0) details.tags = Object.assign(Object.create(null), Object.fromEntries(tags));
  if (destination.kind === "user") details.event = destination.event;
  for (const _ in details) return { ...draft, ...readDetails(new Fields(details)) };
  return draft;
}

/** The body; without a type it is what the message was that it came in. */
export function readContent({ headers, body, isText }: StompFrame): Content {
  const contentType = headers.get("content-type") ?? (isText ? "text/plain" : "application/octet-stream");
  if (!isTextType(contentType)) return toContent(body, contentType);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
  } catch (cause) {
    throw new GongError("bad_request", "The body is not UTF-8, as its `content-type` says.", { cause });
  }
  return toContent(text, contentType);
}

function channelOf(destination: Exclude<Destination, { kind: "signal" | "reply" }>): string {
  return destination.kind === "queue" ? queueChannel(destination.queue) : destination.channel;
}
