import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { GongError } from "../../static/gong.d.ts";
import { until } from "../support/until.ts";
import { Heard } from "./client.ts";
import { FakeGong } from "./fake.ts";

const posts = ({ requests }: FakeGong) => requests.filter((request) => request.startsWith("POST")).length;

/** The refusal that a promise ends with. */
async function refusal(promise: Promise<unknown>): Promise<GongError> {
  return await assertRejects(() => promise) as GongError;
}

Deno.test("Gong.publish() needs no connection, and tells position and id", async () => {
  await using server = new FakeGong();
  using heard = new Heard(server.url);
  const first = await heard.gong.publish("a", 1);
  assertMatch(first.id, /^.{48}$/);
  assertEquals({ ...first, id: "" }, { channel: "a", id: "", epoch: "e", offset: 1 });
  assertEquals(await heard.gong.publish("a", 2, { id: "mine" }), { channel: "a", id: "mine", epoch: "e", offset: 2 });
  assertEquals(heard.states, []);
});

Deno.test("Gong.publish() sends everything that may be said, bytes in base64", async () => {
  await using server = new FakeGong();
  using heard = new Heard(server.url);
  await heard.listen("a");
  const details = { id: "i", event: "e", tags: { t: "1" }, contentType: "image/png", ttl: 2 };
  await heard.gong.publish("a", new Uint8Array([0, 255, 16]), details);
  assertEquals(server.commands.at(-1)?.publish, { channel: "a", data: "AP8Q", encoding: "base64", ...details });
});

Deno.test("Gong.publish() whose answer is lost goes by HTTP under the same id, and is published once", async () => {
  await using server = new FakeGong();
  using heard = new Heard(server.url);
  await heard.listen("a");
  server.mute = true;
  const published = [1, 2, 3].map((data) => heard.gong.publish("a", data));
  await heard.count(3);
  server.mute = false;
  server.hangUp();
  assertEquals((await Promise.all(published)).map(({ offset }) => offset), [1, 2, 3]);
  assertEquals(posts(server), 3);
  await heard.reaches("open");
  assertEquals((await heard.gong.publish("a", 4)).offset, 4);
  await heard.count(4);
  assertEquals(heard.data, [1, 2, 3, 4]);
});

Deno.test("Gong.publish() keeps the order over HTTP, also when it has to try again", async () => {
  await using server = new FakeGong();
  using heard = new Heard(server.url);
  server.faults.set("publish", { status: 503 });
  const published = Array.from({ length: 20 }, (_, at) => heard.gong.publish("a", at));
  await until(() => posts(server) >= 2);
  server.faults.clear();
  const offsets = (await Promise.all(published)).map(({ offset }) => offset);
  assertEquals(offsets, Array.from({ length: 20 }, (_, at) => at + 1));
});

Deno.test("Gong.publish() says at once what does not pass, and tries what does until its time is over", async () => {
  await using server = new FakeGong();
  using heard = new Heard(server.url, { timeout: 500 });
  const body = { code: "forbidden", detail: "Publishing to a is not allowed." };
  server.faults.set("publish", { status: 403, body });
  const refused = await refusal(heard.gong.publish("a", 1));
  assertEquals([refused.name, refused.code, refused.status, refused.message, refused.retry], [
    "GongError",
    "forbidden",
    403,
    body.detail,
    false,
  ]);
  assertEquals(posts(server), 1);

  server.faults.set("publish", "swallow");
  const late = await refusal(heard.gong.publish("a", 1));
  assertEquals([late.code, late.retry], ["timeout", true]);

  // A refusal over the WebSocket is one too.
  await heard.listen("b");
  server.silent.add("publish");
  assertEquals((await refusal(heard.gong.publish("b", 1))).code, "timeout");
});

Deno.test("Gong.publish() waits for as long as Retry-After says", async () => {
  await using server = new FakeGong();
  using heard = new Heard(server.url);
  server.faults.set("publish", { status: 429, headers: { "retry-after": "1" } });
  const start = performance.now();
  const published = heard.gong.publish("a", 1);
  await until(() => posts(server) >= 1);
  server.faults.clear();
  await published;
  assert(performance.now() - start >= 1_000, "it came too early");
});

Deno.test("Gong.publish() is given up by its signal and by close()", async () => {
  await using server = new FakeGong();
  using heard = new Heard(server.url);
  server.faults.set("publish", "swallow");
  const controller = new AbortController();
  const given = refusal(heard.gong.publish("a", 1, { signal: controller.signal }));
  const closed = refusal(heard.gong.publish("a", 2));
  controller.abort(new Error("mine"));
  assertEquals((await given).message, "mine");
  heard.gong.close();
  assertEquals((await closed).code, "closed");
  assertEquals((await refusal(heard.gong.publish("a", 3))).code, "closed");
});

Deno.test("Gong.publish() has at most 1,000 unanswered, over HTTP as over a WebSocket", async () => {
  await using server = new FakeGong();
  for (const isConnected of [false, true]) {
    using heard = new Heard(server.url);
    if (isConnected) await heard.listen("a");
    server.faults.set("publish", "swallow");
    server.silent.add("publish");
    const sent = Array.from({ length: 1_000 }, (_, at) => refusal(heard.gong.publish("a", at)));
    assertEquals((await refusal(heard.gong.publish("a", "one more"))).code, "overloaded");
    heard.gong.close();
    for (const { code } of await Promise.all(sent)) assertEquals(code, "closed");
  }
});

Deno.test("Gong.publish() sends what is long by HTTP, and nothing overtakes it", async () => {
  await using server = new FakeGong();
  using heard = new Heard(server.url);
  await heard.listen("a");
  await Promise.all(["x".repeat(10_000), "short"].map((data) => heard.gong.publish("a", data)));
  await heard.count(2);
  assertEquals(heard.data.map((data) => String(data).length), [10_000, 5]);
  assertEquals(posts(server), 2);
});

Deno.test("Gong does not hear itself with echo: false, however it publishes", async () => {
  await using server = new FakeGong();
  for (const transport of ["websocket", "sse", "polling"] as const) {
    using heard = new Heard(server.url, { echo: false, transports: [transport] });
    await heard.listen(transport);
    assert(server.requests.at(-1)?.includes("echo=false"), server.requests.at(-1));
    await heard.gong.publish(transport, "own");
    await heard.gong.publish(transport, "own, long: ".padEnd(10_000));
    server.publish(transport, "foreign");
    await heard.count(1);
    assertEquals(heard.data, ["foreign"]);
  }
});
