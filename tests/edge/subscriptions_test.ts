import { assert, assertEquals } from "@std/assert";
import type { Door } from "../../lib/door.ts";
import { json } from "../../lib/doors/json.ts";
import { plain } from "../../lib/doors/plain.ts";
import { sizeOf } from "../../lib/bytes.ts";
import { parseCursor } from "../../lib/codecs/cursor.ts";
import { openBroker } from "../../lib/brokers/mod.ts";
import { GongError } from "../../lib/errors.ts";
import { SSE_DOORS } from "../../lib/doors/sse.ts";
import type { Position } from "../../lib/types.ts";
import { settle } from "../support/delayed_paths.ts";
import { parseEvents } from "../support/event_stream.ts";
import { END, publishAll, Stage } from "../support/stage.ts";

function say(command: object): string {
  return JSON.stringify(command);
}

Deno.test("subscribing is answered once, then come its line and its publications", async () => {
  await using stage = new Stage();
  await stage.publish("a", "before");
  const { socket } = stage.edge.connect();
  socket.say(say({ id: 1, subscribe: { channel: "a" } }));
  const { ok } = await socket.answer(1);
  assertEquals([ok.offset, ok.recovered], [1, true]);
  await publishAll(stage, "a", ["x"], [{ socket }]);
  const lines = socket.lines.slice(1).map((line) => JSON.parse(line));
  assertEquals(lines.map(({ id, type, data }) => id ?? type ?? data), [1, "subscribed", "x", END]);
  assertEquals(lines[1], { type: "subscribed", channel: "a", ...ok });
  socket.say(say({ id: 2, subscribe: { channel: "a" } }));
  assertEquals((await socket.answer(2)).ok, { ...ok, offset: 3 }, "again: where it stands, and nothing else changes");
  assertEquals(socket.ofType("subscribed").length, 1);
});

Deno.test("a session resumes with everything that it has missed, then hears what is live", async () => {
  await using stage = new Stage({ edges: 2 });
  const texts = ["1", "2", "3", "4", "5"];
  await stage.publish("a", ...texts);
  const { epoch } = (await stage.publish("a", "6"))[0] as { epoch: string };
  for (const edge of stage.edges) {
    const { socket } = edge.connect();
    socket.say(say({ id: 1, subscribe: { channel: "a", since: `${epoch}:2` } }));
    assertEquals((await socket.answer(1)).ok, { epoch, offset: 2, recovered: true });
    await publishAll(stage, "a", [], [{ socket }]);
    const offsets = socket.publications.map(({ offset }) => offset);
    assertEquals(offsets, offsets.map((_, index) => index + 3));
    socket.say(say({ id: 2, unsubscribe: { channel: "a" } }));
    await socket.answer(2);
  }
});

Deno.test("a session without echo resumes without what it has published itself", async () => {
  await using stage = new Stage();
  const other = stage.edge.connect();
  const { socket, session, id } = stage.edge.connect({ echo: false });
  for (const [n, author] of [session, other.session, session].entries()) {
    await author.publish({ channel: "a", data: `${n}`, contentType: "text/plain" });
  }
  const { epoch } = await session.publish({ channel: "a", data: "3", contentType: "text/plain" });
  socket.say(say({ id: 1, subscribe: { channel: "a", since: `${epoch}:0` } }));
  assertEquals((await socket.answer(1)).ok, { epoch, offset: 0, recovered: true });
  await publishAll(stage, "a", [], [{ socket }]);
  assertEquals(socket.publications.map(({ data }) => data), ["1", END]);
  assert(socket.publications.every(({ from }) => from !== id));
});

for (const since of ["never-was:1", "EPOCH:99", "EPOCH:0"]) {
  Deno.test(`a session that cannot resume from ${since} is told so, and hears what is live`, async () => {
    await using stage = new Stage({ config: { historyCount: 2 } });
    const results = await stage.publish("a", "1", "2", "3");
    const { epoch } = results[0] as { epoch: string };
    const { socket } = stage.edge.connect();
    socket.say(say({ id: 1, subscribe: { channel: "a", since: since.replace("EPOCH", epoch) } }));
    assertEquals((await socket.answer(1)).ok, { epoch, offset: 3, recovered: false });
    await publishAll(stage, "a", ["4"], [{ socket }]);
    assertEquals(socket.publications.map(({ offset }) => offset), [4, 5]);
  });
}

