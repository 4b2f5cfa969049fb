import { setImmediate } from "node:timers";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Connected, SocketIoPeer } from "../../support/socketio_stage.ts";
import { numbered, Stage, type StageEdge } from "../../support/stage.ts";
import { until } from "../../support/until.ts";

/** What a client gives when it comes back. */
function place(peer: SocketIoPeer, { pid }: Connected, namespace = "/") {
  const offset = peer.offset(namespace);
  return { pid, ...(offset === undefined ? {} : { offset }) };
}

/** Comes back as whom it was. */
async function comeBack(edge: StageEdge, peer: SocketIoPeer, was: Connected, namespace = "/") {
  const back = new SocketIoPeer(edge);
  const now = await back.enter(namespace, place(peer, was, namespace));
  return { back, now };
}

function texts(count: number, prefix = "message"): string[][] {
  return numbered(count).map((text) => ["message", text.replace("message", prefix)]);
}

Deno.test("who comes back with pid and offset gets what it has missed, once and in order, again and again", async () => {
  await using stage = new Stage({ edges: 2 });
  let peer = new SocketIoPeer(stage.edge);
  const first = await peer.enter();
  assertEquals([first.sid, first.recovered], [peer.client.id, false]);
  for (let round = 0; round < 4; round++) {
    await stage.publish("broadcast", `live ${round}`);
    assertEquals(await peer.event(), ["message", `live ${round}`]);
    peer.drop();
    await stage.publish("broadcast", ...numbered(5));
    const { back, now } = await comeBack(stage.edges[round % 2]!, peer, first);
    assertEquals([now.sid, now.pid, now.recovered], [first.sid, first.pid, true]);
    assertEquals(back.client.session.id, first.sid);
    assertEquals(await back.events(5), texts(5));
    peer = back;
  }
  await stage.publish("broadcast", "end");
  assertEquals(await peer.event(), ["message", "end"]);
  assertEquals(peer.left, []);
});

Deno.test("who has heard nothing since CONNECT goes on from there without an offset", async () => {
  await using stage = new Stage();
  await stage.publish("broadcast", "before");
  const peer = new SocketIoPeer(stage.edge);
  const first = await peer.enter();
  peer.drop();
  await stage.publish("broadcast", "missed");
  const { back, now } = await comeBack(stage.edge, peer, first);
  assertEquals([now.recovered, await back.event()], [true, ["message", "missed"]]);
});

Deno.test("CONNECT is answered before anything that was missed comes", async () => {
  await using stage = new Stage();
  const peer = new SocketIoPeer(stage.edge);
  const first = await peer.enter("/", { rooms: ["a", "b", "c"] });
  peer.drop();
  for (const channel of ["broadcast", "broadcast/a", "broadcast/b", "broadcast/c"]) {
    await stage.publish(channel, ...numbered(50));
  }
  const { back, now } = await comeBack(stage.edge, peer, first);
  assertEquals(now.recovered, true);
  await back.events(200);
  assertEquals(back.packets[0]!.type, 0);
});

Deno.test("rooms are there again, those too that were joined after the last event, and those that were left are not", async () => {
  await using stage = new Stage();
  const peer = new SocketIoPeer(stage.edge);
  const first = await peer.enter("/", { rooms: ["early", "left"] });
  await stage.publish("broadcast/left", "heard");
  await peer.event();
  await peer.ask("leave", "left");
  await stage.publish("broadcast/late", "before it was joined");
  await peer.ask("join", "late");
  peer.drop();
  for (const room of ["early", "left", "late"]) await stage.publish(`broadcast/${room}`, `missed in ${room}`);
  const { back, now } = await comeBack(stage.edge, peer, first);
  assertEquals(now.recovered, true);
  const missed = (await back.events(2)).map(([, text]) => text);
  assertEquals(missed.toSorted(), ["missed in early", "missed in late"]);
  await stage.publish("broadcast/left", "unheard");
  await stage.publish("broadcast/late", "live");
  assertEquals([await back.event(), back.left], [["message", "live"], []]);
});

