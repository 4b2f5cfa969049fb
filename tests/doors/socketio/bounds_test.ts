import { assertEquals } from "@std/assert";
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
