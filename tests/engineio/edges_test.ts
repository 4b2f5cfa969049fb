import { assert, assertEquals } from "@std/assert";
import { GongError } from "../../lib/errors.ts";
import { openStage } from "../support/engine.ts";
import { Poller } from "../support/engine_client.ts";
import { until } from "../support/until.ts";

/** Every request reaches an edge that does not have the session. */
const elsewhere = { edges: 2, choose: ({ url }: Request) => url.includes("sid=") ? 1 : 0 };

Deno.test("requests for a session of another edge are answered as its owner answers them", async () => {
  await using stage = openStage(elsewhere);
  for (const [protocol, said, heard] of [[4, "4a\x1ebAQI=", "4a\x1ebAQI="], [3, "2:4a", "2:4a"]] as const) {
    const client = await Poller.open(stage.url, protocol);
    assertEquals((await client.post(said)).text, "ok");
    assertEquals((await client.poll()).text, heard);
    const { begun: poll } = await stage.asked(() => client.poll());
    stage.host.last.say("b");
    assertEquals((await poll).text, protocol === 4 ? "4b" : "2:4b");
    const bad = await client.post("abc");
    assertEquals([bad.status, JSON.parse(bad.text).code], [400, 3]);
    const gone = await client.poll();
    assertEquals([gone.status, JSON.parse(gone.text).code], [400, 1]);
  }
  assertEquals(stage.servers.map(({ size }) => size), [0, 0]);
});

Deno.test("payloads of bytes cross edges", async () => {
  await using stage = openStage(elsewhere);
  const client = await Poller.open(stage.url, 3);
  const body = new Uint8Array([1, 3, 255, 4, 1, 2]);
  assertEquals((await client.post(body, { "content-type": "application/octet-stream" })).text, "ok");
  const response = await fetch(`${stage.url}?${new URLSearchParams(client.query)}`);
  assertEquals(await response.bytes(), body);
});

Deno.test("a second GET by another edge ends the session as one by its own does", async () => {
  await using stage = openStage({ edges: 3 });
  for (let i = 0; i < 10; i++) {
    const client = await Poller.open(stage.url);
    const answers = await Promise.all([client.poll(), client.poll()]);
    answers.sort((one, other) => one.status - other.status);
    assertEquals(answers.map(({ status, text }) => [status, text[0]]), [[200, "1"], [400, "{"]]);
    assertEquals((await client.poll()).status, 400);
  }
});

Deno.test("a GET by another edge that its client aborts ends the session", async () => {
  await using stage = openStage(elsewhere);
  const client = await Poller.open(stage.url);
  const leave = new AbortController();
  const { begun: poll } = await stage.asked(() => client.poll({ signal: leave.signal }).catch((error) => error));
  leave.abort();
  await poll;
  await until(() => stage.host.last.ended !== undefined);
  assertEquals(stage.host.last.ended!.reason, "transport error");
  assertEquals((await client.poll()).status, 400);
});

Deno.test("a session whose edge is gone is unknown", async () => {
  await using stage = openStage({ edges: 1 });
  const sid = `5-${crypto.randomUUID()}`;
  const client = await Poller.open(stage.url);
  Object.assign(client.query, { sid });
  for (const { status, text } of [await client.poll(), await client.post("4a")]) {
    assertEquals([status, JSON.parse(text).code], [400, 1]);
  }
  const wire = await client.upgrade();
  wire.send("2probe");
  await wire.end();
});

Deno.test("a client that leaves while its session moves leaves nothing behind", async () => {
  await using stage = openStage({ edges: 2, choose: ({ headers }) => headers.has("upgrade") ? 1 : 0 });
  const client = await Poller.open(stage.url);
  let go = () => {};
  const gone = new Promise<void>((resolve) => go = resolve);
  stage.host.giving = () => gone;
  const wire = await client.upgrade();
  wire.send("2probe");
  assertEquals(await wire.next(), "3probe");
  wire.send("5");
  wire.send("4held");
  await until(() => !stage.host.last.socket.isOpen || stage.host.last.socket.pending === 0);
  await wire.close();
  go();
  await until(() => stage.host.moved.length === 1 && stage.host.last.ended !== undefined);
  assertEquals(stage.host.last.said, ["held"]);
  assertEquals(stage.servers.map(({ size }) => size), [0, 0]);
});

Deno.test("a session that cannot be packed is closed, and its WebSocket too", async () => {
  await using stage = openStage({ edges: 2, choose: ({ headers }) => headers.has("upgrade") ? 1 : 0 });
  const client = await Poller.open(stage.url);
  stage.host.giving = () => {
    throw new GongError("internal");
  };
  const wire = await client.upgrade();
  wire.send("2probe");
  await wire.next();
  wire.send("5");
  await wire.end();
  await until(() => stage.host.last.ended !== undefined);
  assertEquals(stage.servers.map(({ size }) => size), [0, 0]);
});

