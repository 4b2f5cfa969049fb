import { assertEquals } from "@std/assert";
import { SocketIoPeer } from "../../support/socketio_stage.ts";
import { Stage } from "../../support/stage.ts";

Deno.test("a client of version 2 is in `/` from the beginning, without pids and offsets", async () => {
  await using stage = new Stage();
  const peer = new SocketIoPeer(stage.edge, { protocol: 3 });
  const { data } = await peer.next(({ type, nsp }) => type === 0 && nsp === "/");
  assertEquals(data?.pid, undefined);
  await stage.publish("broadcast", "x");
  assertEquals(await peer.event(), ["message", "x"]);
  const bytes = Uint8Array.of(1, 2);
  await stage.edge.hub.publish([{ channel: "broadcast", data: bytes, contentType: "application/octet-stream" }]);
  const [, got] = await peer.event();
  assertEquals(new Uint8Array(got as Uint8Array), bytes);
  assertEquals((await peer.ask("join", "r")).channel, "broadcast/r");
  assertEquals(peer.left, []);
});

Deno.test("what a client of version 2 is refused is an ERROR packet", async () => {
  await using stage = new Stage({ config: { dev: false, publicChannels: ["broadcast"] } });
  const peer = new SocketIoPeer(stage.edge, { protocol: 3 });
  await peer.next(({ type, nsp }) => type === 0 && nsp === "/");
  peer.emit("x", 1);
  const { data } = await peer.next(({ type }) => type === 4);
  assertEquals(data, { code: "forbidden", message: "Publishing to broadcast is not allowed." });
  peer.say({ type: 0, nsp: "/secret" });
  const refused = await peer.next(({ type, nsp }) => type === 4 && nsp === "/secret");
  assertEquals(refused.data, { message: "Listening to secret is not allowed.", data: { code: "forbidden" } });
});
