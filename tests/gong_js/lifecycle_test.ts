import { assert, assertEquals, assertThrows } from "@std/assert";
// @ts-types="../../static/gong.d.ts"
import { Gong } from "../../static/gong.js";
import { until } from "../support/until.ts";
import { Heard } from "./client.ts";
import { FakeGong } from "./fake.ts";

const pushes = ({ requests }: FakeGong) => requests.filter((request) => request.includes("/push")).length;

Deno.test("Gong is connected while it has a subscription, and only then", async () => {
  await using server = new FakeGong();
  using heard = new Heard(server.url);
  await Promise.resolve();
  assertEquals(server.requests, []);
  const ends = [await heard.listen("a"), heard.gong.subscribe("a", heard.hear), heard.gong.subscribe("b", heard.hear)];
  server.publish("a", "twice");
  await heard.count(2);
  assertEquals(server.commands.filter((command) => "subscribe" in command).length, 2);
  ends[0]?.();
  ends[0]?.();
  server.publish("a", "once");
  await heard.count(3);
  ends[1]?.();
  ends[2]?.();
  await heard.reaches("idle");
  await until(() => server.listeners === 0);
  await heard.listen("a");
  assertEquals(heard.data, ["twice", "twice", "once"]);
  assertEquals(pushes(server), 2);
});

Deno.test("Gong subscribes and unsubscribes over the WebSocket that it has", async () => {
  await using server = new FakeGong();
  using heard = new Heard(server.url);
  const end = await heard.listen("a");
  await heard.listen("b");
  end();
  await heard.listen("c");
  const again = heard.event("subscribed", ({ channel }) => channel === "a");
  heard.gong.subscribe("a", heard.hear, { since: "e:0" });
  server.publish("a", "again");
  await again;
  await heard.count(1);
  assertEquals(pushes(server), 1);
  assertEquals(server.commands.map(({ id: _, ...command }) => Object.keys(command)[0]), [
    "subscribe",
    "subscribe",
    "unsubscribe",
    "subscribe",
    "subscribe",
  ]);
});

Deno.test("Gong goes on hearing when a handler throws, and reports what it threw", async () => {
  await using server = new FakeGong();
  using heard = new Heard(server.url);
  const reported = Promise.withResolvers<string>();
  const listener = (event: ErrorEvent) => {
    event.preventDefault();
    reported.resolve(event.error.message);
  };
  globalThis.addEventListener("error", listener, { once: true });
  heard.gong.subscribe("a", ({ data }) => {
    if (data === 1) throw new Error("of a handler");
  });
  await heard.listen("b");
  heard.gong.subscribe("a", heard.hear);
  server.publish("a", 1);
  server.publish("a", 2);
  await heard.count(2);
  assertEquals(await reported.promise, "of a handler");
});

Deno.test("Gong ends with its signal, and a subscription with its own", async () => {
  await using server = new FakeGong();
  const client = new AbortController();
  const subscription = new AbortController();
  const heard = new Heard(server.url, { signal: client.signal });
  await heard.listen("a", { signal: subscription.signal });
  await heard.listen("b");
  subscription.abort();
  server.publish("a", "not heard");
  server.publish("b", "heard");
  await heard.count(1);
  assertEquals(heard.data, ["heard"]);
  assertThrows(() => heard.gong.subscribe("c", heard.hear, { signal: AbortSignal.abort() }));
  client.abort();
  assertEquals(heard.gong.phase, "closed");
  assertThrows(() => heard.gong.subscribe("c", heard.hear), Error, "The client was closed.");
  assertThrows(() => heard.gong.connect(), Error, "The client was closed.");
  await until(() => server.listeners === 0);
  assertEquals(new Heard(server.url, { signal: AbortSignal.abort() }).gong.phase, "closed");
});

Deno.test("Gong drops a channel that is refused over a WebSocket, and keeps the others", async () => {
  await using server = new FakeGong();
  server.refused.set("secret", { code: "forbidden", message: "Listening to secret is not allowed." });
  using heard = new Heard(server.url);
  const refused = heard.event("error");
  heard.gong.subscribe("secret", heard.hear);
  await heard.listen("a");
  const { error, channel } = await refused;
  assertEquals([error.code, error.message, channel], ["forbidden", "Listening to secret is not allowed.", "secret"]);
  server.publish("a", "still");
  await heard.count(1);
  assertEquals(heard.gong.phase, "open");
});

Deno.test("Gong tries a channel again that is refused for now", async () => {
  await using server = new FakeGong();
  server.refused.set("a", { code: "overloaded", message: "The server is overloaded." });
  using heard = new Heard(server.url);
  heard.gong.subscribe("a", heard.hear);
  await heard.reaches("waiting");
  server.refused.clear();
  await heard.event("subscribed");
  assertEquals(heard.errors, []);
});

