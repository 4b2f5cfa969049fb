import { assert, assertEquals, assertMatch } from "@std/assert";
import { setTimeout as delay } from "node:timers/promises";
import type { Publication, Trace } from "../../lib/types.ts";
import { connect } from "../support/client.ts";
import { type Gong, runGong, startGong } from "../support/gong.ts";
import { openWebSocket } from "../support/raw.ts";

type Noted = Extract<Trace, { epoch: string }>;

async function getJson(gong: Gong, path: string) {
  const response = await fetch(`${gong.url}${path}`);
  assertEquals(response.status, 200, path);
  return await response.json();
}

async function publish(gong: Gong, body: object) {
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${gong.url}/api/publish`, { method: "POST", headers, body: JSON.stringify(body) });
  assertEquals(response.status, 200);
  return await response.json();
}

async function traces(gong: Gong, id: string): Promise<Noted[]> {
  return (await getJson(gong, `/api/publications/${id}`)).publications;
}

/** What is noted, once it is so; what a client got may be here before its edge has said so. */
async function tracesWhen(gong: Gong, id: string, isSo: (noted: Noted[]) => boolean): Promise<Noted[]> {
  const end = performance.now() + 10_000;
  for (;;) {
    const noted = await traces(gong, id);
    if (isSo(noted) || performance.now() > end) return noted;
    await delay(10);
  }
}

/** Reads a stream up to a text, and then no more. */
async function until(stream: ReadableStream<Uint8Array>, text: string): Promise<void> {
  let seen = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>)) {
    if ((seen += chunk).includes(text)) return;
  }
  throw new Error(`the stream ended after ${seen}`);
}

Deno.test("what is noted of a publication adds up over isolates, doors and resumes", async () => {
  await using gong = await startGong(["--isolates", "2"]);
  const plain = await Promise.all(Array.from({ length: 20 }, () => connect(`${gong.ws}/push?channel=a`)));
  const json = await Promise.all(Array.from({ length: 10 }, () => connect(`${gong.ws}/push?format=json&channel=a`)));
  const { sessions } = await getJson(gong, "/api/sessions");
  assertEquals(new Set(sessions.map(({ edge }: { edge: number }) => edge)).size, 2, "they are on both isolates");

  const { positions: [first] } = await publish(gong, { channel: "a", data: "before" });
  const since = `${first.epoch}:1`;
  const stream = await fetch(`${gong.url}/sse?channel=a&since=${since}`);
  const poll = getJson(gong, `/poll?channel=a&since=${since}`);

  const { positions: [position], id } = await publish(gong, { channel: "a", data: "traced", trace: true });
  for (const client of plain) assertEquals(await client.nextText(), "before");
  for (const client of plain) assertEquals(await client.nextText(), "traced");
  for (const client of json) while (!(await client.nextText()).includes('"data":"traced"'));
  await until(stream.body!, "data: traced");
  assertEquals((await poll).publications.map(({ data }: Publication) => data), ["traced"]);
  const [noted] = await tracesWhen(gong, id, ([trace]) => trace?.queued === 32);
  assert(Math.abs(noted!.time - Date.now()) < 60_000);
  assertEquals<unknown>(noted, { ...position, time: noted!.time, queued: 32, dropped: {} });

  await using late = await connect(`${gong.ws}/push?channel=a&since=${since}`);
  assertEquals(await late.nextText(), "traced");
  assertEquals((await tracesWhen(gong, id, ([trace]) => trace?.queued === 33))[0]?.queued, 33);

  await publish(gong, { channel: "a", data: "not traced" });
  const page = await getJson(gong, `/api/history?channel=a&since=${since}`);
  assertEquals(page.publications.map(({ data }: Publication) => data), ["traced", "not traced"]);
  assertEquals([page.recovered, page.offset, page.cursor], [true, 3, `a@${position.epoch}:3`]);
  assertEquals((await traces(gong, id))[0]?.queued, 33, "who reads history is no session");
  await Promise.all([...plain, ...json].map((client) => client.close()));
});

Deno.test("a reader that is too slow is noted as dropped, and the others are not", async () => {
  await using gong = await startGong(["--isolates", "2", "--outbox", "128KiB"]);
  const readers = await Promise.all([1, 2, 3, 4].map(() => connect(`${gong.ws}/push?channel=a`)));
  using _slow = await openWebSocket(gong.port, "/push?channel=a");
  const data = "x".repeat(60_000);
  let [dropped, queued] = [0, 0];
  for (let n = 1; n <= 500 && dropped === 0; n++) {
    await publish(gong, { channel: "a", data, trace: true, id: `${n}` });
    for (const reader of readers) await reader.nextText();
    const isWhole = ({ queued = 0, dropped = {} }: Noted) => queued + (dropped.slow ?? 0) === readers.length + 1;
    const [trace] = await tracesWhen(gong, `${n}`, ([trace]) => trace !== undefined && isWhole(trace));
    [dropped, queued] = [trace?.dropped?.slow ?? 0, trace?.queued ?? 0];
    assertEquals(queued + dropped, readers.length + 1, `publication ${n}`);
  }
  assertEquals([dropped, queued], [1, readers.length]);
  await publish(gong, { channel: "a", data: "after", trace: true, id: "after" });
  assertEquals((await tracesWhen(gong, "after", ([trace]) => trace?.queued === 4))[0]?.queued, readers.length);
  const { gong_dropped_total: figure } = await getJson(gong, "/api/stats");
  assertEquals(figure, { slow: 1 });
  await Promise.all(readers.map((reader) => reader.close()));
});

Deno.test("gong publish prints the id of what it traces, and says when it repeats", async () => {
  await using gong = await startGong(["--isolates", "1"]);
  const args = ["publish", "--url", gong.url, "--channel", "a", "--trace", "--ttl", "90"];
  const made = await runGong([...args, "hello"]);
  assertEquals(made.code, 0, made.stderr);
  const [, id] = made.stdout.match(/^a \w+:1\ntraced ([\w-]+)\n$/)!;
  assertEquals((await traces(gong, id!)).length, 1);
  await runGong([...args, "--id", "order-7", "hello"]);
  const again = await runGong([...args, "--id", "order-7", "hello"]);
  assertMatch(again.stdout, /^a \w+:2 repeated\ntraced order-7\n$/);
  assertEquals((await traces(gong, "order-7")).map(({ repeated }) => repeated ?? false), [false, true]);
});
