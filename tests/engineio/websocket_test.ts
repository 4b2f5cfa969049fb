import { assert, assertEquals } from "@std/assert";
import { WebSocket as Ws } from "ws";
import { openStage } from "../support/engine.ts";
import { ask, Wire } from "../support/engine_client.ts";
import { until } from "../support/until.ts";

const BYTES = new Uint8Array([1, 2, 3, 4]);

Deno.test("a WebSocket of 4 carries texts with their type, and bytes as they are", async () => {
  await using stage = openStage();
  const { wire } = await Wire.begin(stage.url);
  wire.send("4hello");
  wire.send(BYTES);
  // An option of the client, without a need for it.
  wire.send("bAQIDBA==");
  assertEquals([await wire.next(), await wire.next(), await wire.next()], ["4hello", BYTES, BYTES]);
  assertEquals(stage.host.last.said, ["hello", BYTES, BYTES]);
  await wire.close();
});

Deno.test("a WebSocket of 3 has bytes with a 4 before them", async () => {
  await using stage = openStage();
  const { wire } = await Wire.begin(stage.url, 3);
  wire.send("4hello");
  wire.send(new Uint8Array([4, ...BYTES]));
  wire.send("b4AQIDBA==");
  const framed = new Uint8Array([4, ...BYTES]);
  assertEquals([await wire.next(), await wire.next(), await wire.next()], ["4hello", framed, framed]);
  assertEquals(stage.host.last.said, ["hello", BYTES, BYTES]);
  await wire.close();
});

Deno.test("outlet is the WebSocket's own", async () => {
  await using stage = openStage();
  const { wire } = await Wire.begin(stage.url);
  const { outlet } = stage.host.last.socket;
  assert(outlet instanceof WebSocket);
  outlet.send("4straight");
  assertEquals(await wire.next(), "4straight");
  await wire.close();
});

const BAD: readonly [string, 3 | 4, string | Uint8Array<ArrayBuffer>, number][] = [
  ["no packet", 4, "abc", 4400],
  ["nothing", 4, "", 4400],
  ["an unknown type", 4, "7", 4400],
  ["a ping", 4, "2", 4400],
  ["a frame that is too large", 4, `4${"é".repeat(500)}`, 1009],
  ["no packet", 3, "abc", 4400],
  ["a pong", 3, "3", 4400],
  ["bytes of no type", 3, new Uint8Array([9, 1]), 4400],
  ["no bytes at all", 3, new Uint8Array(), 4400],
  ["bytes that are too large", 3, new Uint8Array(1001).fill(4), 1009],
];

for (const [what, protocol, frame, code] of BAD) {
  Deno.test(`a WebSocket of ${protocol} that sends ${what} is closed with ${code}`, async () => {
    await using stage = openStage({ settings: { maxPayload: 1000 } });
    const { wire } = await Wire.begin(stage.url, protocol);
    wire.send(frame);
    assertEquals((await wire.end()).code, code);
    assertEquals(stage.host.last.said, []);
    await until(() => stage.servers[0]!.size === 0);
    assertEquals(stage.host.last.ended?.reason, "parse error");
    assertEquals(stage.refusals, [code === 1009 ? "too_large" : "bad_request"]);
  });
}

Deno.test("the client's `1` closes its WebSocket", async () => {
  await using stage = openStage();
  const { wire, handshake: { sid } } = await Wire.begin(stage.url);
  wire.send("1");
  assertEquals((await wire.end()).code, 1000);
  await until(() => stage.host.last.ended !== undefined);
  assertEquals(stage.host.last.ended, { code: 1000, reason: "transport close", clean: true });
  const { text } = await ask(stage.url, { EIO: "4", transport: "polling", sid });
  assertEquals(JSON.parse(text).code, 1);
});

Deno.test("close() closes a WebSocket with its code, behind what was said", async () => {
  await using stage = openStage();
  const { wire } = await Wire.begin(stage.url);
  const { last: heard } = stage.host;
  heard.say("last");
  heard.socket.close(4403, "go");
  assertEquals(heard.socket.isOpen, false);
  heard.say("too late");
  assertEquals(await wire.next(), "4last");
  assertEquals(await wire.end(), { code: 4403, reason: "go" });
  await until(() => heard.ended !== undefined);
  assertEquals(heard.ended, { code: 4403, reason: "go", clean: true });
});

Deno.test("close() before the WebSocket is open closes it as soon as it is", async () => {
  await using stage = openStage();
  stage.host.greet = ({ socket }) => socket.close(4403, "go");
  const wire = await Wire.open(stage.url, { EIO: "4", transport: "websocket" });
  assertEquals(await wire.end(), { code: 4403, reason: "go" });
  await until(() => stage.host.last.ended !== undefined);
  assertEquals(stage.host.last.isOpened, false);
});

Deno.test("closed() is told how the client has closed its WebSocket", async () => {
  await using stage = openStage();
  const { wire } = await Wire.begin(stage.url);
  await wire.close();
  await until(() => stage.host.last.ended !== undefined);
  const { reason, clean } = stage.host.last.ended!;
  assertEquals([reason, clean], ["transport close", true]);
  assertEquals(stage.servers[0]!.size, 0);
});

Deno.test("a client of npm `ws` is served", async () => {
  await using stage = openStage();
  const ws = new Ws(`${stage.url.replace("http", "ws")}?EIO=4&transport=websocket`);
  const heard: string[] = [];
  ws.on("message", (data: { toString(): string }) => heard.push(data.toString()));
  await until(() => heard.length === 1);
  assertEquals(heard[0]![0], "0");
  ws.send("4hello");
  ws.send(BYTES);
  await until(() => heard.length === 3);
  assertEquals(heard.slice(1), ["4hello", "\u0001\u0002\u0003\u0004"]);
  ws.close();
  await until(() => stage.servers[0]!.size === 0);
});

Deno.test("a client of 3 that takes nothing is not answered pings for ever", async () => {
  await using stage = openStage();
  const { wire } = await Wire.begin(stage.url, 3);
  for (let i = 0; i < 61; i++) wire.send("2");
  assertEquals((await wire.end()).code, 4429);
});
