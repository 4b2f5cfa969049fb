import { assert, assertEquals, assertThrows } from "@std/assert";
import { openBroker } from "../../../lib/brokers/mod.ts";
import { Budget } from "../../../lib/budget.ts";
import { Transactions } from "../../../lib/doors/stomp/transactions.ts";
import { GongError } from "../../../lib/errors.ts";
import { Stage } from "../../support/stage.ts";
import { Clock, StompPeer } from "../../support/stomp_stage.ts";

Deno.test("nothing of a transaction is there before COMMIT, then all of it, in order", async () => {
  await using stage = new Stage();
  const peer = await StompPeer.connect(stage.edge);
  await peer.obeyed("BEGIN", { transaction: "t" });
  for (const text of ["1", "2"]) await peer.obeyed("SEND", { destination: "/topic/a", transaction: "t" }, text);
  await peer.obeyed("SEND", { destination: "/queue/q", transaction: "t" }, "3");
  await peer.obeyed("SEND", { destination: "/topic/other" }, "outside");
  assertEquals(stage.hub.recent().map(({ preview }) => preview), ["outside"]);
  await peer.obeyed("COMMIT", { transaction: "t" });
  assertEquals(stage.hub.recent().map(({ preview }) => preview), ["2", "1", "outside"]);
  await peer.subscribe("q", "/queue/q");
  assertEquals((await peer.message()).text, "3");
});

Deno.test("nothing of an aborted transaction happens, nor of one whose connection ends", async () => {
  await using stage = new Stage();
  const peer = await StompPeer.connect(stage.edge);
  for (const transaction of ["gone", "left"]) {
    await peer.obeyed("BEGIN", { transaction });
    await peer.obeyed("SEND", { destination: "/topic/a", transaction }, transaction);
  }
  await peer.obeyed("ABORT", { transaction: "gone" });
  await peer.obeyed("DISCONNECT");
  assertEquals(stage.hub.recent(), []);
});

Deno.test("of a transaction with something that is refused, nothing happens", async () => {
  await using stage = new Stage();
  const peer = await StompPeer.connect(stage.edge);
  await peer.obeyed("SEND", { destination: "/topic/a", id: "same" }, "1");
  await peer.obeyed("BEGIN", { transaction: "t" });
  peer.say("SEND", { destination: "/topic/b", transaction: "t" }, "good");
  peer.say("SEND", { destination: "/topic/a", id: "same", transaction: "t" }, "another");
  peer.say("COMMIT", { transaction: "t", receipt: "c" });
  const { error, close } = await peer.end();
  assertEquals([error!.code, error!["receipt-id"], close], ["conflict", "c", 4409]);
  assertEquals(stage.hub.recent().map(({ preview }) => preview), ["1"]);
});

Deno.test("a COMMIT that the broker cannot do in one step is an ERROR, and nothing of it happens", async () => {
  await using stage = new Stage({
    openBroker: (...args) => {
      const broker = openBroker(...args);
      return Object.assign(broker, { capabilities: { ...broker.capabilities, atomic: false } });
    },
  });
  for (const texts of [["1"], ["2", "3"]]) {
    const peer = await StompPeer.connect(stage.edge);
    await peer.obeyed("BEGIN", { transaction: "t" });
    for (const text of texts) await peer.obeyed("SEND", { destination: `/topic/${text}`, transaction: "t" }, text);
    peer.say("COMMIT", { transaction: "t", receipt: "c" });
    if (texts.length === 1) {
      assertEquals((await peer.next("RECEIPT")).headers.get("receipt-id"), "c");
      continue;
    }
    const { error, close } = await peer.end();
    assertEquals([error!.code, error!["receipt-id"], close], ["bad_request", "c", 4400]);
    assert(error!.message!.includes("broker"), error!.message);
  }
  assertEquals(stage.hub.recent().map(({ preview }) => preview), ["1"]);
});

Deno.test("a COMMIT of which one queue has no room is the ERROR `overloaded`, and nothing of it happens", async () => {
  await using stage = new Stage({ config: { queueCount: 1 } });
  const peer = await StompPeer.connect(stage.edge);
  await peer.obeyed("BEGIN", { transaction: "t" });
  for (const destination of ["/topic/a", "/queue/free", "/queue/full", "/queue/full"]) {
    await peer.obeyed("SEND", { destination, transaction: "t" }, "x");
  }
  peer.say("COMMIT", { transaction: "t", receipt: "c" });
  const { error } = await peer.end();
  assertEquals([error!.code, error!["receipt-id"]], ["overloaded", "c"]);
  assertEquals([stage.hub.recent(), await stage.figure("gong_queue_messages")], [[], 0]);
});