Deno.test("what was missed and is more than may be queued comes as the client takes it, and closes nobody", async () => {
  for (const door of [json, plain]) {
    await using stage = new Stage({ config: { outbox: 20_000 } });
    const texts = Array.from({ length: 50 }, (_, n) => `${n}`.padEnd(4000, "ü"));
    const [first] = await stage.publish("a", ...texts);
    const { epoch } = first as { epoch: string };
    const { socket, session } = stage.edge.connect({ door, channels: ["a"], starts: { a: { epoch, offset: 0 } } });
    socket.reads = "after the turn";
    socket.asked = () => assert(session.outbox.held <= 21_024, `${session.outbox.held}`);
    for (let n = 50; n < 60; n++) {
      texts.push(`${n}`);
      await stage.publish("a", `${n}`);
    }
    await publishAll(stage, "a", [], [{ socket }]);
    const got = door === plain ? socket.sent : socket.publications.map(({ data }) => data);
    assertEquals(got, [...texts, END]);
    assertEquals(socket.closed, undefined);
    assertEquals(session.cursor, `a@${epoch}:${texts.length + 1}`);
  }
});

Deno.test("pages that a door makes much larger come in parts, and what fits into no outbox closes its session", async () => {
  await using stage = new Stage({ config: { outbox: 20_000, maxMessage: 20_000 } });
  const texts = Array.from({ length: 30 }, (_, n) => `${n}`.padEnd(1000, "\u0001"));
  const [first] = await stage.publish("a", ...texts);
  const { epoch } = first as { epoch: string };
  const { socket } = stage.edge.connect({ channels: ["a"], starts: { a: { epoch, offset: 0 } } });
  socket.reads = "after the turn";
  await publishAll(stage, "a", [], [{ socket }]);
  assertEquals(socket.publications.map(({ data }) => data), [...texts, END]);
  const [large] = await stage.publish("b", "\u0001".repeat(10_000), "later");
  const starts = { b: { ...large as { epoch: string }, offset: 0 } };
  const other = stage.edge.connect({ channels: ["b"], starts });
  assertEquals((await other.socket.end()).code, 1013);
});

Deno.test("who resumes and takes nothing holds a page, not the history, and others hear what is live", async () => {
  await using stage = new Stage({ config: { outbox: 20_000 } });
  const [first] = await stage.publish("a", ...Array.from({ length: 50 }, () => "x".repeat(4000)));
  const { epoch } = first as { epoch: string };
  const lazy = stage.edge.connect({ channels: ["a", "b"], starts: { a: { epoch, offset: 0 } } });
  lazy.socket.reads = "nothing";
  const { socket } = stage.edge.json();
  await publishAll(stage, "a", ["live"], [{ socket }]);
  await lazy.socket.until(() => lazy.socket.publications.length > 0);
  await publishAll(stage, "a", [], [{ socket }]);
  assert(lazy.session.weigh() <= 21_024, `${lazy.session.weigh()}`);
  assertEquals(lazy.session.hasLeft, false);
  lazy.socket.reads = "at once";
  lazy.socket.take();
  await lazy.socket.until(() => lazy.socket.publications.length === 53);
  assertEquals(lazy.socket.publications.map(({ offset }) => offset), Array.from({ length: 53 }, (_, n) => n + 1));
});

