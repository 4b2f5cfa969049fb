import { assert, assertEquals, assertRejects } from "@std/assert";
// @ts-types="../../static/gong.d.ts"
import { GongError } from "../../static/gong.js";
import { until } from "../support/until.ts";
import { Heard } from "./client.ts";
import { FakeGong, tokenOf } from "./fake.ts";

const TRANSPORTS = ["websocket", "sse", "polling"] as const;

/** Tokens of a user, each one newer. */
function tokens(user = "u") {
  let number = 0;
  return {
    token: () => Promise.resolve(tokenOf(user, ++number)),
    get count() {
      return number;
    },
  };
}

for (const transport of TRANSPORTS) {
  const transports = [transport];

  Deno.test(`Gong shows its token over ${transport}, and again when it comes back`, async () => {
    await using server = new FakeGong();
    const source = tokens();
    using heard = new Heard(server.url, { transports, token: source.token });
    await heard.listen("a");
    server.hangUp();
    await heard.listen("b");
    server.publish("a", 1);
    await heard.count(1);
    assertEquals(source.count, 1, "one that is taken is not asked for again");
    const requests = server.requests.filter((request) => /push|sse|poll/.test(request));
    if (transport === "websocket") assert(requests.every((request) => request.includes("token=u.1")));
    else assertEquals([...new Set(server.keys)], ["Bearer u.1"]);
  });

  Deno.test(`Gong gets another token over ${transport} when the one it has is not taken any more`, async () => {
    await using server = new FakeGong();
    const source = tokens();
    using heard = new Heard(server.url, { transports, token: source.token });
    await heard.listen("a");
    const again = heard.event("state", ({ phase }) => source.count === 2 && phase === "open");
    server.spent.add("u.1");
    server.publish("a", 1);
    await heard.count(1);
    server.hangUp(4401, "The token has expired.");
    await again;
    server.publish("a", 2);
    await heard.count(2);
    assertEquals([heard.data, heard.lost, heard.errors, source.count], [[1, 2], [], [], 2]);
  });

  Deno.test(`Gong ends over ${transport} when a new token is refused, and connect() asks again`, async () => {
    await using server = new FakeGong();
    const source = tokens();
    server.spent.add("u.1");
    using heard = new Heard(server.url, { transports, token: source.token });
    const refused = heard.event("error");
    const there = heard.listen("a");
    const { error } = await refused;
    assertEquals([error.retry, heard.gong.phase], [false, "closed"]);
    assertEquals(source.count, 1);
    heard.gong.connect();
    await there;
    assertEquals(source.count, 2);
  });

  Deno.test(`Gong hears its user's inbox over ${transport}, and loses nothing of it`, async () => {
    await using server = new FakeGong();
    using heard = new Heard(server.url, { transports, token: "u.1" });
    const there = heard.event("subscribed", ({ channel }) => channel === "$user/u");
    heard.gong.subscribe("$user", heard.hear);
    await there;
    server.publish("$user/u", 1);
    server.publish("$user/other", "foreign");
    await heard.count(1);
    server.hangUp();
    server.publish("$user/u", 2);
    await heard.count(2);
    assertEquals(heard.messages.map(({ channel, data }) => [channel, data]), [["$user/u", 1], ["$user/u", 2]]);
    assertEquals(heard.lost, []);
    await heard.listen("a");
    server.publish("$user/u", 3);
    server.publish("a", 4);
    await heard.count(4);
    assertEquals(heard.data.toSorted(), [1, 2, 3, 4]);
  });
}

Deno.test("Gong tries again later when no token can be had", async () => {
  await using server = new FakeGong();
  let asked = 0;
  const token = () => {
    if (++asked === 1) throw new Error("no network");
    return "u.1";
  };
  using heard = new Heard(server.url, { token });
  await heard.listen("a");
  assertEquals([asked, heard.states[1]], [2, "waiting websocket"]);
});

Deno.test("Gong brings another token before the time of the one it has is over", async () => {
  await using server = new FakeGong();
  server.lifetime = 1_200;
  const source = tokens();
  using heard = new Heard(server.url, { token: source.token });
  await heard.listen("a");
  assertEquals(heard.gong.user, "u");
  await until(() => server.commands.some((command) => "authenticate" in command));
  assertEquals(server.commands.find((command) => "authenticate" in command)?.authenticate, { token: "u.2" });
  server.publish("a", 1);
  await heard.count(1);
  assertEquals(server.requests.length, 1, "on the connection that it has");
});

