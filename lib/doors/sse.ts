/**
 * Server-Sent Events.
 *
 * @module
 */
import { encodeLine } from "../codecs/line.ts";
import { COMMENT, encodeEvent, encodePublication, encodeRetry, stampId } from "../codecs/sse.ts";
import type { Codec, Door } from "../door.ts";
import { GongError } from "../errors.ts";
import type { HttpDoor } from "./http.ts";
import { createStreamDoor, toBytes } from "./stream_door.ts";

/** How long a browser waits before it comes back, in milliseconds. */
const RETRY = 1000;

const raw: Codec = {
  name: "sse",
  encode: encodePublication,
  stamp: (event, cursor) => stampId(event as string, cursor),
  pack: (events) => toBytes(events.join("")),
};

const json: Codec = {
  ...raw,
  name: "sse-json",
  encode: encodeLine,
  stamp: (line, cursor) => stampId(`data: ${line}\n\n`, cursor),
};

function createDoor(codec: Codec): Door {
  return createStreamDoor({
    name: "sse",
    codec,
    encodeLine(type, line, cursor) {
      const event = encodeEvent(`$${type}`, line);
      return cursor === undefined ? event : stampId(event, cursor);
    },
    encodeRetry: (seconds) => encodeRetry(seconds * 1000),
    heartbeat: COMMENT,
  });
}

/** By the value of `?format=`. */
export const SSE_DOORS: ReadonlyMap<string, Door> = new Map([
  ["plain", createDoor(raw)],
  ["json", createDoor(json)],
]);

/** `GET /sse`. */
export const sse: HttpDoor = {
  parameters: ["format"],
  // An empty one says nothing.
  since: ({ headers }) => headers.get("last-event-id") || undefined,
  open(call) {
    const door = SSE_DOORS.get(call.query.get("format") ?? "plain");
    if (!door) throw new GongError("bad_request", "`format` has to be `plain` or `json`.", { field: "format" });
    return call.stream(door, { "content-type": "text/event-stream" }, `${encodeRetry(RETRY)}\n`);
  },
};