Deno.test("a transaction that is open for a minute ends the connection, with or without heart-beats", async () => {
  await using stage = new Stage();
  const clock = new Clock();
  for (const beats of ["0,0", "0,1000"]) {
    const peer = new StompPeer(stage.edge, { clock });
    peer.say("CONNECT", { "accept-version": "1.2", "heart-beat": beats });
    await peer.next("CONNECTED");
    clock.pass(100_000);
    await peer.obeyed("BEGIN", { transaction: "short" });
    clock.pass(50_000);
    await peer.obeyed("BEGIN", { transaction: "long" });
    await peer.obeyed("COMMIT", { transaction: "short" });
    clock.pass(59_000);
    assertEquals(peer.client.socket.closed, undefined);
    clock.pass(2000);
    assertEquals((await peer.end()).error!.code, "timeout");
  }
});

const WRONG: readonly (readonly [frames: readonly (readonly [string, Record<string, string>])[], code: string])[] = [
  [[["BEGIN", {}]], "bad_request"],
  [[["BEGIN", { transaction: "" }]], "bad_request"],
  [[["BEGIN", { transaction: "t".repeat(129) }]], "bad_request"],
  [[["BEGIN", { transaction: "t" }], ["BEGIN", { transaction: "t" }]], "conflict"],
  [[["COMMIT", { transaction: "t" }]], "not_found"],
  [[["ABORT", { transaction: "t" }]], "not_found"],
  [[["BEGIN", { transaction: "t" }], ["COMMIT", { transaction: "t" }], ["COMMIT", { transaction: "t" }]], "not_found"],
  [[["ACK", { id: "e:1", transaction: "t" }]], "not_found"],
  [Array.from({ length: 17 }, (_, n) => ["BEGIN", { transaction: `${n}` }] as const), "too_many"],
];

Deno.test("a transaction that cannot be is an ERROR", async () => {
  await using stage = new Stage();
  for (const [frames, code] of WRONG) {
    const peer = await StompPeer.connect(stage.edge);
    for (const [command, headers] of frames) peer.say(command, headers);
    assertEquals((await peer.end()).error!.code, code, JSON.stringify(frames));
  }
});

Deno.test("a transaction has at most 1,000 frames, and all of a connection at most four of the largest messages", async () => {
  await using stage = new Stage({ config: { messageRate: 10_000, maxMessage: 300_000, outbox: 1_000_000 } });
  const peer = await StompPeer.connect(stage.edge);
  peer.say("BEGIN", { transaction: "t" });
  for (let n = 0; n < 1000; n++) peer.say("SEND", { destination: "/topic/a", transaction: "t" }, "x");
  await peer.obeyed("BEGIN", { transaction: "u" });
  peer.say("SEND", { destination: "/topic/a", transaction: "t" }, "x");
  assertEquals((await peer.end()).error!.code, "too_large");
  const large = await StompPeer.connect(stage.edge);
  for (const transaction of ["a", "b", "c", "d"]) {
    large.say("BEGIN", { transaction });
    large.say("SEND", { destination: "/topic/a", transaction }, "x".repeat(299_000));
  }
  await large.obeyed("ABORT", { transaction: "a" });
  await large.obeyed("SEND", { destination: "/topic/a", transaction: "b" }, "x".repeat(299_000));
  large.say("SEND", { destination: "/topic/a", transaction: "c" }, "x".repeat(20_000));
  assertEquals((await large.end()).error!.code, "too_large");
});

Deno.test("what all connections of an isolate have in transactions is bounded, and is given back however they end", () => {
  const budget = new Budget(5000);
  const frame = { command: "BEGIN", headers: new Map([["transaction", "t"]]), body: new Uint8Array(), isText: true };
  const draft = { channel: "a", data: "x".repeat(2000), contentType: "text/plain" };
  const open = () => {
    const transactions = new Transactions({ maxMessage: 65_536, budget, now: () => 0 });
    transactions.begin(frame);
    return { transactions, transaction: transactions.of(frame)! };
  };
  const all = [open(), open(), open()] as const;
  const publish = ({ transactions, transaction }: ReturnType<typeof open>) => transactions.publish(transaction, draft);
  publish(all[0]);
  publish(all[1]);
  const refused = () => assertThrows(() => publish(all[2]), GongError);
  assertEquals([refused().code, all[2].transaction.drafts], ["overloaded", []]);
  all[0].transactions.end(frame);
  publish(all[2]);
  assertEquals(refused().code, "overloaded");
  all[1].transactions.clear();
  publish(all[2]);
  for (const { transactions } of all) transactions.clear();
  assert(budget.hasRoomFor(5000));
});