Deno.test("a room that was left and joined again is heard from then on", async () => {
  await using stage = new Stage();
  const peer = new SocketIoPeer(stage.edge);
  const first = await peer.enter("/", { rooms: ["r"] });
  await stage.publish("broadcast/r", "heard");
  await peer.event();
  await peer.ask("leave", "r");
  await stage.publish("broadcast/r", "not heard");
  await peer.ask("join", "r");
  peer.drop();
  await stage.publish("broadcast/r", "missed");
  const { back, now } = await comeBack(stage.edge, peer, first);
  assertEquals([now.recovered, await back.event(), back.left], [true, ["message", "missed"], []]);
});

Deno.test("to join a room again does not pass over what has not arrived of it", async () => {
  await using stage = new Stage();
  const peer = new SocketIoPeer(stage.edge);
  const first = await peer.enter("/", { rooms: ["r"] });
  const { offset } = (await stage.publish("broadcast/r", "on its way"))[0] as { offset: number };
  await peer.event();
  assertEquals((await peer.ask("join", "r")).offset, offset);
  peer.drop();
  // The event had not arrived.
  const back = new SocketIoPeer(stage.edge);
  assertEquals((await back.enter("/", { pid: first.pid })).recovered, true);
  assertEquals([await back.event(), back.left], [["message", "on its way"], []]);
});

Deno.test("what a client has said itself is not taken for its place", async () => {
  await using stage = new Stage();
  const peer = new SocketIoPeer(stage.edge);
  const first = await peer.enter();
  peer.emit("said", "a", "the last text");
  assertEquals(await peer.event(), ["said", "a", "the last text"]);
  peer.drop();
  await stage.publish("broadcast", "missed");
  const { back, now } = await comeBack(stage.edge, peer, first);
  assertEquals([now.recovered, await back.event()], [true, ["message", "missed"]]);
});

Deno.test("an offset that is not signed here recovers nothing: a new pid, and what comes from then on", async () => {
  await using stage = new Stage();
  for (const forge of [() => "the last text", () => "", (offset: string) => offset.replace(/:\d+~/, ":1~")]) {
    const peer = new SocketIoPeer(stage.edge);
    const first = await peer.enter();
    await stage.publish("broadcast", "one", "two");
    await peer.events(2);
    peer.drop();
    await stage.publish("broadcast", "missed");
    const back = new SocketIoPeer(stage.edge);
    const now = await back.enter("/", { pid: first.pid, offset: forge(peer.offset()!) });
    assertEquals(now.recovered, false);
    assert(now.pid !== first.pid, "another pid");
    await stage.publish("broadcast", "live");
    assertEquals([await back.event(), back.left], [["message", "live"], []]);
    back.drop();
    // What it had before is no more.
    const again = await new SocketIoPeer(stage.edge).enter("/", place(peer, first));
    assertEquals(again.recovered, false);
  }
});

Deno.test("an offset of an earlier pid does not bring back what came before the new one", async () => {
  await using stage = new Stage();
  const peer = new SocketIoPeer(stage.edge);
  await peer.enter();
  await stage.publish("broadcast", "1");
  await peer.event();
  peer.drop();
  await stage.publish("broadcast", "2", "3");
  const other = new SocketIoPeer(stage.edge);
  const fresh = await other.enter("/", { pid: "unknown", offset: peer.offset() });
  assertEquals(fresh.recovered, false);
  other.drop();
  await stage.publish("broadcast", "4");
  const back = new SocketIoPeer(stage.edge);
  const now = await back.enter("/", { pid: fresh.pid, offset: peer.offset() });
  assertEquals([now.recovered, await back.event(), back.left], [true, ["message", "4"], []]);
});

Deno.test("the session of a connection that is half open is no more when its client is back", async () => {
  await using stage = new Stage({ edges: 2 });
  const peer = new SocketIoPeer(stage.edge);
  const first = await peer.enter();
  const { back, now } = await comeBack(stage.edges[1]!, peer, first);
  assertEquals([now.recovered, now.sid], [true, first.sid]);
  assert(peer.client.socket.closed, "the old connection is closed");
  assertEquals((await stage.edge.hub.totals()).sessions, 1);
  await stage.publish("broadcast", "once");
  assertEquals(await back.event(), ["message", "once"]);
  assertEquals(peer.left, [], "no last words");
});

