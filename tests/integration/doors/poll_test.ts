import { assert, assertEquals, assertMatch } from "@std/assert";
import { ask } from "../../support/doors/http.ts";
import { type Answer, poll } from "../../support/doors/poll.ts";
import { Refused } from "../../support/doors/wire.ts";
import { type Gong, startGong } from "../../support/gong.ts";
import { numbered, publish } from "../../support/publish.ts";
import { sessionsOf, untilSessions } from "../../support/until.ts";

const WISH = { channels: ["a"] };

function texts({ publications }: Answer): unknown[] {
  return publications.map(({ data }) => data);
}

async function json(gong: Gong, query: string, headers: Record<string, string> = {}) {
  const response = await ask(gong, `/poll?${query}`, { headers });
  const body = await response.text();
  return { response, status: response.status, body: body === "" ? undefined : JSON.parse(body) };
}

Deno.test("/poll answers at once with timeout=0, and where it stands", async () => {
  await using gong = await startGong(["--isolates", "2"]);
  const published = await publish(gong, numbered(["a"], 3));
  const { epoch } = published[0]!.position;
  const start = performance.now();
  assertEquals(await poll(gong, WISH, { timeout: 0 }), { publications: [], cursor: `a@${epoch}:3`, recovered: true });
  const answer = await poll(gong, { ...WISH, since: `a@${epoch}:1` }, { timeout: 0 });
  assert(performance.now() - start < 3000);
  assertEquals([texts(answer), answer.cursor, answer.recovered], [["a 2", "a 3"], `a@${epoch}:3`, true]);
  const [line] = answer.publications;
  const { time, ...rest } = line!;
  assertEquals(rest, { channel: "a", epoch, offset: 2, data: "a 2" });
  assert(Math.abs(Date.now() - Number(time)) < 60_000);
});

Deno.test("/poll waits for what comes, and no longer than timeout", async () => {
  await using gong = await startGong(["--isolates", "2"]);
  const { cursor: since } = await poll(gong, WISH, { timeout: 0 });
  const waiting = Promise.all([1, 2, 3, 4].map(() => poll(gong, { ...WISH, since }, { timeout: 30 })));
  await untilSessions(gong, 4, "poll");
  await publish(gong, [{ channel: "a", data: "x" }]);
  for (const answer of await waiting) assertEquals(texts(answer), ["x"]);
  await untilSessions(gong, 0);

  const { cursor: top } = await poll(gong, WISH, { timeout: 0 });
  const start = performance.now();
  const empty = await poll(gong, { ...WISH, since: top }, { timeout: 1 });
  const took = performance.now() - start;
  assertEquals(empty, { publications: [], cursor: top, recovered: true });
  assert(took > 900 && took < 6000, `${took} ms`);
});

Deno.test("/poll without since waits for what comes from now on", async () => {
  await using gong = await startGong(["--isolates", "2"]);
  await publish(gong, numbered(["a"], 2));
  const waiting = poll(gong, WISH, { timeout: 30 });
  await untilSessions(gong, 1, "poll");
  await publish(gong, [{ channel: "a", data: "new" }]);
  assertEquals(texts(await waiting), ["new"]);
});

Deno.test("/poll answers with a page of what there is, and its cursor stands behind that", async () => {
  await using gong = await startGong(["--isolates", "2", "--history-count", "5000", "--history-bytes", "16MiB"]);
  const sent = numbered(["a", "b"], 3000).map((one) => ({ ...one, data: String(one.data).padEnd(2000, ".") }));
  const published = await publish(gong, sent);
  let since = published.slice(0, 2).map(({ channel, position }) => `${channel}@${position.epoch}:0`).join();
  const heard: unknown[] = [];
  let polls = 0;
  while (heard.length < published.length) {
    const answer = await poll(gong, { channels: ["a", "b"], since }, { timeout: 30 });
    assertEquals(answer.recovered, true);
    heard.push(...texts(answer));
    since = answer.cursor;
    polls++;
  }
  assert(polls > 1, "6 MB in one answer");
  for (const channel of ["a", "b"]) {
    const own = published.filter((one) => one.channel === channel).map(({ data }) => data);
    assertEquals(heard.filter((text) => String(text).startsWith(channel)), own);
  }
  assertEquals((await poll(gong, { channels: ["a"], since }, { timeout: 0 })).publications, []);
});

Deno.test("/poll says at once that something is lost, which channels, and where they stand", async () => {
  await using gong = await startGong(["--isolates", "2", "--history-count", "3"]);
  const published = await publish(gong, numbered(["a", "b"], 12));
  const [a, b] = [published[10]!.position, published[11]!.position];
  const since = `a@${a.epoch}:4,b@${b.epoch}:1`;
  const start = performance.now();
  const { recovered, lost, cursor, publications } = await poll(gong, { channels: ["a", "b"], since }, { timeout: 30 });
  assert(performance.now() - start < 5000);
  assertEquals([recovered, lost], [false, ["b"]]);
  // What was not lost comes now or with the next poll, but it comes.
  const rest = await poll(gong, { channels: ["a", "b"], since: cursor }, { timeout: 0 });
  assertEquals([...publications, ...rest.publications].map(({ data }) => data), ["a 9", "a 11"]);
  assertEquals(rest.recovered, true);
  assertMatch(rest.cursor, new RegExp(`b@${b.epoch}:6`));
});

