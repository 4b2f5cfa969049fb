import { assertEquals } from "@std/assert";
import { Stage } from "../../support/stage.ts";
import { type Headers, StompPeer } from "../../support/stomp_stage.ts";

/** Puts these into the queue. */
async function fill(stage: Stage, queue: string, texts: readonly string[]): Promise<void> {
  const peer = await StompPeer.connect(stage.edge);
  for (const text of texts) await peer.obeyed("SEND", { destination: `/queue/${queue}` }, text);
  await peer.obeyed("DISCONNECT");
}

/** The next messages: their texts, and whether they may have been with somebody. */
async function take(peer: StompPeer, count: number): Promise<{ text: string; headers: Headers }[]> {
  const taken = [];
  for (let n = 0; n < count; n++) taken.push(await peer.message());
  return taken;
}

const texts = (taken: readonly { text: string; headers: Headers }[]) =>
  taken.map(({ text, headers }) => headers.redelivered === "true" ? `${text} again` : text);

/** That nothing is left in any queue, and so nothing with anybody. */
async function isEmpty(stage: Stage): Promise<void> {
  assertEquals(await stage.figure("gong_queue_messages"), 0);
}

Deno.test("with `auto` a message is done with when it is sent", async () => {
  await using stage = new Stage();
  await fill(stage, "q", ["1", "2", "3"]);
  const peer = await StompPeer.connect(stage.edge);
  await peer.subscribe("0", "/queue/q", { "prefetch-count": "1" });
  const taken = await take(peer, 3);
  assertEquals(texts(taken), ["1", "2", "3"]);
  assertEquals(taken[0]!.headers.destination, "/queue/q");
  assertEquals("ack" in taken[0]!.headers, false);
  await peer.obeyed("DISCONNECT");
  await isEmpty(stage);
});

Deno.test("with `auto` what was sent does not come again, however soon UNSUBSCRIBE follows", async () => {
  await using stage = new Stage();
  await fill(stage, "q", ["1"]);
  const peer = await StompPeer.connect(stage.edge);
  peer.say("SUBSCRIBE", { id: "0", destination: "/queue/q" });
  await take(peer, 1);
  await peer.obeyed("UNSUBSCRIBE", { id: "0" });
  await peer.subscribe("1", "/queue/q");
  await fill(stage, "q", ["2"]);
  assertEquals(texts(await take(peer, 1)), ["2"]);
});

Deno.test("after DISCONNECT nothing of a queue is sent any more, and so nothing is done with", async () => {
  await using stage = new Stage();
  const peer = await StompPeer.connect(stage.edge);
  const sender = await StompPeer.connect(stage.edge);
  await peer.subscribe("0", "/queue/q");
  peer.say("DISCONNECT", { receipt: "bye" });
  await sender.obeyed("SEND", { destination: "/queue/q" }, "1");
  await peer.end();
  assertEquals((await peer.next("RECEIPT")).headers.get("receipt-id"), "bye");
  await sender.subscribe("0", "/queue/q");
  assertEquals(texts(await take(sender, 1)), ["1"]);
});

Deno.test("`client` acknowledges all up to the message, `client-individual` just that one", async () => {
  for (const version of ["1.0", "1.1", "1.2"] as const) {
    await using stage = new Stage();
    const ackOf = ({ headers }: { headers: Headers }): Headers =>
      version === "1.2"
        ? { id: headers.ack! }
        : { "message-id": headers["message-id"]!, subscription: headers.subscription! };
    for (const [mode, left] of [["client", ["3 again"]], ["client-individual", ["1 again", "3 again"]]] as const) {
      await fill(stage, mode, ["1", "2", "3"]);
      const peer = await StompPeer.connect(stage.edge, { version });
      await peer.subscribe("0", `/queue/${mode}`, { ack: mode });
      const taken = await take(peer, 3);
      await peer.obeyed("ACK", ackOf(taken[1]!));
      await peer.obeyed("ACK", ackOf(taken[1]!));
      await peer.obeyed("DISCONNECT");
      const other = await StompPeer.connect(stage.edge, { version });
      await other.subscribe("0", `/queue/${mode}`);
      assertEquals(texts(await take(other, left.length)), [...left]);
      await other.obeyed("DISCONNECT");
    }
    await isEmpty(stage);
  }
});

