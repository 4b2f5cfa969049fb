import { assertEquals } from "@std/assert";
import { END, publishAll, Stage } from "../support/stage.ts";

Deno.test("the plain door publishes each text frame, as it is, to the first channel named", async () => {
  await using stage = new Stage();
  const from = stage.edge.plain({ channels: ["a", "b"] });
  const [a, b] = [stage.edge.plain(), stage.edge.plain({ channels: ["b"] })];
  const texts = ["x", "", "two\nlines", "\ufeffgrüße 🎉\0", '{"publish":{}}'];
  for (const text of texts) from.socket.say(text);
  await a.socket.frames(texts.length);
  await publishAll(stage, "a", [], [a, from]);
  await publishAll(stage, "b", [], [b]);
  assertEquals([a.socket.sent, from.socket.sent.slice(0, -1)], [[...texts, END], [...texts, END]]);
  assertEquals(b.socket.sent, [END]);
});

Deno.test("the plain door sends bytes as one frame of bytes, JSON as its text, and a message to a session as it is", async () => {
  await using stage = new Stage();
  const { socket, id } = stage.edge.plain();
  const { hub } = stage.edge;
  await hub.publish([
    { channel: "a", data: Uint8Array.of(0, 255), contentType: "application/octet-stream" },
    { channel: "a", data: '{"a":1}', contentType: "application/json" },
  ]);
  await hub.signal([id], { data: "to you", contentType: "text/plain" });
  await socket.frames(3);
  assertEquals(new Set(socket.sent), new Set([Uint8Array.of(0, 255), '{"a":1}', "to you"]));
});

Deno.test("the plain door closes for what it does not take", async () => {
  await using stage = new Stage({ config: { messageRate: 2 } });
  const [bytes, large, many] = [stage.edge.plain(), stage.edge.plain(), stage.edge.plain()];
  bytes.socket.say(Uint8Array.of(1));
  large.socket.say("x".repeat(65_537));
  for (let n = 0; n < 5; n++) many.socket.say("x");
  assertEquals([bytes, large, many].map(({ socket }) => socket.closed?.code), [1003, 1009, 4429]);
});

Deno.test("the plain door takes a message of the largest size, counted in UTF-8", async () => {
  await using stage = new Stage();
  const { socket } = stage.edge.plain();
  for (const text of ["x".repeat(65_536), "€".repeat(21_845)]) {
    socket.say(text);
    await socket.until(() => socket.sent.at(-1) === text);
  }
  socket.say("€".repeat(21_846));
  assertEquals(socket.closed?.code, 1009);
});

Deno.test("the plain door closes with 4403 whoever may not publish, and broadcasts nothing", async () => {
  await using stage = new Stage({ config: { dev: false, apiKey: [], publicChannels: ["a"] } });
  const [from, to] = [stage.edge.plain(), stage.edge.plain()];
  from.socket.say("x");
  assertEquals((await from.socket.end()).code, 4403);
  await publishAll(stage, "a", [], [to]);
  assertEquals(to.socket.sent, [END]);
});

Deno.test("the plain door closes with 1013 whose message the hub cannot take", async () => {
  await using stage = new Stage({ config: { busLag: 1024, publishWait: 0.02 } });
  const { socket } = stage.edge.plain();
  stage.startSilentEdge(9);
  await stage.publish("b", "x".repeat(2048));
  socket.say("x");
  assertEquals((await socket.end()).code, 1013);
});