Deno.test("/poll?notify=1 says whether there is something, and stands behind it", async () => {
  await using gong = await startGong(["--isolates", "2"]);
  const published = await publish(gong, numbered(["a"], 3));
  const { epoch } = published[0]!.position;
  const top = `a@${epoch}:3`;
  const ask = async (query: string) => {
    const { recovered, ...body } = (await json(gong, `channel=a&notify=1&${query}`)).body;
    assertEquals(recovered, true);
    return body;
  };
  assertEquals(await ask(`timeout=0&since=a@${epoch}:1`), { new: true, cursor: top });
  assertEquals(await ask(`timeout=0&since=${top}`), { new: false, cursor: top });
  const waiting = ask(`timeout=30&since=${top}`);
  await untilSessions(gong, 1, "poll");
  await publish(gong, [{ channel: "a", data: "x" }]);
  assertEquals(await waiting, { new: true, cursor: `a@${epoch}:4` });
});

Deno.test("/poll has an ETag of its cursor, and says 304 when there is nothing new", async () => {
  await using gong = await startGong(["--isolates", "2"]);
  await publish(gong, numbered(["a", "b"], 4));
  const first = await json(gong, "channel=a&channel=b&timeout=0");
  const tag = first.response.headers.get("etag");
  assertMatch(tag ?? "none", /^(W\/)?"[\x21\x23-\x7e]+"$/);
  const query = `channel=a&channel=b&timeout=0&since=${first.body.cursor}`;
  const again = await json(gong, query);
  assertEquals([again.status, again.response.headers.get("etag")], [200, tag]);
  for (const value of [tag!, `"other", ${tag}`]) {
    const same = await json(gong, query, { "if-none-match": value });
    assertEquals([same.status, same.body, same.response.headers.get("etag")], [304, undefined, tag]);
    assertEquals(same.response.headers.get("cache-control"), "no-store");
  }
  await publish(gong, [{ channel: "b", data: "x" }]);
  const other = await json(gong, query, { "if-none-match": tag! });
  assertEquals([other.status, texts(other.body)], [200, ["x"]]);
  assert(other.response.headers.get("etag") !== tag);
});

Deno.test("/poll refuses what it does not understand by name", async () => {
  await using gong = await startGong(["--isolates", "1"]);
  const rows: [string, string][] = [
    ...["-1", "61", "x", "NaN", "Infinity", ""].map((value): [string, string] => [`timeout=${value}`, "timeout"]),
    ...["2", "yes", ""].map((value): [string, string] => [`notify=${value}`, "notify"]),
    ["format=json", "format"],
    ["callback=f", "callback"],
  ];
  for (const [query, field] of rows) {
    const { status, body } = await json(gong, `channel=a&${query}`);
    assertEquals([status, body.code, body.field], [400, "bad_request", field], query);
  }
});

Deno.test("/poll refuses a channel that keeps no history with 409", async () => {
  await using gong = await startGong(["--isolates", "1", "--rule", "none.* count=0"]);
  const error = await poll(gong, { channels: ["none.a"] }, { timeout: 0 }).then(() => undefined, (error) => error);
  assert(error instanceof Refused);
  assertEquals([error.status, error.problem?.code], [409, "conflict"]);
  assertEquals((await poll(gong, { channels: ["some"] }, { timeout: 0 })).recovered, true);
});

Deno.test("/poll of a client that is gone leaves no session", async () => {
  await using gong = await startGong(["--isolates", "2"]);
  const { cursor: since } = await poll(gong, WISH, { timeout: 0 });
  assertEquals(await sessionsOf(gong), 0, "none between two polls");
  const controller = new AbortController();
  const waiting = [1, 2, 3, 4].map(() => poll(gong, { ...WISH, since }, { timeout: 60, signal: controller.signal }));
  await untilSessions(gong, 4, "poll");
  controller.abort();
  for (const one of waiting) await one.then(() => assert(false), () => {});
  await untilSessions(gong, 0);
  // What they would have been told is still there for others.
  await publish(gong, [{ channel: "a", data: "x" }]);
  assertEquals(texts(await poll(gong, { ...WISH, since }, { timeout: 0 })), ["x"]);
});

Deno.test("/poll is answered when the server shuts down", async () => {
  await using gong = await startGong(["--isolates", "2"]);
  const { cursor: since } = await poll(gong, WISH, { timeout: 0 });
  const waiting = Promise.all([1, 2, 3, 4].map(() => json(gong, `channel=a&timeout=60&since=${since}`)));
  await untilSessions(gong, 4, "poll");
  const start = performance.now();
  const stopped = gong.stop();
  for (const { status, body, response } of await waiting) {
    if (status === 200) assertEquals(body, { publications: [], cursor: since, recovered: true });
    else assertEquals([status, body.code, response.headers.has("retry-after")], [503, "going_away", true]);
  }
  assertEquals(await stopped, 0);
  assert(performance.now() - start < 5000, "nothing was left to wait for");
});

Deno.test("/poll leaves no socket behind", async () => {
  await using gong = await startGong(["--isolates", "2", "--ping", "0.2"]);
  await publish(gong, numbered(["a"], 3));
  for (let n = 0; n < 20; n++) await poll(gong, { ...WISH, history: n % 4 }, { timeout: 0 });
  // What has not gone within a ping is stuck.
  await new Promise((resolve) => setTimeout(resolve, 500));
  const stats = await (await fetch(`${gong.url}/api/stats`)).json();
  assertEquals([stats.gong_stuck_sockets, await sessionsOf(gong)], [0, 0]);
});