Deno.test("history that is cut off while a client catches up is lost, and the client is told from where it hears", async () => {
  await using stage = new Stage({ config: { outbox: 20_000, historyCount: 50 } });
  const texts = Array.from({ length: 50 }, () => "x".repeat(4000));
  const { epoch } = (await stage.publish("a", ...texts))[0] as { epoch: string };
  const starts = { a: { epoch, offset: 0 } };
  const { socket } = stage.edge.connect({ channels: ["a"], starts });
  const other = stage.edge.connect({ door: plain, channels: ["a"], starts });
  for (const client of [socket, other.socket]) {
    client.reads = "nothing";
    await client.until(() => client.sent.some((data) => String(data).includes("xxx")));
  }
  await stage.publish("a", ...texts);
  for (const client of [socket, other.socket]) {
    client.reads = "at once";
    client.take();
  }
  await socket.subscribed(2);
  const [begin, again] = socket.ofType("subscribed");
  assertEquals([begin.offset, begin.recovered, again.offset, again.recovered], [0, true, 100, false]);
  await publishAll(stage, "a", [], [{ socket }]);
  const offsets = socket.publications.map(({ offset }) => offset);
  assertEquals(offsets, [...Array.from({ length: offsets.length - 1 }, (_, n) => n + 1), 101]);
  assertEquals((await other.socket.end()).code, 4410);
});

Deno.test("a resume of many pages brings everything, while more is published", async () => {
  await using stage = new Stage({ config: { historyCount: 5000 } });
  const texts = Array.from({ length: 3500 }, (_, n) => `${n}`);
  const { epoch } = (await stage.publish("a", ...texts))[0] as { epoch: string };
  const { socket } = stage.edge.connect();
  socket.say(say({ id: 1, subscribe: { channel: "a", since: `${epoch}:0` } }));
  for (let n = 0; n < 20; n++) await stage.publish("a", "more");
  await publishAll(stage, "a", [], [{ socket }]);
  const offsets = socket.publications.map(({ offset }) => offset);
  assertEquals(offsets, Array.from({ length: 3521 }, (_, n) => n + 1));
});

Deno.test("a session hears so many channels and no more; what it gives up makes room", async () => {
  await using stage = new Stage({ config: { maxSubscriptions: 3 } });
  const { socket } = stage.edge.connect();
  const commands = ["a", "b", "c", "d"].map((channel, id) => say({ id, subscribe: { channel } }));
  socket.say(commands.join("\n"));
  assertEquals((await socket.answer(3)).error.code, "too_many");
  await socket.subscribed(3);
  socket.say(say({ id: 4, unsubscribe: { channel: "b" } }));
  socket.say(say({ id: 5, subscribe: { channel: "d" } }));
  assert((await socket.answer(5)).ok);
  assertEquals(socket.closed, undefined);
});

Deno.test("subscribing twice before the first is answered is a conflict, and harms nothing", async () => {
  await using stage = new Stage();
  const { socket } = stage.edge.connect();
  socket.say(`${say({ id: 1, subscribe: { channel: "a" } })}\n${say({ id: 2, subscribe: { channel: "a" } })}`);
  assertEquals((await socket.answer(2)).error.code, "conflict");
  assert((await socket.answer(1)).ok);
  await publishAll(stage, "a", [], [{ socket }]);
  assertEquals(socket.publications.length, 1);
});

Deno.test("unsubscribing before the answer answers both, and the channel is nobody's", async () => {
  await using stage = new Stage();
  const { socket } = stage.edge.connect();
  socket.say(`${say({ id: 1, subscribe: { channel: "a" } })}\n${say({ id: 2, unsubscribe: { channel: "a" } })}`);
  assertEquals((await socket.answer(1)).error.code, "conflict");
  assertEquals((await socket.answer(2)).ok, {});
  await stage.publish("a", "x");
  socket.say(say({ id: 3, ping: {} }));
  await socket.answer(3);
  assertEquals([socket.publications, stage.hub.isHosted("a")], [[], false]);
});

Deno.test("unsubscribing from what it does not hear is answered", async () => {
  await using stage = new Stage();
  const { socket } = stage.edge.connect();
  socket.say(say({ id: 1, unsubscribe: { channel: "a" } }));
  assertEquals((await socket.answer(1)).ok, {});
});

