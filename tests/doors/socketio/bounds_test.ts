import { assertEquals, assertThrows } from "@std/assert";
import { readAnswer } from "../../../lib/doors/socketio/events.ts";
import { GongError } from "../../../lib/errors.ts";
import type { PackedConnection } from "../../../lib/socketio/engine.ts";
import { SocketIoPeer } from "../../support/socketio_stage.ts";
import { Stage } from "../../support/stage.ts";

Deno.test("what a client has said with CONNECT is not kept, and does not move with it", async () => {
  await using stage = new Stage();
  const peer = await SocketIoPeer.connect(stage.edge, "/", { rooms: ["a"], secret: "hush" });
  await peer.enter("/chat1", { secret: "hush" });
  const { sockets } = peer.client.session.door.pack!() as PackedConnection;
  assertEquals(sockets.map(({ namespace, auth }) => [namespace, auth]), [["/", {}], ["/chat1", {}]]);
});

Deno.test("as many rooms as there may be are joined with CONNECT, however low the rate of messages is", async () => {
  await using stage = new Stage({ config: { messageRate: 2 } });
  const peer = await SocketIoPeer.connect(stage.edge, "/", { rooms: ["a", "b", "c", "d", "e"] });
  assertEquals(peer.client.session.channels.length, 6);
});

Deno.test("readAnswer() refuses text that is half a character, which no wire can carry", () => {
  assertEquals(assertThrows(() => readAnswer(["\ud800"], 100), GongError).code, "bad_request");
  assertEquals(readAnswer(["\ud83d\ude00"], 100).data, "\u{1f600}");
  // As JSON it is escaped.
  assertEquals(readAnswer([["\ud800"]], 100).data, '["\\ud800"]');
});
