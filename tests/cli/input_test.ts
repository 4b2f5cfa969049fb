import { assertEquals, assertRejects } from "@std/assert";
import { InputError, readLines, readText } from "../../lib/cli/input.ts";

function streamOf(...chunks: (string | Uint8Array)[]): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return ReadableStream.from(chunks.map((chunk) => typeof chunk === "string" ? encoder.encode(chunk) : chunk));
}

async function collect(lines: AsyncIterable<string>): Promise<string[]> {
  return await Array.fromAsync(lines);
}

Deno.test("readLines() gives the same lines wherever the stream is split", async () => {
  const bytes = new TextEncoder().encode("one\r\n\nzwölf 🔔\n\r\nlast");
  for (let at = 0; at <= bytes.length; at++) {
    const stream = streamOf(bytes.slice(0, at), bytes.slice(at));
    assertEquals(await collect(readLines(stream, 100)), ["one", "", "zwölf 🔔", "", "last"]);
  }
});

Deno.test("readLines() gives no line for an end of line at the end, and none for nothing", async () => {
  assertEquals(await collect(readLines(streamOf("one\n"), 100)), ["one"]);
  assertEquals(await collect(readLines(streamOf(), 100)), []);
});

Deno.test("readLines() keeps a byte order mark and a lone CR", async () => {
  assertEquals(await collect(readLines(streamOf("\ufeffa\rb\n"), 100)), ["\ufeffa\rb"]);
});

Deno.test("readLines() refuses a longer line before its end has come", async () => {
  assertEquals(await collect(readLines(streamOf("1234", "5678\n"), 8)), ["12345678"]);
  let pulled = 0;
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(4).fill(++pulled + 64)),
  });
  await assertRejects(() => collect(readLines(endless, 8)), InputError, "longer than 8 bytes");
});

Deno.test("readLines() refuses what is not UTF-8, after the lines before it", async () => {
  const lines = readLines(streamOf("good\n", Uint8Array.of(0xc3, 0x28, 10)), 100);
  assertEquals((await lines.next()).value, "good");
  await assertRejects(() => lines.next(), InputError, "not UTF-8");
});

Deno.test("readLines() ends when it is told to, without the line that was begun", async () => {
  const stop = Promise.withResolvers<void>();
  const silent = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode("one\nhalf")),
  });
  const lines = readLines(silent, 100, stop.promise);
  assertEquals((await lines.next()).value, "one");
  const next = lines.next();
  stop.resolve();
  assertEquals((await next).done, true);
});

Deno.test("readText() leaves out one line end at the end", async () => {
  assertEquals(await readText(streamOf("a\n", "b\n\n"), 100), "a\nb\n");
  assertEquals(await readText(streamOf("a\r\n"), 100), "a");
  assertEquals(await readText(streamOf("a"), 100), "a");
  assertEquals(await readText(streamOf(), 100), "");
});

Deno.test("readText() joins a character that was split", async () => {
  const bytes = new TextEncoder().encode("🔔");
  assertEquals(await readText(streamOf(bytes.slice(0, 2), bytes.slice(2)), 4), "🔔");
});

Deno.test("readText() refuses more than it may take, and what is not UTF-8", async () => {
  await assertRejects(() => readText(streamOf("12345"), 4), InputError, "more than 4 bytes");
  await assertRejects(() => readText(streamOf(Uint8Array.of(0xff)), 4), InputError, "not UTF-8");
});
