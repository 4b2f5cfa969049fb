/**
 * Messages of queues whose `ttl` is over.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { claim, codes, counts, settle, to } from "./queue_support.ts";
import { type BrokerFeatures, NO_QUEUES, position, range, type Test } from "./support.ts";

/** Registers the tests of a ttl in queues. */
export function testQueueTtl(test: Test, features: BrokerFeatures): void {
  test("a message whose ttl is over is given to nobody, and is gone when it would have been", async (open) => {
    let now = 1_700_000_000_000;
    const { broker } = await open({ now: () => now, queueCount: 6 });
    const ttls = [5, undefined, 0.5, 100, 0, 5];
    await broker.publish(ttls.map((ttl, n) => ({ ...to("a", `${n}`), ...(ttl === undefined ? {} : { ttl }) })));
    now += 499;
    assertEquals(await claim(broker, "a", 1), [1]);
    assertEquals(await claim(broker, "a", 2), [2, 3]);
    now += 1;
    await settle(broker, "a", [1, 3], "requeued");
    assertEquals(counts(broker).messages, 6);
    assertEquals(await claim(broker, "a", 2), [1, 4], "the others behind it come in its place");
    assertEquals(counts(broker), { queues: 1, messages: 5, claimed: 3 });
    now += 4_500;
    await settle(broker, "a", [1], "requeued");
    assertEquals(await claim(broker, "a"), []);
    assertEquals(counts(broker), { queues: 1, messages: 2, claimed: 2 });
    now += 100_000;
    await settle(broker, "a", [4], "done");
    await settle(broker, "a", [2], "requeued");
    assertEquals(await claim(broker, "a"), [2], "without a ttl it is there");
  });

  test("a queue of which everything is over is forgotten with the next claim", async (open) => {
    let now = 1_700_000_000_000;
    const { broker } = await open({ now: () => now });
    const [first] = await broker.publish(range(1, 200).map((n) => ({ ...to("a", `${n}`), ttl: 1 })));
    now += 1000;
    assertEquals(await claim(broker, "a", 1), []);
    assertEquals(broker.stats().queues, NO_QUEUES);
    const [next] = await broker.publish([to("a", "1")]);
    assertEquals([position(next!).offset, position(next!).epoch === position(first!).epoch], [1, false]);
  });

  test("what is over makes room for what comes, though nobody claims, but for what somebody has", async (open) => {
    let now = 1_700_000_000_000;
    for (const bound of [{ queueCount: 3 }, { queueBytes: 3 * 257 }, { queueBudget: 3 * 257 }]) {
      const { broker } = await open({ ...bound, now: () => now });
      await broker.publish([to("a", "1"), ...["2", "3"].map((data) => ({ ...to("a", data), ttl: 10 }))]);
      await claim(broker, "a", 2);
      now += 9_999;
      assertEquals(await codes(broker, [to("a", "4")]), ["overloaded"]);
      now += 1;
      assertEquals(await codes(broker, [to("a", "4"), to("a", "5")]), [4, "overloaded"]);
      await settle(broker, "a", [1, 2], "requeued");
      assertEquals(await codes(broker, [to("a", "5"), to("a", "6")]), [5, "overloaded"]);
      assertEquals(await claim(broker, "a"), [1, 4, 5]);
    }
    const { broker } = await open({ maxQueues: 2, now: () => now });
    await broker.publish(["a", "b"].map((name) => ({ ...to(name, "1"), ttl: 10 })));
    now += 10_000;
    assertEquals(await codes(broker, [to("c", "1"), to("b", "1"), to("d", "1")]), [1, 1, "overloaded"]);
    assertEquals([await claim(broker, "a"), await claim(broker, "b")], [[], [1]]);
    await broker.publish(range(1, 3000).map((n) => ({ ...to("b", `${n}`), ttl: 10 })));
    await claim(broker, "b", 1);
    await settle(broker, "b", [2], "done");
    now += 10_000;
    assertEquals(await codes(broker, [to("d", "1")]), ["overloaded"], "b has what is claimed");
    await settle(broker, "b", [1], "done");
    assertEquals(await codes(broker, [to("d", "1")]), [1]);
  });

  test("a queue that gets something while the last of it goes is one of those there may be", async (open) => {
    let now = 1_700_000_000_000;
    const { broker } = await open({ maxQueues: 2, now: () => now });
    await broker.publish([to("b", "1"), ...range(1, 150).map((n) => ({ ...to("a", `${n}`), ttl: 10 }))]);
    now += 10_000;
    assertEquals((await codes(broker, [to("a", "x"), to("c", "1"), to("a", "y"), to("d", "1")])).slice(1), [
      "overloaded",
      152,
      "overloaded",
    ]);
    assertEquals((await broker.claim("a", {})).map(({ data }) => data), ["x", "y"]);
    assertEquals(counts(broker), { queues: 2, messages: 3, claimed: 2 });
  });

  if (!features.reopen) return;
  for (const how of ["closed", "killed"] as const) {
    test(`${how} and opened again: the ttl of a message goes on`, async (open) => {
      let now = 1_700_000_000_000;
      const opened = await open({ now: () => now });
      await opened.broker.publish([5, 20, 10].map((ttl) => ({ ...to("a", `${ttl}`), ttl })));
      now += 10_000;
      const again = await opened.reopen(how, { now: () => now });
      assertEquals((await again.broker.claim("a", {})).map(({ data }) => data), ["20"]);
      const third = await again.reopen(how, { now: () => now });
      assertEquals(counts(third.broker), { queues: 1, messages: 1, claimed: 0 }, "what is over is gone for good");
    });
  }
}
