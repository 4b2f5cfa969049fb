import { assertEquals } from "@std/assert";
import { SocketIoPeer } from "../../support/socketio_stage.ts";
import { numbered, Stage } from "../../support/stage.ts";

Deno.test("a connection goes on at another edge with its namespaces, rooms, questions and recovery", async () => {
  await using stage = new Stage({ edges: 2 });
  const [from, to] = stage.edges as [typeof stage.edge, typeof stage.edge];
  const peer = new SocketIoPeer(from);
  const first = await peer.enter("/one", { rooms: ["r"], user: "ann" });
  await peer.enter("/two");
  const json = from.json({ channels: [] });
  json.socket.say(JSON.stringify({ id: 1, ask: { sessions: [peer.client.id], data: "?" } }));
  const question = await peer.next(({ type, id }) => type === 2 && id !== undefined);
  await peer.move(to);
  peer.say({ type: 3, nsp: "/one", id: question.id!, data: ["answered"] });
  assertEquals((await json.socket.answer(1)).ok.data, "answered");
  for (const [channel, namespace] of [["one", "/one"], ["one/r", "/one"], ["two", "/two"], ["$user/ann", "/one"]]) {
    await stage.publish(channel!, `to ${channel}`);
    assertEquals(await peer.event(namespace), ["message", `to ${channel}`]);
  }
  assertEquals((await peer.askIn("/two", "x")).offset, 2);
  await peer.event("/two");
  assertEquals(await peer.askIn("/one", "leave", "r"), {});
  peer.drop();
  await stage.publish("one", "missed");
  await stage.publish("one/r", "unheard");
  const back = new SocketIoPeer(from);
  const now = await back.enter("/one", { user: "ann", pid: first.pid, offset: peer.offset("/one") });
  assertEquals([now.recovered, now.sid], [true, first.sid]);
  assertEquals([await back.event("/one"), back.left], [["message", "missed"], []]);
});

Deno.test("a connection that moves again and again gets what is published meanwhile once and in order", async () => {
  await using stage = new Stage({ edges: 3, config: { busDrop: 20 } });
  const peer = new SocketIoPeer(stage.edge);
  await peer.enter("/", { rooms: ["r"] });
  const count = 400;
  let isDone = false;
  const moving = (async () => {
    for (let n = 1; !isDone; n++) await peer.move(stage.edges[n % 3]!);
  })();
  for (const text of numbered(count)) await stage.publish("broadcast", text);
  isDone = true;
  await moving;
  await stage.publish("broadcast", "end");
  const heard = await peer.events(count + 1);
  assertEquals(heard.map(([, text]) => text), [...numbered(count), "end"]);
  assertEquals(peer.left, []);
});

Deno.test("a connection moves when its CONNECT is answered and what it publishes is acknowledged", async () => {
  await using stage = new Stage({ edges: 2 });
  const peer = new SocketIoPeer(stage.edge);
  const entering = peer.enter("/", { rooms: ["a", "b"] });
  const moving = peer.move(stage.edges[1]!);
  assertEquals((await entering).recovered, false);
  await moving;
  const asking = [1, 2, 3].map((n) => peer.ask("x", n));
  const joining = peer.ask("join", "c");
  await peer.move(stage.edge);
  assertEquals((await Promise.all(asking)).map(({ offset }) => offset), [1, 2, 3]);
  assertEquals((await joining).channel, "broadcast/c");
  assertEquals(await peer.events(3), [["x", 1], ["x", 2], ["x", 3]]);
  await stage.publish("broadcast/c", "heard");
  assertEquals(await peer.event(), ["message", "heard"]);
});
