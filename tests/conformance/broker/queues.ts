/**
 * Queues: each message is given to one, in order, until it is done with.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { queueChannel } from "../../../lib/reserved.ts";
import type { Draft, QueuedMessage } from "../../../lib/types.ts";
import { testQueueReopening } from "./queue_reopening.ts";
import { testQueueBounds, testQueueSteps } from "./queue_steps.ts";
import { claim, counts, put, settle, to } from "./queue_support.ts";
import { testQueueTtl } from "./queue_ttl.ts";
import { type BrokerFeatures, NO_QUEUES, position, refusal, refused, type Test, text } from "./support.ts";

/** Registers the tests of a broker's queues. */
export function testQueues(test: Test, features: BrokerFeatures): void {
  test("publish() to a queue numbers 1, 2, 3 ... in an epoch of its own, and announces nothing", async (open) => {
    const { broker, announced } = await open();
    const results = (await broker.publish([to("a", "1"), to("b", "1"), to("a", "2")])).map(position);
    assertEquals(results.map(({ offset }) => offset), [1, 1, 2]);
    assertEquals([results[0]!.epoch === results[2]!.epoch, results[0]!.epoch === results[1]!.epoch], [true, false]);
    assertEquals(await broker.publish([to("a", "3")]), [{ epoch: results[0]!.epoch, offset: 3 }]);
    assertEquals(announced.flat(), []);
    assertEquals(broker.stats().channels, 0);
    const claimed = await broker.claim("a", {});
    assertEquals(claimed.map(({ epoch, offset }) => ({ epoch, offset })), [results[0]!, results[2]!, {
      epoch: results[0]!.epoch,
      offset: 3,
    }]);
  });

  test("claim() gives each message once, in order, as much as the limit allows", async (open) => {
    const { broker } = await open();
    await put(broker, "a", 1, 9);
    assertEquals(await broker.claim("other", {}), []);
    assertEquals(await broker.claim("a", { count: 0 }), []);
    assertEquals(await claim(broker, "a", 2), [1, 2]);
    const three = 3 * (256 + 1);
    assertEquals((await broker.claim("a", { bytes: three })).map(({ offset }) => offset), [3, 4, 5]);
    assertEquals((await broker.claim("a", { bytes: three - 1 })).map(({ offset }) => offset), [6, 7]);
    assertEquals((await broker.claim("a", { bytes: 1 })).map(({ offset }) => offset), [8], "a single one in any case");
    const both = await Promise.all([claim(broker, "a"), claim(broker, "a")]);
    assertEquals(both, [[9], []]);
    assertEquals(counts(broker), { queues: 1, messages: 9, claimed: 9 });
  });

  test("what is claimed is what was published, to the last character", async (open) => {
    let now = 1_700_000_000_000;
    const { broker } = await open(features.clock ? { now: () => now } : {});
    const drafts: Omit<Draft, "channel">[] = [
      { data: "", contentType: "text/plain" },
      { data: "\ufeffgrüße 🎉 \0 \u2028 \r\n", contentType: "text/plain;charset=utf-8" },
      { data: '{"a":[1,"é"]}', contentType: "application/json", event: "e 1", id: "i".repeat(64), trace: true },
      { data: new Uint8Array(), contentType: "application/octet-stream" },
      { data: Uint8Array.of(0, 255, 128, 10), contentType: "image/png", user: "u", from: "1-x" },
      { data: "t", contentType: "text/plain", tags: { a: "b", "c:d": "é" }, ttl: 60, publisher: "p" },
    ];
    const results = await broker.publish(drafts.map((draft) => ({ ...draft, channel: queueChannel("a") })));
    now += 10_000;
    const messages = await broker.claim("a", {});
    for (const [index, { time, ...message }] of messages.entries()) {
      const { ttl: _ttl, publisher: _publisher, ...draft } = drafts[index]!;
      const { epoch } = position(results[index]!);
      const expected: Omit<QueuedMessage, "time"> = {
        ...draft,
        queue: "a",
        epoch,
        offset: index + 1,
        redelivered: false,
      };
      assertEquals<unknown>(message, expected);
      if (features.clock) assertEquals(time, now - 10_000);
    }
    assertEquals(messages.length, drafts.length);
  });

  test("settle() as done removes, as requeued puts back in place and redelivered", async (open) => {
    const { broker } = await open();
    await put(broker, "a", 1, 6);
    await claim(broker, "a", 5);
    await settle(broker, "a", [2], "done");
    await settle(broker, "a", [4, 1], "requeued");
    assertEquals(counts(broker), { queues: 1, messages: 5, claimed: 2 });
    const again = await broker.claim("a", { count: 3 });
    assertEquals(again.map(({ offset, data, redelivered }) => [offset, data, redelivered]), [
      [1, "1", true],
      [4, "4", true],
      [6, "6", false],
    ]);
    await settle(broker, "a", [5, 3], "requeued");
    assertEquals(await claim(broker, "a"), [3, 5]);
    await settle(broker, "a", [1, 3, 4, 5, 6], "done");
    assertEquals(broker.stats().queues, NO_QUEUES);
  });

  test("settle() passes over what nobody has claimed, and what is settled already", async (open) => {
    const { broker } = await open();
    await put(broker, "a", 1, 4);
    await put(broker, "b", 1, 1);
    await claim(broker, "a", 2);
    await settle(broker, "never was", [1], "done");
    await settle(broker, "b", [1], "done");
    await settle(broker, "a", [3, 4, 5, 0, -1, 1.5, NaN, Infinity, 2 ** 60], "done");
    await settle(broker, "a", [3, 4], "requeued");
    assertEquals(counts(broker), { queues: 2, messages: 5, claimed: 2 });
    await broker.settle([
      { queue: "a", offsets: [1, 1], as: "done" },
      { queue: "a", offsets: [1, 2, 2], as: "requeued" },
      { queue: "a", offsets: [2], as: "done" },
    ]);
    assertEquals(counts(broker), { queues: 2, messages: 4, claimed: 0 });
    assertEquals(await claim(broker, "a"), [2, 3, 4]);
  });

  const returns = features.remembers ? "goes on counting" : "is forgotten: it returns with another epoch, and from 1";
  test(`a queue without messages ${returns}`, async (open) => {
    const { broker } = await open();
    const [first] = await broker.publish([to("a", "1")]);
    await claim(broker, "a");
    await settle(broker, "a", [1], "done");
    assertEquals(broker.stats().queues, NO_QUEUES);
    const [second] = (await broker.publish([to("a", "2")])).map(position);
    const { epoch } = position(first!);
    assertEquals([second!.offset, second!.epoch === epoch], features.remembers ? [2, true] : [1, false]);
    await settle(broker, "a", [1], "done");
    assertEquals(await claim(broker, "a"), [second!.offset], "who had the first one has nothing of this");
  });

  test("queues have any name that a channel can have, and none is another or a channel", async (open) => {
    const { broker, all } = await open();
    const names = ["__proto__", "constructor", "a", "A", "a/b", "%00", "-", ".", "~!=+", "x".repeat(121)];
    await broker.publish(names.flatMap((name) => [to(name, name), text(name, "other")]));
    for (const name of names) {
      assertEquals((await broker.claim(name, {})).map(({ data, queue }) => [data, queue]), [[name, name]]);
      await settle(broker, name, [1], "done");
      assertEquals(all(name).map(({ data }) => data), ["other"]);
    }
    assertEquals(broker.stats().queues, NO_QUEUES);
  });

  testQueueBounds(test, features);
  if (features.atomic) testQueueSteps(test);
  if (features.clock) testQueueTtl(test, features);
  if (features.reopen) testQueueReopening(test, features);

  test("a closed broker refuses queues with `going_away`", async (open) => {
    const { broker } = await open();
    await put(broker, "a", 1, 3);
    await claim(broker, "a", 1);
    await broker.close();
    assertEquals(await refused(broker.claim("a", {})), "going_away");
    for (const as of ["done", "requeued"] as const) {
      assertEquals(await refused(broker.settle([{ queue: "a", offsets: [1], as }])), "going_away");
    }
    assertEquals((await broker.publish([to("a", "2")])).map(refusal), ["going_away"]);
  });
}