Deno.test("Gong hears an inbox that is asked for late", async () => {
  await using server = new FakeGong();
  using heard = new Heard(server.url, { token: "u.1" });
  await heard.listen("a");
  const there = heard.event("subscribed", ({ channel }) => channel === "$user/u");
  const end = heard.gong.subscribe("$user", heard.hear);
  await there;
  server.publish("$user/u", 1);
  await heard.count(1);
  end();
  server.publish("$user/u", 2);
  server.publish("a", 3);
  await heard.count(2);
  assertEquals(heard.data, [1, 3]);
});

Deno.test("publish() gets another token when the one it has is not taken any more", async () => {
  await using server = new FakeGong();
  const source = tokens();
  using heard = new Heard(server.url, { token: source.token });
  await heard.gong.publish("a", 1);
  server.spent.add("u.1");
  const { offset } = await heard.gong.publish("a", 2);
  assertEquals([offset, source.count], [2, 2]);
  for (let n = 2; n < 9; n++) server.spent.add(tokenOf("u", n));
  await assertRejects(() => heard.gong.publish("a", 3), GongError, "not valid");
  assertEquals(source.count, 3);
});

Deno.test("send() goes over the WebSocket that is open, or over HTTP", async () => {
  await using server = new FakeGong();
  using heard = new Heard(server.url, { token: "u.1" });
  assertEquals((await heard.gong.send({ users: ["u", "v"] }, { a: 1 })).reached, 2);
  await heard.listen("a");
  assertEquals((await heard.gong.send({ users: ["u"] }, "b")).reached, 1);
  assertEquals(server.commands.filter((command) => "send" in command).map(({ send }) => send), [
    { users: ["u"], data: "b" },
  ]);
});

Deno.test("ask() resolves with the answer, and needs a WebSocket", async () => {
  await using server = new FakeGong();
  using heard = new Heard(server.url);
  await assertRejects(() => heard.gong.ask({ sessions: ["s9"] }, "?"), GongError, "WebSocket");
  await heard.listen("a");
  const { reached, data, contentType, from, user } = await heard.gong.ask({ sessions: ["s9"] }, "?", {
    timeout: 2_000,
  });
  assertEquals([reached, data, contentType, from, user], [2, { to: "?" }, "application/json", "s9", "9"]);
  assertEquals(server.commands.at(-1)!.ask, { sessions: ["s9"], timeout: 2, data: "?" });
});

Deno.test("a signal that asks can be answered, another cannot", async () => {
  await using server = new FakeGong();
  using heard = new Heard(server.url);
  await heard.listen("a");
  const asked = heard.event("signal");
  server.signal("how?", { from: "s3", user: "3", reply: "r1" });
  const { data, from, user, answer } = await asked;
  assertEquals([data, from, user], ["how?", "s3", "3"]);
  await answer!(new Uint8Array([1]));
  assertEquals(server.commands.at(-1)!.answer, { reply: "r1", data: "AQ==", encoding: "base64" });
  const told = heard.event("signal");
  server.signal("so");
  assertEquals((await told).answer, undefined);
});

Deno.test("presence() asks who is there, and watch() hears who comes and goes", async () => {
  await using server = new FakeGong();
  using heard = new Heard(server.url);
  const { channel, count } = await heard.gong.presence("room:1", { limit: 5 });
  assertEquals([channel, count, server.requests[0]], ["room:1", 1, "GET /api/presence?channel=room%3A1&limit=5"]);
  const joins = Promise.withResolvers<unknown>();
  const there = heard.event("subscribed");
  heard.gong.watch("room:1", joins.resolve);
  await there;
  server.publish("$presence/room:1", { count: 2, users: 1, joined: [], left: [] });
  assertEquals(await joins.promise, { count: 2, users: 1, joined: [], left: [] });
});

Deno.test("a channel that may not be heard any more is given up with an error of its own", async () => {
  await using server = new FakeGong();
  using heard = new Heard(server.url);
  await heard.listen("a");
  await heard.listen("b");
  const refused = heard.event("error");
  server.unsubscribe("a");
  const { error, channel } = await refused;
  assertEquals([error.code, channel, heard.gong.phase], ["forbidden", "a", "open"]);
  server.publish("b", 1);
  await heard.count(1);
});
