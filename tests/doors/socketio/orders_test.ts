import { assertEquals, assertRejects } from "@std/assert";
import { SocketIoPeer } from "../../support/socketio_stage.ts";
import { Stage } from "../../support/stage.ts";
import { until } from "../../support/until.ts";

Deno.test("a room that the operator takes away is told by `$unsubscribed`, and not recovered", async () => {
  await using stage = new Stage();
  const peer = new SocketIoPeer(stage.edge);
  const first = await peer.enter("/", { rooms: ["a b", "c"] });
  assertEquals(await stage.edge.hub.unsubscribeSessions({ session: peer.client.id }, "broadcast/a%20b"), 1);
  assertEquals(await peer.event(), ["$unsubscribed", "a b"]);
  peer.drop();
  await stage.publish("broadcast/a%20b", "unheard");
  await stage.publish("broadcast/c", "missed");
  const back = new SocketIoPeer(stage.edge);
  assertEquals((await back.enter("/", { pid: first.pid, offset: peer.offset() })).recovered, true);
  assertEquals([await back.event(), back.left], [["message", "missed"], []]);
});

Deno.test("a namespace that the operator takes away ends with DISCONNECT, with its rooms; the others go on", async () => {
  await using stage = new Stage();
  const peer = new SocketIoPeer(stage.edge);
  await peer.enter("/one", { rooms: ["r"] });
  await peer.enter("/two");
  assertEquals(await stage.edge.hub.unsubscribeSessions({ session: peer.client.id }, "one"), 1);
  await peer.next(({ type, nsp }) => type === 1 && nsp === "/one", "DISCONNECT");
  assertEquals(peer.client.session.channels, ["two"]);
  await stage.publish("one/r", "unheard");
  await stage.publish("two", "heard");
  assertEquals([await peer.event("/two"), peer.left], [["message", "heard"], []]);
});

Deno.test("a channel that the operator has a session hear comes in its namespace, or in the first", async () => {
  await using stage = new Stage();
  const peer = new SocketIoPeer(stage.edge);
  const first = await peer.enter("/one");
  await peer.enter("/two");
  for (const channel of ["two/r", "three", "not/a%zz"]) {
    assertEquals(await stage.edge.hub.subscribeSessions({ session: peer.client.id }, channel), 1);
  }
  await until(() => peer.client.session.channels.length === 5);
  for (const channel of ["two/r", "three", "not/a%zz"]) await stage.publish(channel, channel);
  assertEquals(await peer.event("/two"), ["message", "two/r"]);
  assertEquals(await peer.events(2, "/one"), [["message", "three"], ["message", "not/a%zz"]]);
  await stage.edge.hub.unsubscribeSessions({ session: peer.client.id }, "three");
  await stage.publish("three", "unheard");
  await stage.publish("one", "end");
  assertEquals([await peer.event("/one"), peer.left], [["message", "end"], []]);
  assertEquals(first.sid, peer.client.id);
});

Deno.test("what is lost for good is told by `$lost`, in the namespace of the channel", async () => {
  await using stage = new Stage();
  const peer = new SocketIoPeer(stage.edge);
  await peer.enter("/one");
  await peer.enter("/two");
  peer.client.session.door.lost(peer.client.session, "two", { epoch: "e", offset: 7 });
  peer.client.session.door.lost(peer.client.session, "elsewhere", { epoch: "e", offset: 7 });
  assertEquals(await peer.event("/two"), ["$lost", "two"]);
  assertEquals(await peer.event("/one"), ["$lost", "elsewhere"]);
});

Deno.test("the operator's last word is DISCONNECT of each namespace, and of a server that goes away there is none", async () => {
  await using stage = new Stage();
  for (const [code, count] of [["forbidden", 2], ["going_away", 0]] as const) {
    const peer = new SocketIoPeer(stage.edge);
    await peer.enter("/one");
    await peer.enter("/two");
    peer.client.session.close(code);
    await peer.client.socket.end();
    assertEquals(peer.left.map(({ type }) => type), Array(count).fill(1), code);
  }
});

Deno.test("a room that the operator has put a socket in is there again when its client comes back", async () => {
  await using stage = new Stage();
  const peer = new SocketIoPeer(stage.edge);
  const first = await peer.enter();
  assertEquals(await stage.edge.hub.subscribeSessions({ session: peer.client.id }, "broadcast/r"), 1);
  await until(() => peer.client.session.channels.includes("broadcast/r"));
  // What is remembered is remembered when what is asked for later is answered.
  await peer.ask("leave", "none");
  peer.drop();
  await stage.publish("broadcast/r", "missed");
  const back = new SocketIoPeer(stage.edge);
  assertEquals((await back.enter("/", { pid: first.pid })).recovered, true);
  assertEquals([await back.event(), back.left], [["message", "missed"], []]);
});

Deno.test("a CONNECT that is refused takes nothing away that the session heard before", async () => {
  await using stage = new Stage({ config: { maxSubscriptions: 3 } });
  const peer = await SocketIoPeer.connect(stage.edge);
  assertEquals(await stage.edge.hub.subscribeSessions({ session: peer.client.id }, "other"), 1);
  await until(() => peer.client.session.channels.includes("other"));
  await assertRejects(() => peer.enter("/other", { rooms: ["a", "b"] }), Error, "At most 3");
  assertEquals(peer.client.session.channels, ["broadcast", "other"]);
});