Deno.test("who comes back while much is published gets each event once and in order", async () => {
  await using stage = new Stage({ edges: 3, config: { busDrop: 20 } });
  const count = 600;
  let peer = new SocketIoPeer(stage.edge);
  const first = await peer.enter("/", { rooms: ["r"] });
  let published = 0;
  const publishing = (async () => {
    while (published < count) {
      const channel = published % 3 === 0 ? "broadcast/r" : "broadcast";
      await stage.publish(channel, `${published++}`);
    }
  })();
  const heard: string[] = [];
  for (let round = 1; heard.length < count; round++) {
    while (heard.length < Math.min(count, round * 37)) heard.push(String((await peer.event())[1]));
    if (heard.length === count) break;
    // Every other time the old connection is still there.
    if (round % 2) peer.drop();
    const { back, now } = await comeBack(stage.edges[round % 3]!, peer.asTaken(), first);
    assertEquals([now.recovered, now.sid], [true, first.sid], `round ${round}`);
    peer = back;
  }
  await publishing;
  for (const isOfRoom of [true, false]) {
    const own = heard.filter((text) => (Number(text) % 3 === 0) === isOfRoom).map(Number);
    const all = Array.from({ length: count }, (_, n) => n).filter((n) => (n % 3 === 0) === isOfRoom);
    assertEquals(own, all);
  }
  assertEquals(peer.left, []);
});

Deno.test("a connection that ends while it comes back takes nothing from the next", async () => {
  await using stage = new Stage({ edges: 2 });
  const peer = new SocketIoPeer(stage.edge);
  const first = await peer.enter();
  await stage.publish("broadcast", "heard");
  await peer.event();
  peer.drop();
  for (let turns = 0; turns < 24; turns++) {
    const dying = new SocketIoPeer(stage.edges[turns % 2]!);
    dying.enter("/", place(peer, first)).catch(() => {});
    for (let turn = 0; turn < turns / 2; turn++) await new Promise((resolve) => setImmediate(resolve));
    if (turns % 3 > 0) dying.drop();
    await stage.publish("broadcast", `missed ${turns}`);
    const { back, now } = await comeBack(stage.edge, peer, first);
    assertEquals([turns, now.sid, now.pid, now.recovered], [turns, first.sid, first.pid, true]);
    const events = await back.events(turns + 1);
    assertEquals(events, Array.from({ length: turns + 1 }, (_, number) => ["message", `missed ${number}`]));
    back.drop();
  }
});

Deno.test("two namespaces come back each by itself, with one id", async () => {
  await using stage = new Stage();
  const peer = new SocketIoPeer(stage.edge);
  const [one, two] = [await peer.enter("/one"), await peer.enter("/two", { rooms: ["r"] })];
  assertEquals(one.sid, two.sid);
  assert(one.pid !== two.pid, "another pid");
  await stage.publish("one", "1");
  await peer.event("/one");
  peer.drop();
  await stage.publish("one", "missed in one");
  await stage.publish("two", "missed in two");
  await stage.publish("two/r", "missed in two/r");
  const back = new SocketIoPeer(stage.edge);
  for (const [namespace, was] of [["/one", one], ["/two", two]] as const) {
    const now = await back.enter(namespace, place(peer, was, namespace));
    assertEquals([now.recovered, now.sid, now.pid], [true, was.sid, was.pid]);
  }
  assertEquals(await back.event("/one"), ["message", "missed in one"]);
  const others = (await back.events(2, "/two")).map(([, text]) => text);
  assertEquals(others.toSorted(), ["missed in two", "missed in two/r"]);
  assertEquals(back.left, []);
});

