/**
 * Consumers of queues, over real edges and a real hub.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Grant } from "../../lib/auth.ts";
import { openBroker } from "../../lib/brokers/mod.ts";
import { GongError } from "../../lib/errors.ts";
import { json } from "../../lib/doors/json.ts";
import { compileGlobs } from "../../lib/globs.ts";
import type { QueuedMessage } from "../../lib/types.ts";
import { command } from "../support/messages.ts";
import { numbered, Stage, type StageEdge } from "../support/stage.ts";
import { drafts, Taker } from "../support/taker.ts";
import { signToken, TOKEN_SECRET } from "../support/tokens.ts";

/** Puts texts into a queue as a session of its own. */
async function put(edge: StageEdge, texts: readonly string[], queue = "q"): Promise<void> {
  const { session } = edge.plain({ channels: ["put"] });
  await session.submit(drafts(texts, queue));
  session.leave();
}

/** Everything that the edge has said is with the hub, and what that has answered is here. */
async function settled(edge: StageEdge): Promise<void> {
  for (let times = 0; times < 3; times++) await edge.hub.totals();
}

Deno.test("DoorSession.consume() gives a session each message once, in order, from whichever edge it comes", async () => {
  await using stage = new Stage({ edges: 2 });
  const [one, two] = stage.edges as [StageEdge, StageEdge];
  await put(one, ["1", "2"]);
  const client = two.plain({ channels: ["a"] });
  const taker = new Taker(client);
  await taker.count(2);
  await put(one, ["3"]);
  await put(two, ["4"]);
  await taker.count(4);
  assertEquals(taker.told, [
    "accepted",
    ...["1", "2", "3", "4"].flatMap((text) => [`encode ${text}`, `given ${text}`]),
  ]);
  const frames = await client.socket.frames(4);
  assertEquals(frames.map((frame) => JSON.parse(String(frame)).data), ["1", "2", "3", "4"]);
  const [first] = taker.messages;
  assertEquals([first!.queue, first!.offset, first!.redelivered, first!.contentType], ["q", 1, false, "text/plain"]);
  assertEquals(await stage.figure("gong_queued_total"), 4);
  await taker.settle("done", "1", "3");
  const figures = [
    "gong_queues",
    "gong_queue_messages",
    "gong_queue_claimed",
    "gong_consumers",
    "gong_queue_done_total",
  ];
  assertEquals(await Promise.all(figures.map((name) => stage.figure(name))), [1, 2, 2, 1, 2]);
  assert(await stage.figure("gong_queue_bytes") > 2);
});

Deno.test("SessionInfo has the queues that a session consumes, each once, and none of others", async () => {
  await using stage = new Stage();
  const client = stage.edge.plain();
  const queues = () => client.session.info(1).queues;
  assertEquals(queues(), undefined);
  const takers = ["q", "r", "q"].map((queue) => new Taker(client, queue));
  assertEquals(queues(), ["q", "r"]);
  for (const { consumer } of takers.slice(1)) consumer.cancel();
  assertEquals(queues(), ["q"]);
});

Deno.test("Consumer.settle() and cancel() give to others what is requeued", async () => {
  await using stage = new Stage({ edges: 2 });
  const [one, two] = stage.edges as [StageEdge, StageEdge];
  const first = new Taker(one.plain(), "q", 2);
  await put(one, ["1", "2", "3"]);
  await first.count(2);
  await first.settle("requeued", "2");
  await first.count(3);
  assertEquals(first.messages.map(({ data, redelivered }) => [data, redelivered]), [["1", false], ["2", false], [
    "2",
    true,
  ]]);
  first.consumer.cancel();
  first.consumer.cancel();
  const second = new Taker(two.plain());
  await second.count(3);
  assertEquals(second.messages.map(({ data, redelivered }) => [data, redelivered]), [["1", true], ["2", true], [
    "3",
    false,
  ]]);
  // What it says of them now is of no effect.
  await first.settle("done", "1", "2");
  await second.settle("done", "1", "2", "3");
  assertEquals(await stage.figure("gong_queue_done_total"), 3);
  assertEquals(await stage.figure("gong_queue_requeued_total"), 3);
  assertEquals(await stage.figure("gong_queue_messages"), 0);
});

Deno.test("what is with a session is requeued when that ends, however it does, and when its edge does", async () => {
  await using stage = new Stage({ edges: 3 });
  const [one, two, three] = stage.edges as [StageEdge, StageEdge, StageEdge];
  await put(one, ["1", "2"]);
  const left = new Taker(one.plain());
  await left.count(2);
  left.client.session.leave();
  const vanished = new Taker(one.plain());
  const other = new Taker(vanished.client, "p");
  await vanished.count(2);
  vanished.client.socket.vanish();
  const dead = new Taker(two.plain());
  await dead.count(2);
  assertEquals(await stage.figure("gong_consumers"), 1);
  stage.hub.detach(2);
  const last = new Taker(three.plain());
  await last.count(2);
  assertEquals(last.messages.map(({ data, redelivered }) => [data, redelivered]), [["1", true], ["2", true]]);
  assertEquals([other.told, await stage.figure("gong_consumers")], [["accepted"], 1]);
});

