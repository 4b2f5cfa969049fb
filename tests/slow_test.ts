import { assert, assertEquals } from "@std/assert";
import { json } from "../lib/doors/json.ts";
import { plain } from "../lib/doors/plain.ts";
import { END, numbered, publishAll, Stage } from "./support/stage.ts";

Deno.test("a session that reads too slowly is closed before the send that would pass the bound", async () => {
  await using stage = new Stage({ config: { outbox: 10_000 } });
  for (const door of [plain, json]) {
    const channels = [door.name];
    const [slow, quick] = [stage.edge.connect({ door, channels }), stage.edge.connect({ door, channels })];
    slow.socket.reads = "nothing";
    for (let n = 0; n < 3; n++) await stage.publish(door.name, "x".repeat(4000));
    assertEquals(await slow.socket.end(), { code: 1013, reason: "The client reads too slowly." });
    assert(slow.socket.sent.join("").length <= 10_000);
    assertEquals(stage.edge.edge.registry.get(slow.id), undefined);
    await publishAll(stage, door.name, [], [quick]);
    assertEquals(quick.socket.closed, undefined);
  }
  assertEquals(await stage.figure("gong_sessions_closed_total", { reason: "slow" }), 2);
  assertEquals(await stage.figure("gong_dropped_total", { reason: "slow" }), 2);
  assertEquals(await stage.figure("gong_delivered_total"), 2 * (2 + 4));
  assertEquals(await stage.hub.directory.list({ limit: 9 }).then(({ total }) => total), 2);
});

Deno.test("a session that asks for more answers in one turn than may be queued is closed", async () => {
  await using stage = new Stage({ config: { outbox: 10_000 } });
  const { session, socket } = stage.edge.json();
  for (let n = 0; n < 20 && !session.hasLeft; n++) session.write("x".repeat(1000));
  assertEquals(await socket.end(), { code: 1013, reason: "The client reads too slowly." });
  assert(socket.sent.join("").length <= 10_000);
});

Deno.test("a session whose socket has not opened queues no more than another", async () => {
  await using stage = new Stage({ config: { outbox: 10_000 } });
  const { session, socket } = stage.edge.json({ closed: true });
  const other = stage.edge.json({ channels: ["b"] });
  for (let n = 0; n < 20; n++) await stage.publish("a", "x".repeat(1000));
  await publishAll(stage, "b", [], [other]);
  assertEquals([session.hasLeft, session.pending, stage.hub.isHosted("a")], [true, 0, false]);
  socket.open();
  assertEquals([socket.sent, socket.closed?.code], [[], 1013]);
});

Deno.test("Session.close() sends what is queued before it closes", async () => {
  await using stage = new Stage();
  const { session, socket } = stage.edge.json();
  session.write('{"type":"last"}');
  session.close("forbidden", "Enough.");
  assertEquals([socket.ofType("last").length, socket.closed], [1, { code: 4403, reason: "Enough." }]);
  session.write('{"type":"later"}');
  session.close("slow");
  assertEquals([socket.ofType("later").length, socket.closed?.code], [0, 4403]);
});

Deno.test("Session.isDead() is true after two sweeps without a byte taken, and counts anew after one with", async () => {
  await using stage = new Stage({ config: { ping: 1000 } });
  const { session, socket } = stage.edge.plain();
  assertEquals([session.isDead(), session.isDead(), session.isDead()], [false, false, false], "nothing is pending");
  socket.reads = "nothing";
  await stage.publish("a", "x".repeat(1000));
  await socket.frames(1);
  assertEquals(session.isDead(), false);
  socket.take(1);
  assertEquals([session.isDead(), session.isDead()], [false, false]);
  socket.take(1);
  assertEquals([session.isDead(), session.isDead(), session.isDead()], [false, false, true]);
  // More was sent, but none of it taken either.
  session.write("more");
  session.flush();
  assertEquals(session.isDead(), true);
  socket.take();
  assertEquals([session.isDead(), session.isDead()], [false, false]);
});

Deno.test("a burst far larger than the bound reaches those who read, and closes nobody", async () => {
  await using stage = new Stage({ config: { outbox: 65_536 } });
  const clients = [stage.edge.plain(), stage.edge.json({ channels: ["a"] })];
  for (const { socket } of clients) {
    socket.reads = "after the turn";
  }
  const texts = numbered(400).map((text) => text.padEnd(1000, "."));
  await Promise.all(texts.map((text) => stage.publish("a", text)));
  await publishAll(stage, "a", [], clients);
  assertEquals(clients.map(({ socket }) => socket.closed), [undefined, undefined]);
  assertEquals(clients[0]!.socket.sent.length, 401);
  assertEquals(clients[1]!.socket.publications.map(({ data }) => data), [...texts, END]);
});