Deno.test("where the history of one channel does not reach, nothing is recovered of any", async () => {
  await using stage = new Stage({ config: { historyCount: 5 } });
  const peer = new SocketIoPeer(stage.edge);
  const first = await peer.enter("/", { rooms: ["r"] });
  peer.drop();
  await stage.publish("broadcast/r", "kept");
  await stage.publish("broadcast", ...numbered(6));
  const { back, now } = await comeBack(stage.edge, peer, first);
  assertEquals(now.recovered, false);
  assert(now.pid !== first.pid, "another pid");
  await stage.publish("broadcast", "live");
  assertEquals([await back.event(), back.left], [["message", "live"], []]);
  // Its rooms are those that it asks for.
  assertEquals(back.client.session.channels, ["broadcast"]);
});

Deno.test("the log tells who has come back, and who could not go on where it was, whether it is let in or not", async () => {
  await using stage = new Stage({ config: { historyCount: 5, dev: false, publicChannels: ["broadcast", "chat"] } });
  const told = () => {
    const events = stage.edge.log.events.splice(0).filter(({ event }) => event.includes("recovered"));
    return events.map(({ event, fields: { session, was } }) => [event, session, was]);
  };
  const peer = new SocketIoPeer(stage.edge);
  const first = await peer.enter();
  await peer.enter("/chat");
  peer.drop();
  const returning = new SocketIoPeer(stage.edge);
  let was = returning.client.id;
  const found = await returning.enter("/", place(peer, first));
  await returning.enter("/chat");
  assertEquals([found.recovered, told()], [true, [["session.recovered", first.sid, was]]]);
  returning.drop();
  await stage.publish("broadcast", ...numbered(6));
  const late = new SocketIoPeer(stage.edge);
  was = late.client.id;
  assertEquals((await late.enter("/", place(returning, found))).recovered, false);
  assertEquals(told(), [["session.not_recovered", first.sid, was]]);
  const third = await late.enter("/chat");
  late.drop();
  const barred = new SocketIoPeer(stage.edge);
  was = barred.client.id;
  await assertRejects(() => barred.enter("/chat", { pid: third.pid, rooms: ["secret"], offset: "x" }));
  assertEquals(told(), [["session.not_recovered", first.sid, was]]);
});

Deno.test("a client that has left a namespace itself, or was thrown out, does not come back", async () => {
  await using stage = new Stage();
  const peer = new SocketIoPeer(stage.edge);
  const left = await peer.enter();
  peer.say({ type: 1, nsp: "/" });
  assertEquals((await peer.enter("/", place(peer, left))).recovered, false);
  const first = await peer.enter("/chat");
  peer.client.session.close("forbidden");
  await peer.next(({ type, nsp }) => type === 1 && nsp === "/chat", "DISCONNECT");
  const { now } = await comeBack(stage.edge, peer, first, "/chat");
  assertEquals(now.recovered, false);
});

Deno.test("what is remembered is of its namespace and of its user", async () => {
  await using stage = new Stage();
  const peer = new SocketIoPeer(stage.edge);
  const first = await peer.enter("/", { user: "ann" });
  peer.drop();
  for (const [namespace, user] of [["/other", "ann"], ["/", "bob"], ["/", undefined]] as const) {
    const back = new SocketIoPeer(stage.edge);
    const now = await back.enter(namespace, { ...place(peer, first), ...(user === undefined ? {} : { user }) });
    assertEquals(now.recovered, false, `${namespace} ${user}`);
    back.drop();
  }
});

Deno.test("a user gets what was pushed meanwhile, in the namespace that was first", async () => {
  await using stage = new Stage();
  const peer = new SocketIoPeer(stage.edge);
  const [one, two] = [await peer.enter("/one", { user: "ann" }), await peer.enter("/two")];
  await stage.publish("$user/ann", "1");
  assertEquals(await peer.event("/one"), ["message", "1"]);
  peer.drop();
  await stage.publish("$user/ann", "2", "3");
  await stage.publish("two", "4");
  const back = new SocketIoPeer(stage.edge);
  assertEquals((await back.enter("/one", { user: "ann", ...place(peer, one, "/one") })).recovered, true);
  assertEquals((await back.enter("/two", place(peer, two, "/two"))).recovered, true);
  assertEquals(await back.events(2, "/one"), [["message", "2"], ["message", "3"]]);
  assertEquals([await back.event("/two"), back.left], [["message", "4"], []]);
});