Deno.test("DoorSession.consume() writes no more than its client takes, and loses nothing of the rest", async () => {
  await using stage = new Stage({ config: { outbox: 20_000 } });
  const client = stage.edge.plain({ channels: ["other"] });
  const { socket } = client;
  socket.reads = "nothing";
  const taker = new Taker(client);
  // Frames are larger than the messages that the hub has counted.
  taker.padding = "x".repeat(3000);
  await put(stage.edge, numbered(30));
  await taker.count(3);
  await settled(stage.edge);
  const few = taker.messages.length;
  assert(few < 10, `${few} were written`);
  assertEquals(await stage.figure("gong_queue_claimed"), 30);
  socket.reads = "after the turn";
  socket.take();
  await taker.count(30);
  assertEquals([taker.texts, socket.closed], [numbered(30), undefined]);
  // Of each, one at most was encoded and had to wait.
  assertEquals(taker.told.filter((told) => told.startsWith("encode")).length, 30);
});

Deno.test("what is assigned just when everything before it is written is written too", async () => {
  await using stage = new Stage();
  const { assign } = stage.edge.edge.methods();
  const taker = new Taker(stage.edge.plain());
  taker.onGiven = (first) => {
    taker.onGiven = () => {};
    const late = { ...first, offset: 2, data: "2" };
    queueMicrotask(() => assign({ consumer: taker.consumer.id, messages: [late] }));
  };
  await put(stage.edge, ["1"]);
  await taker.count(1);
  await settled(stage.edge);
  assertEquals(taker.texts, ["1", "2"]);
});

Deno.test("a session that leaves while its messages wait for room is given no more of them, and others are", async () => {
  await using stage = new Stage({ config: { outbox: 20_000 } });
  const client = stage.edge.plain({ channels: ["other"] });
  client.socket.reads = "nothing";
  const taker = new Taker(client);
  taker.padding = "x".repeat(3000);
  await put(stage.edge, numbered(30));
  await taker.count(3);
  const other = new Taker(stage.edge.plain());
  client.session.leave();
  const { length } = taker.told;
  await other.count(30);
  assertEquals([other.texts, taker.told.length], [numbered(30), length]);
});

Deno.test("a consumer that is cancelled while its messages wait for room is given no more of them", async () => {
  await using stage = new Stage({ config: { outbox: 20_000 } });
  const client = stage.edge.plain({ channels: ["other"] });
  client.socket.reads = "nothing";
  const taker = new Taker(client);
  taker.padding = "x".repeat(3000);
  await put(stage.edge, numbered(30));
  await taker.count(3);
  await settled(stage.edge);
  const { length } = taker.messages;
  taker.consumer.cancel();
  client.socket.reads = "at once";
  client.socket.take();
  const other = new Taker(client);
  await other.count(30);
  assertEquals([other.texts, taker.messages.length], [numbered(30), length]);
});

Deno.test("a consumer that is cancelled has nothing encoded that waited for room", async () => {
  await using stage = new Stage({ config: { outbox: 20_000 } });
  const client = stage.edge.plain({ channels: ["other"] });
  client.socket.reads = "nothing";
  const taker = new Taker(client);
  await put(stage.edge, numbered(20).map((text) => text.padEnd(3000)));
  await taker.count(3);
  await settled(stage.edge);
  const { length } = taker.told;
  assert(await stage.figure("gong_queue_claimed") > taker.messages.length);
  taker.consumer.cancel();
  client.socket.reads = "at once";
  client.socket.take();
  // Its turn comes after that of who has waited longer.
  const other = new Taker(client);
  await other.count(5);
  assertEquals(taker.told.length, length);
});

Deno.test("a message that its session can never take ends that, and is not said to be given", async () => {
  await using stage = new Stage({ config: { outbox: 20_000 } });
  const client = stage.edge.plain();
  const taker = new Taker(client);
  taker.padding = "x".repeat(30_000);
  await put(stage.edge, ["1"]);
  assertEquals((await client.socket.end()).code, 1013);
  assertEquals(taker.told, ["accepted", "encode 1"]);
});

Deno.test("a door that fails at a message loses its session, and another gets the message", async () => {
  await using stage = new Stage();
  const client = stage.edge.plain();
  class Failing extends Taker {
    override encode(): never {
      throw new TypeError("no such frame");
    }
  }
  new Failing(client);
  await put(stage.edge, ["1"]);
  assertEquals((await client.socket.end()).code, 1011);
  const other = new Taker(stage.edge.plain());
  await other.count(1);
  assertEquals(other.texts, ["1"]);
});

