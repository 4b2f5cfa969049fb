import { assertEquals, assertThrows } from "@std/assert";
import { EventStreamParser, type StreamPart } from "./event_stream.ts";

/** Everything that is in the text, given in pieces of this size. */
function parse(text: string, size = text.length || 1): StreamPart[] {
  const parser = new EventStreamParser();
  const events: StreamPart[] = [];
  for (let at = 0; at < text.length; at += size) events.push(...parser.feed(text.slice(at, at + size)));
  return events;
}

function event(data: string, { event = "message", id = "" } = {}): StreamPart {
  return { kind: "event", event, data, id };
}

Deno.test("EventStreamParser reads the same whatever the pieces, and whichever line ends it has", () => {
  const text = ": hi\nretry: 1000\nid: a@e:1\n\ndata: one\ndata:two\ndata:  three\nevent: x\nid: a@e:2\n\ndata\n\n";
  const expected: StreamPart[] = [
    { kind: "comment", text: "hi" },
    { kind: "retry", milliseconds: 1000 },
    { kind: "id", id: "a@e:1" },
    event("one\ntwo\n three", { event: "x", id: "a@e:2" }),
    event("", { id: "a@e:2" }),
  ];
  for (const end of ["\n", "\r", "\r\n"]) {
    // At the very end of the input a CR may be half of a line's end.
    const whole = `${text.replaceAll("\n", end)}: end\n`;
    for (let size = 1; size < whole.length; size++) {
      assertEquals(parse(whole, size).slice(0, -1), expected, JSON.stringify([end, size]));
    }
  }
});

Deno.test("EventStreamParser knows what would be lost if the stream ended", () => {
  const parser = new EventStreamParser();
  for (
    const [text, clean] of [["", true], ["data: x\n", false], ["\n", true], ["id: 1", false], ["\n\n", true]] as const
  ) {
    [...parser.feed(text)];
    assertEquals(parser.isClean, clean, text);
  }
});

Deno.test("EventStreamParser takes off one byte order mark, at the beginning only", () => {
  assertEquals(parse("\ufeffdata: \ufeffx\n\n"), [event("\ufeffx")]);
});

Deno.test("EventStreamParser refuses what a browser would pass over in silence", () => {
  for (const text of ["dat: x\n", "id: a\0\n", "retry: 1s\n", "event: x\n\n", "event: x\nevent: y\n", "x\n"]) {
    assertThrows(() => parse(text), SyntaxError);
  }
});
