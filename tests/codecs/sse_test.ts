import { assertEquals } from "@std/assert";
import { ServerSentEventStream } from "@std/http/server-sent-event-stream";
import { encodeEvent, encodePublication, stampId } from "../../lib/codecs/sse.ts";
import type { Publication } from "../../lib/types.ts";
import { seeded } from "../support/random.ts";
import { parseEvents } from "../support/event_stream.ts";

function publication(data: Publication["data"], more: Partial<Publication> = {}): Publication {
  return { channel: "a", epoch: "e", offset: 1, time: 0, data, contentType: "text/plain", ...more };
}

/** What the standard library makes of an event. */
async function standard(message: { id?: string; event?: string; data?: string }): Promise<string> {
  const stream = ReadableStream.from([message]).pipeThrough(new ServerSentEventStream());
  return (await Array.fromAsync(stream.pipeThrough(new TextDecoderStream()))).join("");
}

Deno.test("encodePublication() and stampId() write what the standard library's event stream writes", async () => {
  const random = seeded(3);
  for (let n = 0; n < 500; n++) {
    const data = random.text(["a", " ", ":", "é🎉", "\n", "\r", "\r\n", "\n\n", "data: x", "\u2028", "\ufeff"], 8);
    // It puts no space behind a colon, so that the first of a line is lost.
    if (/(^|\n|\r) /.test(data)) continue;
    const event = random.pick([undefined, "tick", "a b"]);
    const more = event === undefined ? {} : { event };
    const id = `a@e:${n}`;
    // It has the id behind the event's name; an event's fields have no order.
    const expected = parseEvents(await standard({ ...more, id, data }));
    assertEquals(parseEvents(stampId(encodePublication(publication(data, more)), id)), expected, JSON.stringify(data));
  }
});

Deno.test("encodePublication() gives back every text, with its line ends as line feeds", () => {
  for (const data of ["", " ", "\n", "a\n", "\na", "a\r\nb\rc\n\nd", ": no comment", "id: 7", "\ufeffx"]) {
    const [event] = parseEvents(stampId(encodePublication(publication(data)), "a@e:1"));
    assertEquals(event, { id: "a@e:1", event: "message", data: data.replace(/\r\n|\r/g, "\n") });
  }
});

Deno.test("encodePublication() marks bytes as a data: URL", async () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, n) => n);
  const text = encodePublication(publication(bytes, { contentType: "image/png", event: "picture" }));
  const [event] = parseEvents(text);
  assertEquals(event!.event, "picture");
  const response = await fetch(event!.data);
  assertEquals(response.headers.get("content-type"), "image/png");
  assertEquals(await response.bytes(), bytes);
});

Deno.test("encodeEvent() is one event of that name", () => {
  assertEquals(parseEvents(encodeEvent("$close", '{"a":1}')), [{ id: "", event: "$close", data: '{"a":1}' }]);
});

Deno.test("encodePublication() keeps the bytes apart from whatever their type has", async () => {
  for (const contentType of ['text/plain;x=","', "text/a#b", "text/plain;base64,AAAA", "text/plain; x=%2C#"]) {
    const [event] = parseEvents(encodePublication(publication(Uint8Array.of(1, 2, 3), { contentType })));
    assertEquals(await (await fetch(event!.data)).bytes(), Uint8Array.of(1, 2, 3), contentType);
  }
});
