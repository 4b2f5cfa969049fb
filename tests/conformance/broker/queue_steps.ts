/**
 * Bounds of queues, and steps over queues and channels together.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { Draft } from "../../../lib/types.ts";
import { claim, codes, counts, put, settle, to } from "./queue_support.ts";
import { type BrokerFeatures, position, refusal, refused, type Test, text } from "./support.ts";

/** Registers the tests of the bounds of queues. */
export function testQueueBounds(test: Test, features: BrokerFeatures): void {
  test("a queue that is full by messages or bytes refuses what is one too many, and nothing else", async (open) => {
    for (const bounds of [{ queueCount: 3 }, { queueBytes: 3 * 257 }]) {
      const { broker } = await open(bounds);
      const drafts = [to("a", "1"), to("a", "2"), to("a", "3"), to("a", "4"), to("b", "1"), text("c", "1")];
      const results = await broker.publish(drafts);
      assertEquals(results.map((result) => "error" in result ? result.error.message : result.offset), [
        ...[1, 2, 3],
        "The queue a is full.",
        ...[1, 1],
      ]);
      assertEquals(refusal(results[3]!), "overloaded");
      await claim(broker, "a", 2);
      assertEquals((await broker.publish([to("a", "4")])).map(refusal), ["overloaded"], "what is claimed is there");
      await settle(broker, "a", [2], "requeued");
      assertEquals((await broker.publish([to("a", "4")])).map(refusal), ["overloaded"]);
      await settle(broker, "a", [1], "done");
      assertEquals((await broker.publish([to("a", "4")])).map((result) => position(result).offset), [4]);
      assertEquals((await broker.publish([to("a", "5")])).map(refusal), ["overloaded"]);
    }
  });

  test("queues keep to the budget of all, and to how many there may be", async (open) => {
    const { broker } = await open({ queueBudget: 4 * 257, maxQueues: 3 });
    // What goes to queues that are apart is not known there at the same moment.
    const put = async (drafts: Draft[]) => {
      if (features.atomic) return await codes(broker, drafts);
      const results = [];
      for (const draft of drafts) results.push(...await codes(broker, [draft]));
      return results;
    };
    const results = await put([to("a", "1"), to("b", "1"), to("c", "1"), to("d", "1"), to("c", "2"), to("a", "2")]);
    assertEquals(results, [...[1, 1, 1], "overloaded", 2, "overloaded"]);
    assertEquals(broker.stats().queues, { queues: 3, messages: 4, bytes: 4 * 257, claimed: 0 });
    await claim(broker, "b");
    await settle(broker, "b", [1], "done");
    assertEquals(await put([to("d", "1"), to("b", "1")]), [1, "overloaded"]);
    assertEquals(await codes((await open({ maxQueues: 0 })).broker, [to("a", "1")]), ["overloaded"]);
  });
}

/** Registers the tests of steps over queues and channels. */
export function testQueueSteps(test: Test): void {
  test("an atomic publish() to channels and queues is one step: all of it, or nothing", async (open) => {
    const { broker, announced, all } = await open({ queueCount: 3 });
    const first = [text("c", "1"), to("a", "1"), text("d", "1"), to("a", "2"), to("b", "1")];
    assertEquals((await broker.publish(first, { atomic: true })).map((result) => position(result).offset), [
      1,
      1,
      1,
      2,
      1,
    ]);
    assertEquals(announced.flat().length, 2);
    const before = [broker.stats(), all().length];
    const tooMuch = [text("c", "2"), to("new", "1"), to("a", "3"), to("a", "4"), text("d", "2")];
    const results = await broker.publish(tooMuch, { atomic: true });
    assertEquals(
      results.map((result) => "error" in result && result.error.message),
      tooMuch.map(() => {
        return "The queue a is full.";
      }),
    );
    const conflict = [to("a", "3"), { ...text("c", "3"), id: "x" }, { ...text("c", "4"), id: "x" }];
    assertEquals((await broker.publish(conflict, { atomic: true })).map(refusal), conflict.map(() => "conflict"));
    assertEquals([broker.stats(), all().length], [
      { ...before[0] as object, channels: broker.stats().channels },
      before[1],
    ]);
    assertEquals(await claim(broker, "new"), []);
    assertEquals((await broker.publish([to("a", "3"), text("c", "2")])).map((result) => position(result).offset), [
      3,
      2,
    ]);
    assertEquals((await broker.claim("a", {})).map(({ data }) => data), ["1", "2", "3"]);
  });

  test("publish() settles in the same step, and what is done makes room for what comes", async (open) => {
    const { broker, all } = await open({ queueCount: 3 });
    await put(broker, "a", 1, 3);
    await put(broker, "b", 1, 2);
    const epochs = [await broker.claim("a", {}), await broker.claim("b", {})].map(([first]) => first!.epoch);
    const settled = [
      { queue: "a", offsets: [1, 3], as: "done" },
      { queue: "a", offsets: [2], as: "requeued" },
      { queue: "b", offsets: [1, 2], as: "done" },
    ] as const;
    const before = broker.stats();
    const tooMuch = [text("c", "1"), to("a", "4"), to("a", "5"), to("a", "6")];
    assertEquals((await broker.publish(tooMuch, { settled })).map(refusal), tooMuch.map(() => "overloaded"));
    const bad = { settled, records: [{ key: "" }] };
    assertEquals((await broker.publish([text("c", "1")], bad)).map(refusal), ["bad_request"]);
    assertEquals([broker.stats().queues, all()], [before.queues, []], "they are atomic: nothing of it");
    const drafts = [text("c", "1"), to("a", "4"), to("a", "5"), to("b", "3")];
    const results = (await broker.publish(drafts, { settled, records: [{ key: "k", value: "v" }] })).map(position);
    assertEquals(results.map(({ offset }) => offset), [1, 4, 5, 3]);
    assertEquals([results[1]!.epoch, results[3]!.epoch], epochs, "a queue that was not empty in between is the same");
    assertEquals([all().length, (await broker.records("")).get("k")], [1, "v"]);
    assertEquals(counts(broker), { queues: 2, messages: 4, claimed: 0 });
    assertEquals((await broker.claim("a", {})).map(({ data, redelivered }) => [data, redelivered]), [
      ["2", true],
      ["4", false],
      ["5", false],
    ]);
  });

  test("publish() of no drafts settles, with records or without", async (open) => {
    const { broker } = await open();
    await put(broker, "a", 1, 3);
    await claim(broker, "a");
    const settled = (...offsets: number[]) => [{ queue: "a", offsets, as: "done" }] as const;
    assertEquals(await refused(broker.publish([], { settled: settled(1), records: [{ key: "" }] })), "bad_request");
    assertEquals(counts(broker).messages, 3);
    assertEquals(await broker.publish([], { settled: settled(1), records: [{ key: "k", value: "v" }] }), []);
    assertEquals(await broker.publish([], { settled: settled(2) }), []);
    assertEquals([counts(broker), (await broker.records("")).get("k")], [{ queues: 1, messages: 1, claimed: 1 }, "v"]);
  });
}
