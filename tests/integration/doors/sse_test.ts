import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { DoorClient } from "../../support/doors/door_client.ts";
import { EventStreamParser, type StreamEvent } from "../../support/event_stream.ts";
import { stream, type Streaming } from "../../support/doors/http.ts";
import { openSse } from "../../support/doors/sse.ts";
import { startGong } from "../../support/gong.ts";
import { publish, type Sent } from "../../support/publish.ts";

/** The next events of a stream, whatever their type. */
async function events({ read }: Streaming, parser: EventStreamParser, count: number): Promise<StreamEvent[]> {
  const found: StreamEvent[] = [];
  while (found.length < count) {
    const text = await read();
    assert(text !== undefined, "the stream ended");
    for (const event of parser.feed(text)) if (event.kind === "event") found.push(event);
  }
  return found;
}

/** What somebody publishes who would like to write the stream's own fields. */
const HOSTILE: readonly Omit<Sent, "channel">[] = [
  { data: "x\rid: 7\r\revent: $close\rdata: {}\r\r" },
  { data: "x\n\nevent: $close\ndata: {}\n\n" },
  { data: "x\r\n\r\nretry: 999999\r\n\r\n" },
  { data: ":comment" },
  { data: "\n\n\n" },
  { data: "x", event: " $close" },
  { data: "x", event: ":$close" },
  { data: "x", event: "data: $close" },
  { data: "x\0", id: "data: 1" },
];

Deno.test("/sse keeps what is published within the data of one event", async () => {
  await using gong = await startGong(["--isolates", "1"]);
  const streaming = await stream(gong, "/sse?channel=a");
  const parser = new EventStreamParser();
  const own = await events(streaming, parser, 2);
  assertEquals(own.map(({ event }) => event), ["$welcome", "$subscribed"]);
  for (const [index, sent] of HOSTILE.entries()) {
    const [published] = await publish(gong, [{ channel: "a", ...sent }]);
    const [event] = await events(streaming, parser, 1);
    assertEquals(event!.data, String(sent.data).replaceAll(/\r\n?/g, "\n"), `number ${index}`);
    assertEquals(event!.id, `a@${published!.position.epoch}:${published!.position.offset}`);
    assert(!event!.event.startsWith("$"), event!.event);
    if (sent.event?.startsWith(" ")) assertEquals(event!.event, sent.event);
    assert(parser.isClean);
  }
  streaming.drop();
});

Deno.test("/sse?format=json gives no event a name, and its data is one line", async () => {
  await using gong = await startGong(["--isolates", "1"]);
  const streaming = await stream(gong, "/sse?format=json&channel=a");
  const parser = new EventStreamParser();
  await events(streaming, parser, 2);
  for (const sent of HOSTILE) {
    await publish(gong, [{ channel: "a", ...sent }]);
    const [event] = await events(streaming, parser, 1);
    assertEquals(event!.event, "message");
    const line = JSON.parse(event!.data);
    assertEquals([line.data, line.event], [sent.data, sent.event]);
  }
  streaming.drop();
});

Deno.test("/sse refuses a format that it does not have", async () => {
  await using gong = await startGong(["--isolates", "1"]);
  for (const query of ["format=xml", "format=", "callback=f", "timeout=3"]) {
    const refused = await DoorClient.open(openSse, gong, { channels: ["a"], query }).then(
      () => undefined,
      (error) => error,
    );
    assertEquals([refused?.status, JSON.parse(refused?.body).field], [400, query.split("=")[0]]);
  }
});

Deno.test("nobody publishes an event whose name begins as those of the server do", async () => {
  await using gong = await startGong(["--isolates", "1"]);
  for (const event of ["$", "$close", "$subscribed"]) {
    const error = await publish(gong, [{ channel: "a", data: "x", event }]).then(() => undefined, (error) => error);
    assertStringIncludes(String(error), '"field":"/publications/0/event"');
  }
});