Deno.test("the hub hosts a channel as long as somebody hears it, on whatever edge", async () => {
  await using stage = new Stage({ edges: 2 });
  const [one, two, three] = [stage.edge.json(), stage.edge.json(), stage.edges[1]!.json()];
  await publishAll(stage, "a", [], [one, two, three]);
  assert(stage.hub.isHosted("a"));
  one.socket.vanish();
  two.socket.say(say({ id: 1, unsubscribe: { channel: "a" } }));
  await two.socket.answer(1);
  await publishAll(stage, "a", ["x"], [three]);
  assert(stage.hub.isHosted("a"));
  three.session.close("slow");
  await stage.edges[1]!.hub.readiness();
  assertEquals(stage.hub.isHosted("a"), false);
  assertEquals(await stage.figure("gong_sessions"), 1);
});

Deno.test("a session that is gone before its subscription is answered leaves nothing behind", async () => {
  await using stage = new Stage();
  const { socket } = stage.edge.json({ channels: ["a", "b"] });
  socket.vanish();
  await stage.edge.hub.readiness();
  await stage.publish("a", "x");
  assertEquals([stage.hub.isHosted("a"), stage.hub.isHosted("b")], [false, false]);
});

Deno.test("a session that is closed by what its door says of a subscription hears nothing, and leaves nothing", async () => {
  for (const since of [undefined, "never-was:1"]) {
    await using stage = new Stage();
    const touchy: Door = { ...json, subscribed: (session) => session.close("forbidden") };
    const other = stage.edge.json();
    await other.socket.subscribed();
    // Once the channel is known on this edge and once not.
    for (const channel of ["a", "b"]) {
      const { socket, session } = stage.edge.connect({ door: touchy });
      session.subscribe(channel, since === undefined ? undefined : { epoch: "never-was", offset: 1 });
      await socket.end();
    }
    await publishAll(stage, "a", [], [other]);
    assertEquals([stage.hub.isHosted("a"), stage.hub.isHosted("b")], [true, false]);
    other.session.close("forbidden");
    await stage.edge.hub.readiness();
    assertEquals(stage.hub.isHosted("a"), false);
  }
});

Deno.test("a session that was closed subscribes to nothing", async () => {
  await using stage = new Stage();
  const { session } = stage.edge.connect();
  session.close("forbidden");
  session.subscribe("a");
  await stage.edge.hub.readiness();
  await stage.publish("a", "x");
  assertEquals(stage.hub.isHosted("a"), false);
});

Deno.test("a subscription that the hub refuses is answered, and others of the channel still hear it", async () => {
  let fails = false;
  await using stage = new Stage({
    openBroker(config, announce) {
      const broker = openBroker(config, announce);
      const read = broker.read.bind(broker);
      const fail = () => Promise.reject(new GongError("overloaded", "Not now."));
      return Object.assign(broker, { read: (...args: Parameters<typeof read>) => fails ? fail() : read(...args) });
    },
  });
  const hearing = stage.edge.json();
  await hearing.socket.subscribed();
  fails = true;
  const { socket } = stage.edge.connect();
  socket.say(say({ id: 1, subscribe: { channel: "a", since: "e:1" } }));
  socket.say(say({ id: 2, subscribe: { channel: "b" } }));
  assertEquals((await socket.answer(1)).error, { code: "overloaded", message: "Not now." });
  assertEquals((await socket.answer(2)).error.code, "overloaded");
  fails = false;
  // On the same port, so behind what the edge said when it gave up.
  await stage.edge.hub.readiness();
  assertEquals([stage.hub.isHosted("a"), stage.hub.isHosted("b")], [true, false]);
  socket.say(say({ id: 3, subscribe: { channel: "b" } }));
  assert((await socket.answer(3)).ok);
  await publishAll(stage, "a", [], [hearing]);
});

Deno.test("a session whose own channel the hub refuses is closed with the refusal", async () => {
  await using stage = new Stage({ config: { maxChannels: 1 } });
  const first = stage.edge.plain();
  await publishAll(stage, "a", [], [first]);
  const { socket } = stage.edge.plain({ channels: ["b"] });
  assertEquals(await socket.end(), { code: 1013, reason: "There are too many channels." });
});

