import { assertEquals } from "@std/assert";
import { GongError } from "../../../lib/errors.ts";
import { SocketIoPeer } from "../../support/socketio_stage.ts";
import { Stage } from "../../support/stage.ts";

Deno.test("a message to the session is `message` in its first namespace, with who sent it", async () => {
  await using stage = new Stage();
  const peer = await SocketIoPeer.connect(stage.edge, "/one");
  await peer.enter("/two");
  const json = stage.edge.json({ channels: [] });
  await stage.edge.hub.signal([peer.client.id], { data: "from the API", contentType: "text/plain" });
  json.socket.say(JSON.stringify({ id: 1, send: { sessions: [peer.client.id], data: { a: 1 } } }));
  assertEquals(await peer.events(2, "/one"), [["message", "from the API"], ["message", { a: 1 }, { from: json.id }]]);
  const bytes = Uint8Array.of(1, 2, 3);
  await stage.edge.hub.signal([peer.client.id], { data: bytes, contentType: "application/octet-stream", user: "u" });
  const [event, data, who] = await peer.event("/one");
  assertEquals([event, new Uint8Array(data as Uint8Array), who], ["message", bytes, { user: "u" }]);
});

Deno.test("a question wants an acknowledgement, of which the first argument is the answer", async () => {
  await using stage = new Stage();
  const peer = await SocketIoPeer.connect(stage.edge);
  const json = stage.edge.json({ channels: [] });
  const answers: [argument: unknown, answer: Record<string, unknown>][] = [
    ["text", { data: "text" }],
    [{ yes: true }, { data: { yes: true } }],
    [undefined, { data: null }],
    [Uint8Array.of(1, 2), { data: "AQI=", encoding: "base64", contentType: "application/octet-stream" }],
    [{ deep: Uint8Array.of(1) }, { data: { deep: { _placeholder: true, base64: "AQ==" } } }],
  ];
  for (const [index, [argument, expected]] of answers.entries()) {
    json.socket.say(JSON.stringify({ id: index, ask: { sessions: [peer.client.id], data: "?" } }));
    const { id, data } = await peer.next(({ type, id }) => type === 2 && id !== undefined);
    assertEquals(data, ["message", "?", { from: json.id }]);
    peer.say({ type: 3, nsp: "/", id: id!, data: argument === undefined ? [] : [argument] });
    const { ok } = await json.socket.answer(index);
    assertEquals(ok, { reached: 1, from: peer.client.id, ...expected });
  }
});

Deno.test("a message to a session that is in no namespace is nobody's, and hurts nobody", async () => {
  await using stage = new Stage();
  const peer = new SocketIoPeer(stage.edge);
  await stage.edge.hub.signal([peer.client.id], { data: "x", contentType: "text/plain" });
  await peer.enter();
  assertEquals(peer.left, []);
});

Deno.test("what was posted and not taken is the event `$error`, whose end is the place where the client stands", async () => {
  await using stage = new Stage({ config: { dev: false, publicChannels: ["*"] } });
  const peer = await SocketIoPeer.connect(stage.edge);
  peer.emit("x", 1);
  assertEquals(await peer.event(), ["$error", {
    code: "forbidden",
    message: "Publishing to broadcast is not allowed.",
  }]);
  assertEquals(await peer.ask("x", 1), {
    error: { code: "forbidden", message: "Publishing to broadcast is not allowed." },
  });
  peer.client.session.door.refused(peer.client.session, new GongError("overloaded", "Later."));
  assertEquals((await peer.next(({ type }) => type === 2)).data, [
    ...["$error", { code: "overloaded", message: "Later." }],
    peer.offset(),
  ]);
});