Deno.test("a session that takes nothing for two pings is gone, one that takes a little is not", async () => {
  await using stage = new Stage({ config: { ping: 0.1, outbox: 1 << 20 } });
  const [stalled, slow] = [stage.edge.plain(), stage.edge.plain()];
  for (const { socket } of [stalled, slow]) socket.reads = "nothing";
  // Asked once a sweep: by then it has taken another byte.
  slow.socket.asked = () => slow.socket.take(1);
  stalled.socket.answers = false;
  await stage.publish("a", "x".repeat(100_000));
  assertEquals((await stalled.socket.end()).code, 4008);
  assertEquals(slow.socket.closed, undefined);
  assertEquals(await stage.figure("gong_sessions_closed_total", { reason: "stalled" }), 1);
  assertEquals(await stage.figure("gong_sessions", { door: "plain" }), 1);
  while (await stage.figure("gong_stuck_sockets") === 0);
  assert(await stage.figure("gong_stuck_bytes") >= 100_000);
  stalled.socket.vanish();
  assertEquals([await stage.figure("gong_stuck_sockets"), await stage.figure("gong_stuck_bytes")], [0, 0]);
});

Deno.test("a session with nothing pending is not stalled, however long it is silent", async () => {
  await using stage = new Stage({ config: { ping: 0.1 } });
  const { socket } = stage.edge.plain();
  await publishAll(stage, "a", ["x"], [{ socket }]);
  let sweeps = 0;
  await new Promise<void>((resolve) => socket.asked = () => ++sweeps === 6 && resolve());
  assertEquals(socket.closed, undefined);
});

Deno.test("stuck sockets past their budget make the edge ask for its replacement", async () => {
  await using stage = new Stage({ config: { ping: 0.1, stuckBudget: 2 ** 20 } });
  const clients = [1, 2].map(() => stage.edge.plain());
  for (const { socket } of clients) [socket.reads, socket.answers] = ["nothing", false];
  await stage.publish("a", "x".repeat(600_000));
  await Promise.all(clients.map(({ socket }) => socket.end()));
  while (stage.told.length === 0) await stage.figure("gong_stuck_sockets");
  const [{ event, edge, detail }] = stage.told as [typeof stage.told[number]];
  assertEquals([event, edge], ["exhausted", 1]);
  assert(detail as number > 2 ** 20);
});

Deno.test("what a socket may not hold yet follows as soon as it has sent the rest, with nothing else to set it off", async () => {
  await using stage = new Stage({ config: { outbox: 10_000 } });
  const { session, socket } = stage.edge.json();
  socket.reads = "nothing";
  const lines = [1, 2, 3].map((n) => JSON.stringify({ type: "own", n, text: "x".repeat(2500) }));
  for (const line of lines) session.write(line);
  await socket.until(() => socket.ofType("own").length === 1);
  for (let left = lines.length - 1; left > 0; left--) {
    const before = socket.sent.length;
    assertEquals(socket.unread.length, 1);
    socket.take();
    await socket.frames(before + 1);
  }
  assertEquals(socket.ofType("own").map(({ n }) => n), [1, 2, 3]);
});

Deno.test("Session.close() waits with the close frame for what the socket may not hold yet, and hears nothing more", async () => {
  await using stage = new Stage({ config: { outbox: 10_000 } });
  const { session, socket } = stage.edge.plain();
  socket.reads = "nothing";
  for (const text of ["1", "2", "3"]) session.write(text.padEnd(2500));
  session.close("going_away");
  assertEquals([socket.sent.length, socket.closed, session.hasLeft], [1, undefined, true]);
  socket.say("too late");
  for (const count of [2, 3]) {
    socket.take();
    await socket.frames(count);
  }
  assertEquals((await socket.end()).code, 1001);
  assertEquals(socket.sent.map((data) => String(data).trim()), ["1", "2", "3"]);
  assertEquals(await stage.figure("gong_published_total"), 0);
});

for (const seconds of [0.5, 0]) {
  Deno.test(`a drain of ${seconds} s waits no longer for what sockets may not hold yet, then they close without`, async () => {
    await using stage = new Stage({ config: { outbox: 10_000 } });
    const { session, socket } = stage.edge.plain();
    socket.reads = "nothing";
    socket.answers = false;
    for (const text of ["1", "2"]) session.write(text.padEnd(4000));
    await stage.hub.directory.drain(seconds);
    // Before the drain is over: then the process ends.
    assertEquals(socket.closed?.code, 1001);
    assertEquals(socket.sent.map((data) => String(data).trim()), ["1"]);
  });
}

Deno.test("whoever costs the most memory is closed first when it is short, however few its bytes are", async () => {
  await using stage = new Stage();
  const [many, large, small] = [stage.edge.connect(), stage.edge.connect(), stage.edge.connect()];
  for (const { socket } of [many, large, small]) socket.reads = "nothing";
  const { registry } = stage.edge.edge;
  large.session.deliver({ frames: ["x".repeat(50_000)], bytes: [50_000], count: 1 });
  small.session.deliver({ frames: ["x"], bytes: [1], count: 1 });
  for (let n = 0; n < 100; n++) many.session.deliver({ frames: ["x"], bytes: [1], count: 1 });
  registry.shed(60_000);
  assertEquals([many.session.hasLeft, large.session.hasLeft, small.session.hasLeft], [true, false, false]);
  registry.shed(60_000);
  assertEquals([large.session.hasLeft, small.session.hasLeft], [true, true]);
});

Deno.test("Session.abandon() closes without what is queued", async () => {
  await using stage = new Stage({ config: { outbox: 10_000 } });
  const { session, socket } = stage.edge.plain();
  session.write("queued");
  session.abandon("overloaded", "Enough.");
  assertEquals([socket.sent, await socket.end()], [[], { code: 1013, reason: "Enough." }]);
});
