/**
 * What is in queues after the process has ended.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { claim, codes, counts, put, settle, to } from "./queue_support.ts";
import { type BrokerFeatures, range, type Test, text } from "./support.ts";

/** Registers the tests of queues that outlive the process. */
export function testQueueReopening(test: Test, features: BrokerFeatures): void {
  for (const how of ["closed", "killed"] as const) {
    test(`${how} and opened again: what was not done is there, in order, redelivered and nobody's`, async (open) => {
      const opened = await open();
      await put(opened.broker, "a", 1, 8);
      await put(opened.broker, "b", 1, 2);
      await claim(opened.broker, "a", 6);
      await claim(opened.broker, "b");
      await settle(opened.broker, "a", [1, 3, 6], "done");
      await settle(opened.broker, "a", [2], "requeued");
      await settle(opened.broker, "b", [1, 2], "done");
      const { bytes } = opened.broker.stats().queues;
      const again = await opened.reopen(how);
      assertEquals(again.broker.stats().queues, { queues: 1, messages: 5, bytes, claimed: 0 });
      const messages = await again.broker.claim("a", {});
      assertEquals(
        messages.map(({ data, redelivered }) => [data, redelivered]),
        [2, 4, 5, 7, 8].map((n) => [`${n}`, n < 7 || !features.remembers]),
      );
      await settle(again.broker, "a", [7, 8], "done");
      const { epoch } = messages[0]!;
      assertEquals(await again.broker.publish([to("a", "9")]), [{ epoch, offset: 9 }], "no offset is used twice");
      const third = await again.reopen(how);
      await third.broker.publish([to("a", "10")]);
      const left = await third.broker.claim("a", {});
      assertEquals(left.map(({ data, offset, redelivered }) => [data, offset, redelivered]), [
        ...[2, 4, 5, 9].map((n) => [`${n}`, n, n < 9 || !features.remembers]),
        ["10", 10, false],
      ]);
    });

    if (!features.atomic) continue;
    test(`${how} and opened again: a step over channels and queues is there whole`, async (open) => {
      const opened = await open();
      await put(opened.broker, "a", 1, 3);
      await claim(opened.broker, "a");
      const settled = [{ queue: "a", offsets: [1, 2], as: "done" }] as const;
      await opened.broker.publish([text("c", "1"), to("b", "1"), to("a", "4")], { settled });
      const again = await opened.reopen(how);
      assertEquals([await claim(again.broker, "a"), await claim(again.broker, "b")], [[3, 4], [1]]);
      assertEquals((await again.broker.read("c", { last: 9 })).publications.length, 1);
    });
  }

  test("opened again with tighter bounds, a queue keeps all that it has and takes no more", async (open) => {
    const tight = [{ queueCount: 3 }, { queueBytes: 800 }, { queueBudget: 800 }];
    for (const bounds of [...tight, { maxQueues: 1 }]) {
      const opened = await open();
      await put(opened.broker, "a", 1, 5);
      await put(opened.broker, "b", 1, 1);
      const { broker } = await opened.reopen("killed", bounds);
      assertEquals(counts(broker), { queues: 2, messages: 6, claimed: 0 });
      assertEquals(await codes(broker, [to("maxQueues" in bounds ? "c" : "a", "6")]), ["overloaded"]);
      assertEquals(await claim(broker, "a"), range(1, 5));
      await settle(broker, "a", range(1, 5), "done");
      assertEquals(
        await codes(broker, [to("maxQueues" in bounds ? "b" : "a", "6")]).then(([one]) => typeof one),
        "number",
      );
    }
  });
}