Deno.test("what the user gets is in a namespace that was not the first is not recovered without that", async () => {
  await using stage = new Stage();
  const peer = new SocketIoPeer(stage.edge);
  const [one, two] = [await peer.enter("/one", { user: "ann" }), await peer.enter("/two")];
  peer.drop();
  await stage.publish("$user/ann", "missed");
  const back = new SocketIoPeer(stage.edge);
  assertEquals((await back.enter("/two", { user: "ann", ...place(peer, two, "/two") })).recovered, false);
  assertEquals((await back.enter("/one", place(peer, one, "/one"))).recovered, false);
  await stage.publish("$user/ann", "live");
  assertEquals([await back.event("/two"), back.left], [["message", "live"], []]);
});

Deno.test("when the first namespace is left, what the user gets comes in the next, and is recovered there", async () => {
  await using stage = new Stage();
  const peer = new SocketIoPeer(stage.edge);
  await peer.enter("/one", { user: "ann" });
  const two = await peer.enter("/two");
  await stage.publish("$user/ann", "1");
  assertEquals(await peer.event("/one"), ["message", "1"]);
  peer.say({ type: 1, nsp: "/one" });
  await until(() => !peer.client.session.channels.includes("one"));
  await stage.publish("$user/ann", "2");
  assertEquals(await peer.event("/two"), ["message", "2"]);
  peer.drop();
  await stage.publish("$user/ann", "3");
  const back = new SocketIoPeer(stage.edge);
  assertEquals((await back.enter("/two", { user: "ann", ...place(peer, two, "/two") })).recovered, true);
  assertEquals([await back.event("/two"), back.left], [["message", "3"], []]);
});

Deno.test("more channels than a cursor names are not recovered, and their events end with an empty text", async () => {
  await using stage = new Stage();
  const rooms = Array.from({ length: 32 }, (_, n) => `${n}`);
  const peer = new SocketIoPeer(stage.edge);
  const first = await peer.enter("/", { rooms });
  await stage.publish("broadcast", "x");
  const { data } = await peer.next(({ type }) => type === 2);
  assertEquals(data, ["message", "x", ""]);
  await peer.ask("leave", "7");
  await stage.publish("broadcast", "y");
  assertEquals(await peer.event(), ["message", "y"]);
  await peer.ask("join", "7");
  await stage.publish("broadcast", "z");
  assertEquals((await peer.next(({ type }) => type === 2)).data, ["message", "z", ""]);
  peer.drop();
  const { now } = await comeBack(stage.edge, peer, first);
  assertEquals(now.recovered, false);
});

Deno.test("with a recovery of 0 there are neither pids nor offsets", async () => {
  await using stage = new Stage({ config: { recovery: 0 } });
  const peer = new SocketIoPeer(stage.edge);
  const first = await peer.enter();
  assertEquals(first.pid, undefined);
  await stage.publish("broadcast", "x");
  assertEquals((await peer.next(({ type }) => type === 2)).data, ["message", "x"]);
  const back = new SocketIoPeer(stage.edge);
  assertEquals((await back.enter("/", { pid: "anything" })).pid, undefined);
});

Deno.test("without the right to one of its channels a client comes back as somebody new, or not at all", async () => {
  await using stage = new Stage({ config: { dev: false, publicChannels: ["broadcast"], maxSubscriptions: 3 } });
  const peer = new SocketIoPeer(stage.edge);
  await assertRejects(() => peer.enter("/secret"), Error, "not allowed");
  await assertRejects(() => peer.enter("/", { rooms: ["secret"] }), Error, "not allowed");
  assertEquals(peer.client.session.channels, []);
  await peer.enter();
  assertEquals(peer.client.session.channels, ["broadcast"]);
});