Deno.test("the feed of the admin page is numbered from an epoch of its own, and cannot be resumed", async () => {
  await using stage = new Stage({ edges: 2 });
  const clients = stage.edges.map((edge) => edge.json({ channels: ["$admin"] }));
  await Promise.all(clients.map(({ socket }) => socket.subscribed()));
  stage.hub.feed('{"n":1}');
  stage.hub.feed('{"n":2}');
  for (const { socket } of clients) {
    await socket.until(() => socket.publications.length === 2);
    assertEquals(socket.publications.map(({ offset, data }) => [offset, data.n]), [[1, 1], [2, 2]]);
  }
  const [{ epoch }] = clients[0]!.socket.publications;
  for (
    const [since, recovered] of [[`${epoch}:1`, false], [`${epoch}:9`, false], [`${epoch}:2`, true], ["x:2", false]]
  ) {
    const { socket } = stage.edge.connect();
    socket.say(say({ id: 1, subscribe: { channel: "$admin", since } }));
    assertEquals((await socket.answer(1)).ok, { epoch, offset: 2, recovered });
  }
  assertEquals(await stage.figure("gong_published_total"), 0);
  assertEquals(stage.hub.recent(), []);
});

Deno.test("who unsubscribes while pages wait for room gets none of them, and is answered once", async () => {
  await using stage = new Stage({ config: { outbox: 20_000 } });
  const [first] = await stage.publish("a", ...Array.from({ length: 50 }, () => "x".repeat(4000)));
  const { epoch } = first as { epoch: string };
  const { socket } = stage.edge.connect();
  socket.reads = "nothing";
  socket.say(say({ id: 1, subscribe: { channel: "a", since: `${epoch}:0` } }));
  await socket.answer(1);
  await socket.until(() => socket.publications.length > 0);
  await stage.publish("b", "later");
  const before = socket.publications.length;
  socket.say(say({ id: 2, unsubscribe: { channel: "a" } }));
  socket.say(say({ id: 3, subscribe: { channel: "a", since: `${epoch}:40` } }));
  socket.reads = "at once";
  socket.take();
  await socket.answer(3);
  await socket.until(() => socket.publications.at(-1)?.offset === 50);
  await publishAll(stage, "a", [], [{ socket }]);
  assertEquals(socket.lines.filter((line) => JSON.parse(line).id === 1).length, 1);
  const offsets = socket.publications.map(({ offset }) => offset);
  assertEquals(offsets.slice(before), Array.from({ length: 11 }, (_, n) => n + 41));
});

Deno.test("many channels that are resumed together by a slow client close nobody", async () => {
  await using stage = new Stage({ config: { outbox: 40_000 } });
  const channels = Array.from({ length: 12 }, (_, n) => `c${n}`);
  const starts: Record<string, Position> = {};
  for (const channel of channels) {
    const [first] = await stage.publish(channel, ...Array.from({ length: 10 }, () => "x".repeat(2000)));
    starts[channel] = { epoch: (first as Position).epoch, offset: 0 };
  }
  for (const reads of ["at once", "after the turn"] as const) {
    const { socket } = stage.edge.connect({ channels, starts });
    socket.reads = reads;
    await socket.until(() => socket.closed !== undefined || socket.publications.length === 120);
    assertEquals(socket.closed, undefined);
    for (const channel of channels) {
      const offsets = socket.publications.filter((line) => line.channel === channel).map(({ offset }) => offset);
      assertEquals(offsets, Array.from({ length: 10 }, (_, n) => n + 1), channel);
    }
  }
});

Deno.test("a channel that cannot be resumed now stands in the cursor of the last words", async () => {
  await using stage = new Stage({
    openBroker(config, announce, parts) {
      const broker = openBroker(config, announce, parts);
      broker.read = () => Promise.reject(new GongError("overloaded"));
      return broker;
    },
  });
  const [first] = await stage.publish("b", "1", "2");
  const { epoch } = first as Position;
  const { socket } = stage.edge.connect({
    door: SSE_DOORS.get("plain")!,
    channels: ["b"],
    starts: { b: { epoch, offset: 1 } },
  });
  await socket.end();
  assertEquals(JSON.parse(/^data: (.*"type":"close".*)$/m.exec(socket.sent.join(""))![1]!).cursor, `b@${epoch}:1`);
});

