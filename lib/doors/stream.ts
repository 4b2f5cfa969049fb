/**
 * HTTP streaming: the JSON door's lines, one after the other.
 *
 * @module
 */
import { encodeLine } from "../codecs/line.ts";
import type { HttpDoor } from "./http.ts";
import { createStreamDoor, toBytes } from "./stream_door.ts";

const door = createStreamDoor({
  name: "stream",
  codec: { name: "stream", encode: encodeLine, pack: (lines) => toBytes(`${lines.join("\n")}\n`) },
  encodeLine: (_type, line) => `${line}\n`,
  heartbeat: '{"type":"heartbeat"}\n',
});

/** `GET /stream`. */
export const stream: HttpDoor = {
  parameters: [],
  open: (call) => call.stream(door, { "content-type": "application/x-ndjson" }),
};