for (
  const [status, code] of [[400, "bad_request"], [401, "unauthorized"], [403, "forbidden"], [404, "not_found"]] as const
) {
  Deno.test(`Gong stops for good at ${status}, with an error event, until it is told to connect`, async () => {
    await using server = new FakeGong();
    for (const path of ["push", "sse", "poll"] as const) {
      server.faults.set(path, { status, body: { code, detail: "No." } });
    }
    using heard = new Heard(server.url);
    heard.gong.subscribe("a", heard.hear);
    const { error } = await heard.event("error");
    assertEquals([error.code, error.status, error.message, error.retry], [code, status, "No.", false]);
    assertEquals(heard.gong.phase, "closed");
    server.faults.clear();
    heard.gong.connect();
    server.publish("a", 1);
    await heard.event("subscribed");
  });
}

Deno.test("Gong stops when the server closes the WebSocket with 4403, and comes back after 1012", async () => {
  await using server = new FakeGong();
  using heard = new Heard(server.url);
  await heard.listen("a");
  server.hangUp();
  await heard.reaches("waiting");
  await heard.reaches("open", "websocket");
  server.hangUp(4403, "Closed by the operator.");
  const { error } = await heard.event("error");
  assertEquals([error.status, error.message], [4403, "Closed by the operator."]);
  assertEquals(heard.gong.phase, "closed");
});

Deno.test("Gong waits for as long as Retry-After says, and is not woken before", async () => {
  await using server = new FakeGong();
  for (const path of ["push", "sse"] as const) {
    server.faults.set(path, { status: 503, headers: { "retry-after": "1" } });
  }
  using heard = new Heard(server.url);
  heard.gong.subscribe("a", heard.hear);
  const { delay = 0, error } = await heard.event("state", ({ phase }) => phase === "waiting");
  const start = performance.now();
  assert(delay >= 1_000 && delay < 2_000, String(delay));
  assertEquals([error?.status, error?.retryAfter], [503, 1]);
  server.faults.clear();
  dispatchEvent(new Event("online"));
  await heard.reaches("open");
  assert(performance.now() - start >= 990, "it came too early");
});

Deno.test("Gong connects at once when the network is back, and rests while its page is away", async () => {
  await using server = new FakeGong();
  using heard = new Heard(server.url);
  await heard.listen("a");
  dispatchEvent(new Event("pagehide"));
  assertEquals(heard.gong.phase, "waiting");
  await until(() => server.listeners === 0);
  server.publish("a", "in the meantime");
  dispatchEvent(new Event("pageshow"));
  await heard.count(1);
  dispatchEvent(new Event("pagehide"));
  dispatchEvent(new Event("online"));
  await heard.reaches("open");
});

Deno.test("Gong gives up a connection that has fallen silent, and asks a WebSocket before it does", async () => {
  await using server = new FakeGong();
  using heard = new Heard(server.url, { timeout: 500, transports: ["websocket"] });
  await heard.listen("a");
  await until(() => server.commands.some((command) => "ping" in command));
  assertEquals(heard.states.length, 2);
  server.silent.add("ping");
  const { error } = await heard.event("state", ({ phase }) => phase === "waiting");
  assertEquals(error?.code, "timeout");
});

Deno.test("Gong passes signals on, and knows its session", async () => {
  await using server = new FakeGong();
  using heard = new Heard(server.url);
  await heard.listen("a");
  assertEquals(heard.gong.session, "s1");
  const signal = heard.event("signal");
  server.signal({ hello: 1 });
  assertEquals((await signal).data, { hello: 1 });
  heard.gong.close();
  assertEquals(heard.gong.session, undefined);
});

Deno.test("Gong sends its headers with every request, and finds a server below a path", async () => {
  await using server = new FakeGong();
  const seen: string[] = [];
  const spy: typeof fetch = (input, init) => {
    seen.push(`${new URL(String(input)).pathname} ${new Headers(init?.headers).get("authorization")}`);
    return fetch(input, init);
  };
  const options = { fetch: spy, headers: { authorization: "Bearer key" } };
  using heard = new Heard(`${server.url}below/`, { ...options, transports: ["sse"] });
  await heard.listen("a");
  await heard.gong.publish("a", 1);
  using socket = new Heard(`${server.url}below/`, options);
  await socket.listen("a");
  assertEquals(seen, ["/below/sse Bearer key", "/below/api/publish Bearer key"]);
  assertEquals(server.keys, ["Bearer key", "Bearer key", "Bearer key"]);
});

Deno.test("Gong without a WebSocket begins with the next transport", async () => {
  await using server = new FakeGong();
  using heard = new Heard(server.url, { WebSocket: undefined });
  await heard.listen("a");
  assertEquals(heard.states, ["connecting sse", "open sse"]);
});

Deno.test("Gong.subscribe() takes no position that is none", () => {
  using heard = new Heard("http://127.0.0.1:1/");
  assertThrows(() => heard.gong.subscribe("a", heard.hear, { since: "41" }), TypeError, "`since`");
});

Deno.test("Gong that was not served wants to know where its server is", () => {
  assertThrows(() => new Gong(), TypeError, "`url`");
});
