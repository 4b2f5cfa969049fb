import { assertEquals, assertRejects } from "@std/assert";
import { SocketIoPeer } from "../../support/socketio_stage.ts";
import { Stage } from "../../support/stage.ts";

Deno.test("an event is published to the channel of its namespace, and comes to everybody there", async () => {
  await using stage = new Stage();
  const [one, other] = [await SocketIoPeer.connect(stage.edge), await SocketIoPeer.connect(stage.edge)];
  const json = stage.edge.json({ channels: ["broadcast"] });
  await json.socket.subscribed();
  one.emit("chat", { userName: "a", message: "b" }, 7, "text");
  for (const peer of [one, other]) {
    assertEquals(await peer.event(), ["chat", { userName: "a", message: "b" }, 7, "text"]);
  }
  await json.socket.until(() => json.socket.publications.length > 0);
  const [{ event, data, from }] = json.socket.publications;
  assertEquals([event, data, from], ["chat", [{ userName: "a", message: "b" }, 7, "text"], one.client.id]);
});

Deno.test("an event with an acknowledgement is acknowledged with its position", async () => {
  await using stage = new Stage();
  const peer = await SocketIoPeer.connect(stage.edge, "/chat1");
  const { channel, offset, epoch } = await peer.askIn("/chat1", "x", 1);
  assertEquals([channel, offset, typeof epoch], ["chat1", 1, "string"]);
});

Deno.test("join puts a socket into a room, to addresses it, leave takes it out", async () => {
  await using stage = new Stage();
  const [one, other] = [await SocketIoPeer.connect(stage.edge), await SocketIoPeer.connect(stage.edge)];
  const { channel, offset } = await one.ask("join", "r 1");
  assertEquals([channel, offset], ["broadcast/r%201", 0]);
  assertEquals((await other.ask("to", "r 1", "hi", 1, "two")).offset, 1);
  assertEquals(await one.event(), ["hi", 1, "two"]);
  assertEquals(await one.ask("leave", "r 1"), {});
  await other.ask("to", "r 1", "hi", 2);
  await other.ask("end");
  assertEquals(await one.event(), ["end"]);
  assertEquals(await other.event(), ["end"]);
});

Deno.test("namespaces of one connection hear each their own channel, and /broadcast is refused", async () => {
  await using stage = new Stage();
  const peer = await SocketIoPeer.connect(stage.edge, "/chat1");
  await peer.enter("/chat2");
  await assertRejects(() => peer.enter("/broadcast"), Error, "Invalid namespace");
  await stage.publish("chat1", "a");
  await stage.publish("chat2", "b");
  await stage.publish("broadcast", "c");
  await stage.publish("chat1", "d");
  assertEquals(await peer.events(2, "/chat1"), [["message", "a"], ["message", "d"]]);
  assertEquals(await peer.event("/chat2"), ["message", "b"]);
  assertEquals(peer.left, []);
});