Deno.test("who has gone before its turn to resume leaves nothing behind", async () => {
  await using stage = new Stage({ config: { resumeRate: 50 } });
  const clients = Array.from({ length: 110 }, (_, n) => {
    const channel = `c${n}`;
    return stage.edge.connect({ channels: [channel], starts: { [channel]: { epoch: "e", offset: n } } });
  });
  const patient = stage.edge.connect({ channels: ["d"], starts: { d: { last: 1 } } });
  for (const { socket } of clients) socket.vanish();
  await patient.socket.subscribed();
  const hosted = clients.filter((_, n) => stage.hub.isHosted(`c${n}`));
  assertEquals([hosted.length, stage.hub.isHosted("d")], [0, true]);
});

Deno.test("who resumes many channels and takes nothing holds pages of a few outboxes, not one of each channel", async () => {
  const outbox = 64 * 1024;
  let bytes = 0;
  await using stage = new Stage({
    config: { outbox },
    openBroker(...parts) {
      const broker = openBroker(...parts);
      const read = broker.read.bind(broker);
      return Object.assign(broker, {
        async read(...args: Parameters<typeof read>) {
          const history = await read(...args);
          bytes += history.publications.reduce((sum, publication) => sum + sizeOf(publication), 0);
          return history;
        },
      });
    },
  });
  const channels = Array.from({ length: 100 }, (_, n) => `c${n}`);
  for (const channel of channels) await stage.publish(channel, ...Array.from({ length: 50 }, () => "x".repeat(500)));
  const { socket } = stage.edge.connect();
  socket.reads = "nothing";
  channels.forEach((channel, id) => socket.say(say({ id, subscribe: { channel, history: 50 } })));
  await stage.edge.hub.readiness();
  await stage.publish("b", "later");
  // Of these, an outbox is read ahead, whoever it is for.
  assert(bytes > outbox / 2 && bytes < outbox * 6, `${bytes}`);
});

Deno.test("last words for which the socket has no room now leave as soon as it has", async () => {
  await using stage = new Stage({ config: { outbox: 20_000 } });
  const { socket, session } = stage.edge.connect({ door: SSE_DOORS.get("json")!, channels: ["a"] });
  await socket.frames(2);
  socket.reads = "nothing";
  session.write("x".repeat(9000));
  await socket.frames(3);
  session.close("too_old");
  assertEquals([socket.sent.length, socket.closed], [3, undefined]);
  socket.take();
  assertEquals((await socket.end()).code, 4503);
  assert(String(socket.sent.at(-1)).startsWith("id: a@"));
});

Deno.test("a cursor names a channel that is being resumed, also when another has ended meanwhile", async () => {
  await using stage = new Stage();
  const { edge, paths } = stage.startDelayedEdge();
  const [, second] = await stage.publish("c", "1", "2");
  const { epoch } = second as Position;
  edge.json({ channels: ["a", "b"] });
  for (const way of ["to hub", "to edge"] as const) {
    await settle();
    while (paths.waiting(way) > 0) await paths.pass(way);
  }
  // It hears `a` and `b` at once; `c` has to be asked for.
  const door = SSE_DOORS.get("json")!;
  const client = edge.connect({ door, channels: ["a", "b", "c"], starts: { c: { epoch, offset: 1 } } });
  assertEquals(client.session.channels, ["a", "b"]);
  client.session.unsubscribe("b");
  await stage.publish("a", "now");
  await settle();
  while (paths.waiting("batch") > 0) await paths.pass("batch");
  const bytes = client.socket.sent.map((data) => typeof data === "string" ? data : new TextDecoder().decode(data));
  const { id, data } = parseEvents(bytes.join("")).at(-1)!;
  assertEquals(JSON.parse(data).data, "now");
  assertEquals([...parseCursor(id)].map(([name, { offset }]) => [name, offset]).sort(), [["a", 1], ["c", 1]]);
});
