/**
 * Who is assigned what, over a broker whose calls can be held back.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { MESSAGE_OVERHEAD } from "../../lib/bytes.ts";
import { GongError } from "../../lib/errors.ts";
import { hold, QueueStage, refuse } from "../support/queue_stage.ts";

function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, index) => String(from + index));
}

function counts({ stats: { messages, claimed } }: QueueStage) {
  return { messages, claimed };
}

Deno.test("Queues give what is there, and what comes, in order, what one turn brings at once", async () => {
  using stage = new QueueStage();
  stage.put("1", "2");
  const one = stage.consume();
  await stage.count(2);
  stage.put("3");
  stage.put("4", "5");
  await stage.count(5);
  assertEquals(stage.assigned, [[1, one, ["1", "2"]], [1, one, ["3", "4", "5"]]]);
  stage.putInto("other", "x");
  await stage.quiet();
  assertEquals(stage.texts.length, 5);
});

Deno.test("Queues give each message to one consumer, in turns, and each queue to its own", async () => {
  using stage = new QueueStage();
  const [a, b, c] = [1, 2, 3].map((number) => stage.consume({ number, edge: number, session: `${number}-s` }));
  const other = stage.consume({ queue: "other", number: 9 });
  assertEquals(["q", "other", "none"].map((queue) => stage.queues.consumersOf(queue)), [3, 1, 0]);
  stage.put(...numbers(1, 7));
  stage.putInto("other", "x");
  await stage.count(8);
  assertEquals([stage.of(a!), stage.of(b!), stage.of(c!)], [["1", "4", "7"], ["2", "5"], ["3", "6"]]);
  assertEquals(stage.of(other), ["x"]);
  assertEquals(stage.assigned.map(([edge]) => edge).sort(), [1, 1, 2, 3]);
  // Whose turn it was is not forgotten.
  stage.put("8");
  await stage.count(9);
  assertEquals(stage.of(b!), ["2", "5", "8"]);
});

Deno.test("Queues let no more be with a consumer than its prefetch, and claim no more", async () => {
  using stage = new QueueStage();
  const one = stage.consume({ prefetch: 2 });
  const two = stage.consume({ prefetch: 1, number: 2 });
  stage.put(...numbers(1, 6));
  await stage.count(3);
  await stage.quiet();
  assertEquals([stage.of(one), stage.of(two), stage.stats.claimed], [["1", "3"], ["2"], 3]);
  await stage.settle(one, ["3"]);
  await stage.count(4);
  await stage.settle(two, ["2"]);
  await stage.settle(one, ["1", "4"]);
  await stage.count(6);
  await stage.quiet();
  assertEquals(stage.messages.map(({ offset }) => offset).sort(), [1, 2, 3, 4, 5, 6]);
  assertEquals(stage.of(one), ["1", "3", ...stage.of(one).slice(2)].sort());
  assertEquals(counts(stage), { messages: 2, claimed: 2 });
  assertEquals(stage.figure("gong_queue_done_total"), 4);
});

Deno.test("Queues let the last message exceed a consumer's bytes, and nothing be behind it", async () => {
  using stage = new QueueStage();
  const size = MESSAGE_OVERHEAD + 1;
  const small = stage.consume({ bytes: 1 });
  const large = stage.consume({ bytes: 3 * size - 1, number: 2 });
  stage.put(...numbers(1, 9));
  await stage.count(4);
  await stage.quiet();
  assertEquals([stage.of(small), stage.of(large), stage.stats.claimed], [["1"], ["2", "3", "4"], 4]);
  // Of three two have to go before there is room: the third byte short is one message.
  await stage.settle(large, ["2"]);
  await stage.count(5);
  await stage.quiet();
  assertEquals([stage.of(large), stage.stats.claimed], [["2", "3", "4", "5"], 4]);
});

Deno.test("Queues never claim what nobody has room for, whatever the bounds and sizes", async () => {
  for (let seed = 0; seed < 200; seed++) {
    using stage = new QueueStage();
    const random = (below: number, salt: number) => (seed * 7919 + salt * 104_729 + (seed ^ salt) * 31) % below;
    for (let number = 0; number < 4; number++) {
      stage.consume({ number, prefetch: 1 + random(5, number), bytes: 1 + random(2000, number + 50) });
    }
    stage.put(...Array.from({ length: 30 }, (_, index) => "x".repeat(random(700, index))));
    await stage.quiet();
    await stage.quiet();
    assertEquals([stage.stats.claimed, stage.figure("gong_queue_requeued_total")], [stage.texts.length, 0]);
  }
});

Deno.test("Queues give a requeued message first again, redelivered", async () => {
  using stage = new QueueStage();
  const one = stage.consume({ prefetch: 2 });
  stage.put(...numbers(1, 4));
  await stage.count(2);
  await stage.settle(one, ["1"], "requeued");
  await stage.count(3);
  assertEquals([stage.texts, stage.messages.map(({ redelivered }) => redelivered)], [
    ["1", "2", "1"],
    [false, false, true],
  ]);
  assertEquals(stage.figure("gong_queue_requeued_total"), 1);
});

Deno.test("Queues settle only what is with that consumer, once", async () => {
  using stage = new QueueStage();
  const one = stage.consume({ prefetch: 1 });
  const two = stage.consume({ prefetch: 1, number: 2 });
  stage.put("1", "2", "3");
  await stage.count(2);
  await stage.settle(one, ["2"]);
  await stage.queues.settle([
    { consumer: one, offsets: [3, 99, -1, NaN], as: "done" },
    { consumer: "1-s/77", offsets: [1, 2], as: "requeued" },
    { consumer: one, offsets: [], as: "done" },
  ]);
  await stage.quiet();
  assertEquals([stage.settlings, stage.texts], [[], ["1", "2"]]);
  await stage.queues.settle([{ consumer: two, offsets: [2, 2], as: "done" }, {
    consumer: two,
    offsets: [2],
    as: "requeued",
  }]);
  assertEquals(stage.settlings, [{ queue: "q", offsets: [2], as: "done" }]);
  await stage.count(3);
  assertEquals(stage.of(two), ["2", "3"]);
});

Deno.test("Queues.settle() rejects with what the broker refuses, and the messages stay with their consumer", async () => {
  using stage = new QueueStage();
  const one = stage.consume({ prefetch: 2 });
  stage.put("1", "2", "3");
  await stage.count(2);
  stage.settling = refuse;
  const error = await assertRejects(() => stage.settle(one, ["1", "2"]), GongError);
  assertEquals(error.code, "overloaded");
  await stage.quiet();
  assertEquals([stage.texts, stage.figure("gong_queue_done_total")], [["1", "2"], 0]);
  stage.settling = () => {};
  await stage.settle(one, ["1"]);
  await stage.count(3);
  assertEquals([stage.of(one), stage.figure("gong_queue_done_total")], [["1", "2", "3"], 1]);
});

Deno.test("Queues give nothing for what is about to be settled before it is", async () => {
  using stage = new QueueStage();
  const one = stage.consume({ prefetch: 1 });
  stage.put("1", "2");
  await stage.count(1);
  const { gate, reached, open } = hold();
  stage.settling = gate;
  const settled = stage.settle(one, ["1"]);
  await reached;
  stage.queues.note("q");
  await stage.quiet();
  assertEquals(stage.texts, ["1"]);
  open();
  await settled;
  await stage.count(2);
});

Deno.test("Queues.cancel() requeues what is with the consumer, and others get it before what comes later", async () => {
  using stage = new QueueStage();
  const one = stage.consume({ prefetch: 3 });
  stage.put(...numbers(1, 5));
  await stage.count(3);
  await stage.settle(one, ["2"]);
  await stage.count(4);
  stage.queues.cancel(one);
  stage.queues.cancel(one);
  assertEquals([stage.queues.size, stage.queues.queues], [0, 0]);
  const two = stage.consume({ number: 2 });
  await stage.count(8);
  assertEquals(stage.of(two), ["1", "3", "4", "5"]);
  assertEquals(stage.messages.slice(4).map(({ redelivered }) => redelivered), [true, true, true, false]);
});

Deno.test("Queues give what was claimed for a consumer that goes meanwhile to another with room", async () => {
  using stage = new QueueStage();
  const { gate, reached, open } = hold();
  stage.claiming = gate;
  const one = stage.consume({ prefetch: 3 });
  stage.put("1", "2", "3");
  await reached;
  stage.queues.cancel(one);
  assertEquals(stage.queues.queues, 1, "what is on its way has to be given to somebody");
  const two = stage.consume({ number: 2, prefetch: 2 });
  open();
  await stage.count(2);
  await stage.quiet();
  assertEquals([stage.of(one), stage.of(two), stage.stats.claimed], [[], ["1", "2"], 2]);
  await stage.settle(two, ["1", "2"]);
  await stage.count(3);
  assertEquals(stage.of(two), ["1", "2", "3"]);
});

Deno.test("Queues requeue what was claimed when nobody is left for it", async () => {
  using stage = new QueueStage();
  const { gate, reached, open } = hold();
  stage.claiming = gate;
  const one = stage.consume();
  stage.put("1", "2");
  await reached;
  stage.queues.cancel(one);
  open();
  await stage.until(() => stage.settlings.length > 0);
  assertEquals([counts(stage), stage.queues.queues], [{ messages: 2, claimed: 0 }, 0]);
  const two = stage.consume({ number: 2 });
  await stage.count(2);
  assertEquals([stage.of(one), stage.of(two)], [[], ["1", "2"]]);
});

Deno.test("Queues have one claim of a queue under way, and look again for what came meanwhile", async () => {
  using stage = new QueueStage();
  const { gate, reached, open } = hold();
  stage.claiming = gate;
  const one = stage.consume();
  await reached;
  stage.put("1");
  stage.consume({ number: 2 });
  await stage.quiet();
  assertEquals(stage.claims.length, 1);
  // Another queue does not wait for it.
  stage.claiming = () => {};
  const other = stage.consume({ number: 3, queue: "other" });
  stage.putInto("other", "x");
  await stage.count(1);
  assertEquals(stage.of(other), ["x"]);
  open();
  await stage.count(2);
  assertEquals(stage.of(one), ["1"]);
});

Deno.test("Queues put what fails to be settled back when its consumer has gone meanwhile", async () => {
  using stage = new QueueStage();
  const one = stage.consume();
  stage.put("1", "2");
  await stage.count(2);
  const { gate, reached, open } = hold();
  stage.settling = async () => {
    await gate();
    refuse();
  };
  const settled = assertRejects(() => stage.settle(one, ["1"]));
  await reached;
  stage.settling = () => {};
  stage.queues.cancel(one);
  await stage.until(() => stage.settlings.length === 1);
  assertEquals(stage.settlings, [{ queue: "q", offsets: [2], as: "requeued" }]);
  open();
  await settled;
  await stage.until(() => stage.stats.claimed === 0);
  const two = stage.consume({ number: 2 });
  await stage.count(4);
  assertEquals(stage.of(two), ["1", "2"]);
});

Deno.test("Queues do not requeue what is about to be done with, when its consumer goes meanwhile", async () => {
  using stage = new QueueStage();
  const one = stage.consume();
  stage.put("1", "2");
  await stage.count(2);
  const { gate, reached, open } = hold();
  stage.settling = gate;
  const settled = stage.settle(one, ["1"]);
  await reached;
  stage.settling = () => {};
  stage.queues.cancel(one);
  const two = stage.consume({ number: 2 });
  await stage.count(3);
  open();
  await settled;
  await stage.quiet();
  assertEquals([stage.of(two), counts(stage)], [["2"], { messages: 1, claimed: 1 }]);
});

Deno.test("Queues.release() and releaseEdge() end the consumers of that session, of that edge, and no others", async () => {
  using stage = new QueueStage();
  const consumers = [
    { session: "1-a", edge: 1, number: 1 },
    { session: "1-a", edge: 1, number: 2, queue: "p" },
    { session: "1-ab", edge: 1, number: 3 },
    { session: "2-a", edge: 2, number: 4 },
  ].map((options) => stage.consume(options));
  stage.put("1", "2", "3");
  stage.putInto("p", "x");
  await stage.count(4);
  stage.queues.release("1-nobody");
  stage.queues.release("1-a");
  assertEquals(stage.queues.size, 2);
  await stage.count(5);
  stage.queues.releaseEdge(1);
  assertEquals(stage.queues.size, 1);
  await stage.count(7);
  assertEquals(stage.of(consumers[3]!).sort(), ["1", "2", "3"]);
  assertEquals(counts(stage), { messages: 4, claimed: 3 });
});

Deno.test("Queues try again what the broker cannot take back, until it can", async () => {
  using stage = new QueueStage();
  const one = stage.consume();
  stage.put("1", "2");
  await stage.count(2);
  const two = stage.consume({ number: 2 });
  stage.settling = refuse;
  stage.queues.cancel(one);
  await stage.quiet();
  for (let times = 0; times < 3; times++) {
    await stage.elapse();
    assertEquals([stage.of(two), stage.stats.claimed], [[], 2]);
  }
  stage.settling = () => {};
  await stage.elapse();
  await stage.count(4);
  assertEquals([stage.of(two), stage.figure("gong_queue_requeued_total")], [["1", "2"], 2]);
  assertEquals(stage.log.events.map(({ event }) => event), Array(4).fill("queue.fault"));
});

Deno.test("Queues try again a claim that has failed", async () => {
  using stage = new QueueStage();
  stage.claiming = refuse;
  const one = stage.consume();
  stage.put("1");
  await stage.quiet();
  stage.claiming = () => {};
  assertEquals(stage.texts, []);
  await stage.elapse();
  await stage.count(1);
  assertEquals(stage.of(one), ["1"]);
});

Deno.test("Queues.consume() refuses an id that is taken, more than there may be, and where the broker has no queues", () => {
  using stage = new QueueStage({ max: 2 });
  const one = stage.consume();
  stage.consume({ number: 2 });
  const code = (act: () => unknown) => assertThrows(act, GongError).code;
  assertEquals(code(() => stage.consume()), "conflict");
  assertEquals(code(() => stage.consume({ number: 3 })), "too_many");
  stage.queues.cancel(one);
  stage.consume({ number: 3 });
  using without = new QueueStage({ queues: false });
  const error = assertThrows(() => without.consume(), GongError);
  assertEquals(error.toRefusal(), { code: "bad_request", message: "This broker has no queues." });
});

Deno.test("Queues look at no more than a part of many consumers for each message", async () => {
  using stage = new QueueStage();
  const count = 20_000;
  for (let number = 0; number < count; number++) stage.consume({ number, prefetch: 2, session: `1-${number}` });
  for (let times = 0; times < 300; times++) {
    stage.put("x");
    await stage.count(times + 1);
  }
  assert(stage.claims.every(({ limit }) => limit.count! <= 200));
  assertEquals(new Set(stage.assigned.map(([_, consumer]) => consumer)).size, 300);
});

Deno.test("Queues give out nothing more once they are closed", async () => {
  const stage = new QueueStage();
  stage.consume();
  await stage.quiet();
  stage.put("1");
  stage.queues.close();
  await stage.quiet();
  assertEquals(stage.texts, []);
});