Deno.test("messages for a consumer that the edge does not know go back", async () => {
  await using stage = new Stage();
  const { link } = stage.edge;
  await link.request("consume", { id: "1-gone/7", queue: "q", prefetch: 5, bytes: 5000 });
  assertEquals(await stage.figure("gong_consumers"), 1);
  await put(stage.edge, ["1"]);
  const taker = new Taker(stage.edge.plain());
  await taker.count(1);
  assertEquals([taker.texts, taker.messages[0]!.redelivered], [["1"], true]);
  assertEquals(await stage.figure("gong_consumers"), 1);
});

Deno.test("the hub cancels the consumers of a session that is released, also those that its edge has not", async () => {
  await using stage = new Stage();
  const assigned: QueuedMessage[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const link = stage.startSilentEdge(7, {
    assign: ({ messages }: { messages: QueuedMessage[] }) => {
      assigned.push(...messages);
      resolve();
    },
  });
  await link.request("consume", { id: "7-s/1", queue: "q", prefetch: 5, bytes: 5000 });
  await put(stage.edge, ["1"]);
  await promise;
  link.notify("release", "7-s");
  const taker = new Taker(stage.edge.plain());
  await taker.count(1);
  assertEquals([assigned.length, taker.texts], [1, ["1"]]);
});

Deno.test("DoorSession.consume() refuses whoever has no right to, what is no name, and more than there may be", async () => {
  const config = { dev: false, publicChannels: ["a"], maxSubscriptions: 2, tokenSecret: [TOKEN_SECRET] };
  await using stage = new Stage({ config });
  const grant: Grant = {
    name: "user:42",
    scopes: [],
    user: { id: "42", subscribe: compileGlobs(["*", "$queue/mine"]), publish: () => false },
  };
  const client = stage.edge.plain({ grant });
  const code = (queue: string) => assertThrows(() => new Taker(client, queue), GongError).code;
  assertEquals(["q", "", "ä", "a b", "x".repeat(122)].map(code), ["forbidden", ...Array(4).fill("bad_request")]);
  new Taker(client, "mine");
  new Taker(client, "mine");
  assertEquals(code("mine"), "too_many");
  const nobody = stage.edge.plain();
  assertEquals(assertThrows(() => new Taker(nobody, "mine"), GongError).code, "forbidden");
  const admin = stage.edge.plain({ grant: { name: "boss", scopes: ["admin"] } });
  const taker = new Taker(admin, "any");
  await taker.until(() => taker.told.length > 0);
  assertEquals(taker.told, ["accepted"]);
});

Deno.test("DoorSession.consume() of a session that has left does nothing", async () => {
  await using stage = new Stage();
  const client = stage.edge.plain();
  client.session.leave();
  const taker = new Taker(client);
  await settled(stage.edge);
  assertEquals([taker.told, await stage.figure("gong_consumers")], [[], 0]);
  taker.consumer.cancel();
});

Deno.test("DoorSession.consume() tells who is refused by the hub, unless it has cancelled before", async () => {
  await using stage = new Stage({
    openBroker: (...args) => {
      const broker = openBroker(...args);
      return Object.assign(broker, { capabilities: { ...broker.capabilities, queues: false } });
    },
  });
  const client = stage.edge.plain();
  const taker = new Taker(client);
  const cancelled = new Taker(client);
  cancelled.consumer.cancel();
  await taker.until(() => taker.told.length > 0);
  await settled(stage.edge);
  assertEquals([taker.told, cancelled.told], [["refused bad_request"], []]);
});

Deno.test("Session.authenticate() ends the consumers whose queues a newer token does not name", async () => {
  const config = { dev: false, publicChannels: ["a"], tokenSecret: [TOKEN_SECRET] };
  await using stage = new Stage({ config });
  const told: string[] = [];
  const door = { ...json, unsubscribed: (_: unknown, channel: string) => void told.push(channel) };
  const client = stage.edge.json({ door });
  const { session } = client;
  await session.authenticate(signToken({ channels: ["$queue/*"], publish: ["$queue/*"] }));
  const [lost, again, kept] = [new Taker(client, "lost"), new Taker(client, "lost"), new Taker(client, "kept")];
  await session.submit(drafts(["1", "2"], "lost"));
  await Promise.all([lost.count(1), again.count(1)]);
  await session.authenticate(signToken({ channels: ["$queue/kept"], publish: ["$queue/*"] }));
  assertEquals(told, ["$queue/lost"]);
  await session.submit([...drafts(["3"], "lost"), ...drafts(["4"], "kept")]);
  await kept.count(1);
  assertEquals([lost.texts, again.texts, kept.texts], [["1"], ["2"], ["4"]]);
  assertEquals(await stage.figure("gong_queue_claimed"), 1);
});

Deno.test("a queue cannot be heard, also with --dev", async () => {
  await using stage = new Stage();
  const client = stage.edge.json();
  const { error } = await command(client, { subscribe: { channel: "$queue/q" } });
  assertEquals(error.code, "forbidden");
  const published = await command(client, { publish: { channel: "$queue/q", data: 1 } });
  assertEquals(published.error.code, "forbidden");
  const { socket } = stage.edge.json({ channels: ["$queue/q"] });
  assertEquals((await socket.end()).code, 4403);
});
