/**
 * Every door there is, with what its wire can say.
 *
 * @module
 */
import type { DoorFeatures, TestDoor } from "./door.ts";
import { openIframe } from "../support/doors/iframe.ts";
import { openStream } from "../support/doors/ndjson.ts";
import { openPoll } from "../support/doors/poll.ts";
import { openSocketIo } from "../support/doors/socketio.ts";
import { openSse, openSseJson } from "../support/doors/sse.ts";
import { openStomp } from "../support/doors/stomp.ts";
import { openJson, openJsonByCommands, openPlain } from "../support/doors/websocket.ts";

const LINES: DoorFeatures = {
  tells: ["channel", "position", "time", "event", "id", "tags", "contentType"],
  lineBreaks: "kept",
  tellsLoss: true,
  refusals: "problem",
};

/** Registers the tests of all doors. */
export function testDoors(testDoor: TestDoor): void {
  testDoor("plain", openPlain, {
    ...{ tells: [], lineBreaks: "kept", tellsLoss: false, refusals: "text" },
    ...{ publishes: true, bareSignals: true },
  });
  testDoor("json", openJson, { ...LINES, refusals: "text", publishes: true });
  testDoor("json, by commands", openJsonByCommands, { ...LINES, refusals: "late", publishes: true });
  testDoor("stomp", openStomp, {
    ...{ tells: ["channel", "position", "time", "event", "id", "tags", "contentType"], lineBreaks: "kept" },
    ...{ tellsLoss: true, refusals: "ending", endsUnsubscribed: true, otherTextAsBytes: true, publishes: true },
  });
  testDoor("sse", openSse, { ...LINES, tells: ["event"], lineBreaks: "LF" });
  testDoor("sse, json", openSseJson, LINES);
  testDoor("stream", openStream, LINES);
  testDoor("iframe", openIframe, LINES);
  testDoor("poll", openPoll, { ...LINES, asks: true });
  testDoor("socketio", openSocketIo, {
    ...{ tells: ["position"], lineBreaks: "kept", tellsLoss: true, refusals: "late", publishes: true },
    ...{ jsonStringsAsText: true, ordinaryOnly: true, acknowledges: true },
  });
}