Deno.test("before 1.2 what waits for its ACK comes in messages of its own, as stompjs 2.3.3 wants it", async () => {
  await using stage = new Stage();
  for (
    const [version, ack, isSplit] of [["1.1", "client", true], ["1.0", "auto", false], [
      "1.2",
      "client",
      false,
    ]] as const
  ) {
    await fill(stage, version, ["1", "2", "3"]);
    const peer = await StompPeer.connect(stage.edge, { version });
    peer.say("SUBSCRIBE", { id: "t", destination: "/topic/t" });
    await peer.subscribe("0", `/queue/${version}`, { ack });
    await take(peer, 3);
    const { sent } = peer.client.socket;
    assertEquals(sent.every((data) => String(data).split("\0").length === 2), isSplit, version);
    const at = sent.length;
    if (isSplit) await peer.obeyed("UNSUBSCRIBE", { id: "0" });
    await stage.publish("t", "x", "y");
    await take(peer, 2);
    assertEquals(sent.slice(isSplit ? at + 1 : at).length, 1, "joined again");
  }
});

Deno.test("NACK puts a message back at its place, before what is left; `requeue:false` drops it", async () => {
  await using stage = new Stage();
  await fill(stage, "q", ["1", "2", "3", "4"]);
  const peer = await StompPeer.connect(stage.edge);
  await peer.subscribe("0", "/queue/q", { ack: "client-individual", "prefetch-count": "2" });
  const [first, second] = await take(peer, 2);
  peer.say("NACK", { id: second!.headers.ack!, requeue: "false" });
  assertEquals(texts(await take(peer, 1)), ["3"]);
  peer.say("NACK", { id: first!.headers.ack! });
  assertEquals(texts(await take(peer, 1)), ["1 again"]);
  await peer.obeyed("UNSUBSCRIBE", { id: "0" });
  await peer.subscribe("1", "/queue/q");
  assertEquals(texts(await take(peer, 3)), ["1 again", "3 again", "4"]);
});

Deno.test("what was with a connection that is lost comes again in its order, before what is left", async () => {
  await using stage = new Stage();
  await fill(stage, "q", ["1", "2", "3", "4", "5"]);
  const peer = await StompPeer.connect(stage.edge);
  await peer.subscribe("0", "/queue/q", { ack: "client-individual", "prefetch-count": "4" });
  const taken = await take(peer, 4);
  peer.say("ACK", { id: taken[1]!.headers.ack! });
  assertEquals(texts(await take(peer, 1)), ["5"]);
  await fill(stage, "q", ["6"]);
  peer.client.socket.vanish();
  const other = await StompPeer.connect(stage.edge);
  await other.subscribe("0", "/queue/q");
  assertEquals(texts(await take(other, 5)), ["1 again", "3 again", "4 again", "5 again", "6"]);
});

Deno.test("a NACK in 1.0 and one with another `requeue` are ERRORs", async () => {
  await using stage = new Stage();
  for (const [version, headers] of [["1.0", { "message-id": "e:1" }], ["1.2", { id: "e:1", requeue: "no" }]] as const) {
    const peer = await StompPeer.connect(stage.edge, { version });
    peer.say("NACK", headers);
    assertEquals((await peer.end()).error!.code, "bad_request");
  }
});

Deno.test("ACK and NACK of what a topic brought have no effect; of nothing at all they are an ERROR", async () => {
  await using stage = new Stage();
  for (const version of ["1.0", "1.1", "1.2"] as const) {
    const peer = await StompPeer.connect(stage.edge, { version });
    await peer.subscribe("0", "/topic/a", { ack: "client" });
    await stage.publish("a", "x");
    const { headers } = await peer.message();
    const named = version === "1.2"
      ? { id: headers.ack! }
      : { "message-id": headers["message-id"]!, subscription: "0" };
    await peer.obeyed("ACK", named);
    if (version !== "1.0") await peer.obeyed("NACK", named);
    peer.say("ACK", version === "1.2" ? { id: "what?" } : { "message-id": "what?" });
    assertEquals((await peer.end()).error!.code, "bad_request");
    const other = await StompPeer.connect(stage.edge, { version });
    other.say("ACK", {});
    assertEquals((await other.end()).error!.code, "bad_request");
  }
});

