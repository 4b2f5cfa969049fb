import { assertEquals } from "@std/assert";
import { DoorClient } from "../../support/doors/door_client.ts";
import { ask } from "../../support/doors/http.ts";
import { openJson } from "../../support/doors/websocket.ts";
import { type Gong, startGong } from "../../support/gong.ts";
import { numbered, publish, type Published } from "../../support/publish.ts";

async function read(gong: Gong, query: string, headers: Record<string, string> = {}) {
  const response = await ask(gong, `/api/history?${query}`, { headers });
  return { status: response.status, response, body: await response.json() };
}

function texts(publications: readonly { data: unknown }[]): unknown[] {
  return publications.map(({ data }) => data);
}

Deno.test("GET /api/history reads a channel page by page, from the oldest or from a position", async () => {
  await using gong = await startGong(["--isolates", "2", "--history-count", "2000"]);
  const published = await publish(gong, numbered(["a"], 1500));
  const { epoch } = published[0]!.position;
  const first = await read(gong, "channel=a");
  const { publications, ...rest } = first.body;
  assertEquals([first.status, rest], [200, {
    channel: "a",
    epoch,
    offset: 1500,
    recovered: true,
    cursor: `a@${epoch}:100`,
  }]);
  assertEquals(texts(publications), texts(published.slice(0, 100)));
  assertEquals(first.response.headers.get("cache-control"), "no-store");
  const { time: _, ...line } = publications[0];
  assertEquals(line, { channel: "a", epoch, offset: 1, data: "a 1" });

  const heard: unknown[] = [];
  let cursor: string | undefined;
  for (let pages = 0; pages < 4; pages++) {
    const { body } = await read(gong, `channel=a&limit=700${cursor === undefined ? "" : `&since=${cursor}`}`);
    heard.push(...texts(body.publications));
    assertEquals(body.recovered, true);
    cursor = body.cursor;
  }
  assertEquals(heard, texts(published));
  assertEquals(cursor, `a@${epoch}:1500`);
});

Deno.test("GET /api/history of what is no more is not recovered, and its cursor is the top", async () => {
  await using gong = await startGong(["--isolates", "2", "--history-count", "5"]);
  const published = await publish(gong, numbered(["a"], 12));
  const { epoch } = published[0]!.position;
  const lost = { channel: "a", epoch, offset: 12, recovered: false, publications: [], cursor: `a@${epoch}:12` };
  for (const since of [`${epoch}:6`, `${epoch}:13`, "never:1"]) {
    assertEquals((await read(gong, `channel=a&since=${since}`)).body, lost, since);
  }
  const { body } = await read(gong, `channel=a&since=${epoch}:7`);
  assertEquals([body.recovered, texts(body.publications)], [true, texts(published.slice(7))]);
  const oldest = await read(gong, "channel=a");
  assertEquals([oldest.body.recovered, texts(oldest.body.publications)], [true, texts(published.slice(7))]);
});

Deno.test("GET /api/history needs the right to hear the channel, and names what is wrong", async () => {
  const keys = { GONG_API_KEY: "a:admin:admin-secret-0123456789,p:publish:publish-secret-0123456789" };
  const args = ["--isolates", "1", "--public-channels", "open.*"];
  await using gong = await startGong(args, { dev: false, env: keys });
  const admin = { "x-api-key": "admin-secret-0123456789" };
  const rows: [string, number, string | undefined, Record<string, string>?][] = [
    ["channel=open.a", 200, undefined],
    ["channel=secret", 401, undefined],
    ["channel=secret", 403, undefined, { "x-api-key": "publish-secret-0123456789" }],
    ["channel=secret", 200, undefined, admin],
    ["", 400, "channel"],
    ["channel=open.a&channel=open.b", 400, "channel"],
    ["channel=no%20channel", 400, "channel"],
    ["channel=open.a&since=x", 400, "since"],
    ["channel=open.a&limit=1001", 400, "limit"],
    ["channel=open.a&limit=0", 400, "limit"],
    ["channel=open.a&limit=x", 400, "limit"],
    ["channel=open.a&colour=red", 400, "colour"],
  ];
  for (const [query, status, field, headers] of rows) {
    const answer = await read(gong, query, headers);
    assertEquals([answer.status, answer.body.field], [status, field], query);
  }
});

Deno.test("--history keeps as much of a channel as its pattern says, the first that fits", async () => {
  const rules = ["room:* count=3", "room:big count=9", "small.* bytes=2KiB", "none count=0", "brief.* age=1h count=2"];
  const args = rules.flatMap((rule) => ["--rule", rule]);
  await using gong = await startGong(["--isolates", "2", "--history-count", "7", ...args]);
  const kept = async (channel: string) => {
    await publish(gong, Array.from({ length: 12 }, (_, n) => ({ channel, data: `${n} `.padEnd(900, "x") })));
    return (await read(gong, `channel=${channel}`)).body.publications.length;
  };
  for (const [channel, count] of [["room:1", 3], ["room:big", 3], ["other", 7], ["none", 0], ["brief.a", 2]] as const) {
    assertEquals(await kept(channel), count, channel);
  }
  const small = await kept("small.a");
  assertEquals(small >= 1 && small <= 2, true, `${small} of 900 bytes within 2 KiB`);
});

Deno.test("a history of a pattern is what a resume can bring", async () => {
  await using gong = await startGong(["--isolates", "2", "--rule", "short.* count=5"]);
  const published: Published[] = await publish(gong, numbered(["short.a", "long"], 24));
  for (
    const [channel, offset, recovered] of [["short.a", 6, false], ["short.a", 7, true], ["long", 0, true]] as const
  ) {
    const { epoch } = published.find((one) => one.channel === channel)!.position;
    await using client = await DoorClient.open(openJson, gong, { channels: [channel], since: `${epoch}:${offset}` });
    assertEquals(client.recovered, recovered, `${channel} since ${offset}`);
  }
});
