import { assert, assertEquals } from "@std/assert";
import { setImmediate } from "node:timers";
import type { PublishResult } from "../lib/types.ts";
import { END, publishAll, Stage } from "./support/stage.ts";

const KIB = 1024;

function codes(results: readonly PublishResult[]): string[] {
  return results.map((result) => "error" in result ? result.error.code : "ok");
}

/** Whether the promise is settled within some turns. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  promise.then(() => settled = true, () => settled = true);
  for (let n = 0; n < 20; n++) await new Promise((resolve) => setImmediate(resolve));
  return settled;
}

Deno.test("publishing waits while an edge lags, and goes on in order when it catches up", async () => {
  await using stage = new Stage({ config: { busLag: 64 * KIB, publishWait: 60 } });
  const { socket } = stage.edge.plain();
  const silent = stage.startSilentEdge(9);
  const first = await stage.publish("a", "x".repeat(80 * KIB));
  assertEquals(codes(first), ["ok"]);
  assert(await stage.figure("gong_bus_lag_bytes") > 80 * KIB);
  const waiting = ["1", "2", "3"].map((text) => stage.publish("a", text));
  assertEquals(await isSettled(Promise.all(waiting)), false);
  silent.notify("acknowledge", 1);
  assertEquals((await Promise.all(waiting)).flatMap(codes), ["ok", "ok", "ok"]);
  await publishAll(stage, "a", [], [{ socket }]);
  assertEquals(socket.sent.slice(1), ["1", "2", "3", END]);
});

Deno.test("publishing that has waited too long is refused with when to come back, and numbers nothing", async () => {
  await using stage = new Stage({ config: { busLag: KIB, publishWait: 0.05 } });
  const silent = stage.startSilentEdge(9);
  await stage.publish("a", "x".repeat(2 * KIB));
  const [result] = await stage.publish("a", "late");
  assert("error" in result!);
  assertEquals([result.error.code, result.error.retryAfter], ["overloaded", 1]);
  silent.notify("acknowledge", 1);
  const [next] = await stage.publish("a", "again");
  assert(!("error" in next!));
  assertEquals(next!.offset, 2);
});

Deno.test("an edge that keeps up says so in time, and at the latest when the bus is silent", async () => {
  await using stage = new Stage({ config: { busLag: 256 * KIB, publishWait: 60 } });
  const client = stage.edge.plain();
  for (let n = 0; n < 20; n++) await stage.publish("a", "x".repeat(32 * KIB));
  await publishAll(stage, "a", [], [client]);
  assert(await stage.figure("gong_bus_lag_bytes") < 80 * KIB);
  const deadline = performance.now() + 5000;
  while (await stage.figure("gong_bus_lag_bytes") > 0) assert(performance.now() < deadline, "it never says the rest");
});

Deno.test("what is posted without wanting an answer goes on for ever, as the hub says that it is dealt with", async () => {
  const message = "x".repeat(2 * KIB);
  await using stage = new Stage({ config: { busLag: 16 * KIB, publishWait: 60 } });
  const [from, to] = [stage.edge.plain(), stage.edge.plain()];
  for (let n = 0; n < 50; n++) {
    from.socket.say(`${n}`.padEnd(message.length, "."));
    await to.socket.frames(n + 1);
  }
  assertEquals(to.socket.sent.map((data) => parseInt(String(data))), Array.from({ length: 50 }, (_, n) => n));
  assertEquals(from.socket.closed, undefined);
});

Deno.test("a message as large as may wait is taken by an edge that is idle, whatever was posted before", async () => {
  await using stage = new Stage({ config: { busLag: 64 * KIB, publishWait: 60 } });
  const [from, to] = [stage.edge.plain(), stage.edge.plain()];
  for (const [index, size] of [1000, 65_000, 1000, 65_000].entries()) {
    from.socket.say("x".repeat(size));
    await Promise.race([to.socket.frames(index + 1), from.socket.end()]);
    assertEquals(from.socket.closed, undefined);
  }
  assertEquals(to.socket.sent.map(({ length }) => length), [1000, 65_000, 1000, 65_000]);
});

Deno.test("what is posted and cannot be taken is refused in the door's own way, by edge and hub, until there is room", async () => {
  await using stage = new Stage({ config: { busLag: 4 * KIB, publishWait: 0.05 } });
  const { socket } = stage.edge.json();
  await socket.subscribed();
  const silent = stage.startSilentEdge(9);
  await stage.publish("a", "x".repeat(5 * KIB));
  const post = () => socket.say(JSON.stringify({ publish: { channel: "a", data: "y".repeat(KIB) } }));
  const refusals = () => socket.lines.map((line) => JSON.parse(line).error?.code).filter((code) => code !== undefined);
  // The edge lets the first three go to the hub, where they wait in vain.
  for (let n = 0; n < 6; n++) post();
  await socket.until(() => refusals().length > 0);
  assertEquals(refusals().length, 3);
  await socket.until(() => refusals().length === 6);
  assertEquals(new Set(refusals()), new Set(["overloaded"]));
  silent.notify("acknowledge", 1);
  socket.sent.length = 0;
  // What the edge holds against it ends as soon as the hub has answered for it.
  while (socket.publications.length === 0) {
    post();
    await new Promise((resolve) => setImmediate(resolve));
  }
  assertEquals(socket.closed, undefined);
});

Deno.test("more than the bound that waits is refused at once", async () => {
  await using stage = new Stage({ config: { busLag: 4 * KIB, publishWait: 60 } });
  stage.startSilentEdge(9);
  await stage.publish("a", "x".repeat(5 * KIB));
  const waiting = stage.publish("a", "x".repeat(3 * KIB));
  assertEquals(codes(await stage.publish("a", "x".repeat(KIB))), ["overloaded"]);
  assertEquals(await isSettled(waiting), false);
  stage.hub.detach(9);
  assertEquals(codes(await waiting), ["ok"]);
});

Deno.test("an edge that is gone holds nobody up, and what was its counts no more", async () => {
  await using stage = new Stage({ edges: 2, config: { busLag: KIB, publishWait: 60, maxPerAddress: 2 } });
  const silent = stage.startSilentEdge(9);
  await Promise.all(
    ["only here", "a"].map((channel) =>
      silent.request("subscribe", { channel, start: undefined, after: 0, limit: {} })
    ),
  );
  const { socket } = stage.edge.plain();
  await stage.publish("a", "x".repeat(2 * KIB));
  const waiting = stage.publish("a", "1");
  assertEquals(await isSettled(waiting), false);
  assertEquals(["only here", "a"].map((channel) => stage.hub.isHosted(channel)), [true, true]);
  stage.hub.detach(9);
  assertEquals(codes(await waiting), ["ok"]);
  assertEquals(["only here", "a"].map((channel) => stage.hub.isHosted(channel)), [false, true]);
  await publishAll(stage, "a", [], [{ socket }]);
  assertEquals(socket.sent.slice(1), ["1", END]);
});

Deno.test("an edge that starts later need not see what came before, and holds nobody up for it", async () => {
  await using stage = new Stage({ config: { busLag: 16 * KIB, publishWait: 60 } });
  const { socket } = stage.edge.plain();
  for (let n = 0; n < 10; n++) await stage.publish("a", "x".repeat(8 * KIB));
  const late = stage.startEdge().plain();
  await publishAll(stage, "a", ["1"], [{ socket }, late]);
  assertEquals(late.socket.sent, ["1", END]);
  assertEquals(await stage.figure("gong_bus_gaps_total"), 0);
});

for (const busDrop of [30, 100]) {
  Deno.test(`a bus that drops ${busDrop} % of the batches loses nothing, the last one included`, async () => {
    await using stage = new Stage({ edges: 2, config: { busDrop } });
    const clients = [stage.edge.plain(), stage.edges[1]!.plain()];
    const lines = stage.edges[1]!.json();
    const texts = Array.from({ length: 200 }, (_, n) => `${n}`);
    await Promise.all(texts.map(async (text, n) => {
      for (let turn = 0; turn < n % 7; turn++) await new Promise((resolve) => setImmediate(resolve));
      return stage.publish("a", text);
    }));
    await publishAll(stage, "a", [], [...clients, lines]);
    for (const { socket } of clients) {
      assertEquals([...socket.sent].sort(), [...texts, END].sort());
      assertEquals(socket.sent, clients[0]!.socket.sent, "in the one order");
    }
    assertEquals(lines.socket.publications.map(({ offset }) => offset), texts.concat(END).map((_, n) => n + 1));
    // Of a few batches chance may drop none.
    if (busDrop < 100) return;
    assert(await stage.figure("gong_bus_gaps_total") > 0);
    assert(await stage.figure("gong_bus_replayed_total") > 0);
  });
}

Deno.test("a bus that brings everything has no gap, however long it is busy", async () => {
  await using stage = new Stage({ edges: 2 });
  const clients = [stage.edge.plain(), stage.edges[1]!.plain()];
  // Longer than the hub waits before it reminds whoever lags.
  const end = performance.now() + 500;
  while (performance.now() < end) await stage.publish("a", "x");
  await publishAll(stage, "a", [], clients);
  assertEquals(await stage.figure("gong_bus_gaps_total"), 0);
});

Deno.test("an edge that lags is reminded after a silence, never while the bus is busy", async () => {
  await using stage = new Stage();
  const reminded = Promise.withResolvers<void>();
  const sentAt: number[] = [];
  const silences: number[] = [];
  stage.startSilentEdge(9, {
    remind(last: number) {
      silences.push(performance.now() - sentAt[last - 1]!);
      if (last === sentAt.length) reminded.resolve();
    },
  });
  // One batch each, for longer than a silence has to be.
  const end = performance.now() + 500;
  while (performance.now() < end) {
    sentAt.push(performance.now());
    await stage.publish("a", "x");
  }
  await reminded.promise;
  assert(silences.every((silence) => silence >= 195), `${silences}`);
});

Deno.test("what the ring no longer has is read again from history, and nobody notices", async () => {
  await using stage = new Stage({ config: { busDrop: 100, busRing: KIB } });
  const [{ socket }, quiet] = [stage.edge.json(), stage.edge.json({ channels: ["b"] })];
  for (let n = 0; n < 20; n++) await stage.publish("a", `${n}`.padEnd(500, "."));
  await publishAll(stage, "a", [], [{ socket }]);
  assertEquals(socket.publications.map(({ offset }) => offset), Array.from({ length: 21 }, (_, n) => n + 1));
  for (const client of [socket, quiet.socket]) {
    assertEquals(client.ofType("subscribed").map(({ recovered }) => recovered), [true]);
  }
});

Deno.test("what neither the ring nor history has is never skipped in silence", async () => {
  await using stage = new Stage({ config: { busDrop: 100, busRing: KIB, historyCount: 2 } });
  const [lines, frames] = [stage.edge.json(), stage.edge.plain()];
  const others = [stage.edge.json({ channels: ["b"] }), stage.edge.plain({ channels: ["b"] })];
  for (let n = 0; n < 20; n++) await stage.publish("a", `${n}`.padEnd(500, "."));
  assertEquals((await frames.socket.end()).code, 4410);
  await publishAll(stage, "a", [], [lines]);
  const { socket } = lines;
  const told = socket.lines.slice(1).map((line) => JSON.parse(line));
  const lost = told.findIndex(({ type, recovered }) => type === "subscribed" && recovered === false);
  assert(lost > 0);
  const after = told.slice(lost + 1).filter(({ type }) => type === undefined).map(({ offset }) => offset);
  assertEquals(after, Array.from({ length: 21 - told[lost].offset }, (_, n) => told[lost].offset + 1 + n));
  for (const { socket } of others) assertEquals(socket.closed, undefined);
  assertEquals(others[0]!.socket.ofType("subscribed").map(({ recovered }) => recovered), [true]);
});