Deno.test("what a transaction acknowledges is settled with COMMIT, and is with the client again after ABORT", async () => {
  await using stage = new Stage();
  await fill(stage, "in", ["1", "2", "3"]);
  const peer = await StompPeer.connect(stage.edge);
  await peer.subscribe("0", "/queue/in", { ack: "client" });
  const [first, second, third] = await take(peer, 3);
  await peer.obeyed("BEGIN", { transaction: "t" });
  await peer.obeyed("ACK", { id: second!.headers.ack!, transaction: "t" });
  await peer.obeyed("ABORT", { transaction: "t" });
  await peer.obeyed("BEGIN", { transaction: "u" });
  await peer.obeyed("ACK", { id: first!.headers.ack!, transaction: "u" });
  await peer.obeyed("SEND", { destination: "/queue/out", transaction: "u" }, "answer");
  await peer.obeyed("COMMIT", { transaction: "u" });
  await peer.obeyed("BEGIN", { transaction: "v" });
  await peer.obeyed("ACK", { id: third!.headers.ack!, transaction: "v" });
  await peer.obeyed("DISCONNECT");
  const other = await StompPeer.connect(stage.edge);
  await other.subscribe("0", "/queue/in");
  assertEquals(texts(await take(other, 2)), ["2 again", "3 again"]);
  await other.subscribe("1", "/queue/out");
  assertEquals(texts(await take(other, 1)), ["answer"]);
});

Deno.test("a transaction that acknowledges what was requeued meanwhile does not happen", async () => {
  await using stage = new Stage();
  await fill(stage, "q", ["1"]);
  const peer = await StompPeer.connect(stage.edge);
  await peer.subscribe("0", "/queue/q", { ack: "client" });
  const [first] = await take(peer, 1);
  await peer.obeyed("BEGIN", { transaction: "t" });
  await peer.obeyed("ACK", { id: first!.headers.ack!, transaction: "t" });
  await peer.obeyed("SEND", { destination: "/topic/a", transaction: "t" }, "x");
  await peer.obeyed("UNSUBSCRIBE", { id: "0" });
  peer.say("COMMIT", { transaction: "t" });
  assertEquals((await peer.end()).error!.code, "conflict");
  assertEquals(stage.hub.recent(), []);
});

Deno.test("a full queue is the ERROR `overloaded`", async () => {
  await using stage = new Stage({ config: { queueCount: 2 } });
  const peer = await StompPeer.connect(stage.edge);
  for (const text of ["1", "2"]) await peer.obeyed("SEND", { destination: "/queue/q" }, text);
  peer.say("SEND", { destination: "/queue/q" }, "3");
  const { error, close } = await peer.end();
  assertEquals([error!.code, close], ["overloaded", 1013]);
});

Deno.test("a SUBSCRIBE that cannot be is an ERROR", async () => {
  await using stage = new Stage();
  const wrong: readonly (readonly [headers: Headers, code: string])[] = [
    [{ id: "0" }, "bad_request"],
    [{ destination: "/topic/a" }, "bad_request"],
    [{ id: "", destination: "/topic/a" }, "bad_request"],
    [{ id: "i".repeat(257), destination: "/topic/a" }, "bad_request"],
    [{ id: "0", destination: "/topic/a", ack: "never" }, "bad_request"],
    [{ id: "0", destination: "/topic/a", selector: "a = 1" }, "bad_request"],
    [{ id: "0", destination: "/topic/a", since: "1" }, "bad_request"],
    [{ id: "0", destination: "/topic/a", history: "-1" }, "bad_request"],
    [{ id: "0", destination: "/topic/a", history: "10001" }, "bad_request"],
    [{ id: "0", destination: "/queue/q", since: "e:1" }, "bad_request"],
    [{ id: "0", destination: "/queue/q", "prefetch-count": "0" }, "bad_request"],
    [{ id: "0", destination: "/queue/q", "prefetch-count": "1001" }, "bad_request"],
    [{ id: "0", destination: "/reply/x" }, "forbidden"],
    [{ id: "0", destination: "/user/queue/a" }, "forbidden"],
    [{ id: "0", destination: "/topic/$queue/q" }, "forbidden"],
    [{ id: "0", destination: "/topic/$session/x" }, "forbidden"],
    [{ id: "0", destination: "/temp-queue/x" }, "not_found"],
    [{ id: "there", destination: "/topic/b" }, "conflict"],
  ];
  for (const [headers, code] of wrong) {
    const peer = await StompPeer.connect(stage.edge);
    await peer.subscribe("there", "/topic/a");
    peer.say("SUBSCRIBE", { ...headers, receipt: "r" });
    const { error } = await peer.end();
    assertEquals([error?.code, error?.["receipt-id"]], [code, "r"], `${JSON.stringify(headers)} ${error?.message}`);
  }
});
