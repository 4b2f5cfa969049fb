import { assertEquals } from "@std/assert";
import { parseEvents, type StreamEvent } from "../support/event_stream.ts";
import { Stage } from "../support/stage.ts";
import { visit } from "../support/visit.ts";
import type { Position } from "../../lib/types.ts";

const TYPES = {
  "/sse?": "text/event-stream",
  "/stream?": "application/x-ndjson",
  "/iframe?callback=parent.x&": "text/html; charset=utf-8",
  "/poll?": "application/json",
};

/** The first events of a stream, until one of that name. */
async function eventsUntil(answer: Response, name: string): Promise<StreamEvent[]> {
  let text = "";
  for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const events = parseEvents(text);
    if (events.some(({ event }) => event === name)) return events;
  }
  throw new Error(text);
}

Deno.test("an empty Last-Event-ID says nothing: `since` counts", async () => {
  await using stage = new Stage();
  const [first] = await stage.publish("a", "1", "2");
  const target = `/sse?channel=a&since=a@${(first as Position).epoch}:1`;
  const answer = await visit(stage, target, { headers: { "last-event-id": "" }, completed: new Promise(() => {}) });
  const events = await eventsUntil(answer, "message");
  assertEquals(events.at(-1)!.data, "2");
});

Deno.test("HEAD begins no session, and does not say that the answer to GET is empty", async () => {
  await using stage = new Stage();
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, ({ method, url }) => {
    return visit(stage, url.slice(url.indexOf("/", 8)), { method });
  });
  for (const [path, type] of Object.entries(TYPES)) {
    const target = `http://127.0.0.1:${server.addr.port}${path}channel=a`;
    const { status, headers, body } = await fetch(target, { method: "HEAD" });
    await body?.cancel();
    assertEquals([status, headers.get("content-type"), headers.get("content-length")], [200, type, null], path);
  }
  assertEquals(stage.edge.edge.registry.size, 0);
});