Deno.test("what a client says while its session moves is bounded", async () => {
  await using stage = openStage({
    edges: 2,
    choose: ({ headers }) => headers.has("upgrade") ? 1 : 0,
    settings: { maxPayload: 1000 },
  });
  const client = await Poller.open(stage.url);
  let go = () => {};
  const gone = new Promise<void>((resolve) => go = resolve);
  stage.host.giving = () => gone;
  const wire = await client.upgrade();
  wire.send("2probe");
  await wire.next();
  wire.send("5");
  for (let i = 0; i < 3; i++) wire.send(`4${"a".repeat(499)}`);
  assertEquals((await wire.end()).code, 4429);
  go();
  await until(() => stage.host.moved.length === 1 && stage.host.last.ended !== undefined);
  assertEquals(stage.servers.map(({ size }) => size), [0, 0]);
});

/** Does what the official client does: polls and posts at once, and goes on with a WebSocket when both are quiet. */
async function visit(url: string, messages: number): Promise<string[]> {
  const client = await Poller.open(url);
  const heard: string[] = [];
  let isPaused = false;
  const hear = (payload: string) => {
    for (const packet of payload.split("\x1e")) if (packet[0] === "4") heard.push(packet.slice(1));
  };
  const polls = (async () => {
    while (!isPaused) {
      const { status, text } = await client.poll();
      if (status !== 200) throw new Error(`GET: ${status} ${text}`);
      hear(text);
    }
  })();
  let next = 0;
  for (; next < messages / 2;) {
    const packets = Array.from({ length: 1 + next % 3 }, () => `4${next++}`);
    const { status, text } = await client.post(packets.join("\x1e"));
    if (status !== 200) throw new Error(`POST: ${status} ${text}`);
  }
  const wire = await client.upgrade();
  wire.send("2probe");
  assertEquals(await wire.next(), "3probe");
  isPaused = true;
  await polls;
  wire.send("5");
  for (; next < messages; next++) wire.send(`4${next}`);
  while (heard.length < messages) hear(await wire.next() as string);
  const late = await client.poll();
  assertEquals([late.status, JSON.parse(late.text).code], [400, 3]);
  await wire.close();
  return heard;
}

Deno.test("of many clients whose requests reach any edge nothing is lost, doubled or out of order", async () => {
  await using stage = openStage({ edges: 4 });
  const messages = 60;
  const expected = Array.from({ length: messages }, (_, i) => `${i}`);
  const all = await Promise.all(Array.from({ length: 40 }, () => visit(stage.url, messages)));
  for (const heard of all) assertEquals(heard, expected);
  assertEquals(stage.host.sessions.length, 40);
  for (const { said } of stage.host.sessions) assertEquals(said, expected);
  assert(stage.host.moved.length > 10, `${stage.host.moved.length} moved`);
  await until(() => stage.servers.every(({ size }) => size === 0));
  assertEquals(stage.host.given.filter(({ ended }) => ended), []);
});

Deno.test("a WebSocket for a session of another node is refused as what it is, and the session goes on", async () => {
  await using stage = openStage({ ...elsewhere, far: true });
  const client = await Poller.open(stage.url);
  const query = new URLSearchParams({ ...client.query, transport: "websocket" });
  const response = await fetch(`${stage.url}?${query}`, { headers: { upgrade: "websocket", connection: "upgrade" } });
  assertEquals([response.status, await response.json()], [404, { code: 3, message: "Session of another node" }]);
  const wire = await client.upgrade();
  assertEquals(wire.isOpen, false);
  assertEquals(stage.refusals, [], "it is nobody's fault");
  assertEquals((await client.post("4a")).text, "ok");
  assertEquals((await client.poll()).text, "4a");
  // Of a session that nobody has made an edge says so.
  Object.assign(client.query, { sid: "nobody" });
  const unknown = await fetch(`${stage.url}?${new URLSearchParams(client.query)}`);
  assertEquals([unknown.status, (await unknown.json()).code], [400, 1]);
});

Deno.test("an edge that ends lets polls of other nodes' sessions go, and takes no more of them", async () => {
  await using stage = openStage({ ...elsewhere, far: true });
  const client = await Poller.open(stage.url);
  const { begun: poll } = await stage.asked(() => client.poll());
  stage.servers[1]!.drain();
  assertEquals((await poll).text, "6");
  const again = await client.poll();
  assertEquals([again.status, JSON.parse(again.text).code], [503, 3]);
  assertEquals((await client.post("4a")).text, "ok");
  assertEquals(stage.host.last.ended, undefined);
  stage.servers[1]!.close();
});
