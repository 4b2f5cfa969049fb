/**
 * What is kept, what is forgotten, what is refused.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { Position } from "../../../lib/types.ts";
import {
  BEFORE_ALL,
  type BrokerFeatures,
  kept,
  position,
  range,
  refusal,
  refused,
  type Test,
  text,
} from "./support.ts";

/** Registers the tests of a broker's limits. */
export function testLimits(test: Test, features: BrokerFeatures): void {
  for (const historyCount of [0, 1, 3]) {
    test(`history of ${historyCount} publications: what was dropped is not recovered, never a part`, async (open) => {
      const { broker } = await open({ historyCount });
      const { epoch } = (await broker.read("a")).top;
      await broker.subscribe("a");
      for (let top = 1; top <= 7; top++) {
        await broker.publish([text("a", `${top}`)]);
        for (let since = BEFORE_ALL; since <= top; since++) {
          const { publications, recovered } = await broker.read("a", { epoch, offset: since });
          assertEquals(recovered, top - since <= historyCount, `${since} of ${top}`);
          assertEquals(publications.map(({ offset }) => offset), recovered ? range(since + 1, top) : []);
        }
      }
    });
  }

  test("history has its own bounds for the channels of a rule, the first that matches", async (open) => {
    const rule = ["none count=0", "room:* count=2", "room:big count=9", "wide:* bytes=3000"];
    const { broker } = await open({ historyCount: 4, rule });
    const expected = new Map([["none", 0], ["room:1", 2], ["room:big", 2], ["other", 4]]);
    if (features.bytes) expected.set("wide:1", 2);
    for (const channel of expected.keys()) {
      for (let n = 0; n < 6; n++) await broker.publish([text(channel, "x".repeat(1000))]);
    }
    for (const [channel, count] of expected) assertEquals(await kept(broker, channel), count, channel);
    if (!features.atomic) return;
    await broker.publish(range(1, 20).map((n) => text(n % 2 ? "room:1" : "none", `${n}`)), { atomic: true });
    assertEquals([await kept(broker, "room:1"), await kept(broker, "none")], [2, 0]);
  });

  if (features.bytes) {
    test("history is bounded in bytes a channel, tags included", async (open) => {
      const { broker } = await open({ historyBytes: 10_000 });
      for (let n = 0; n < 50; n++) await broker.publish([text("a", "x".repeat(1000)), text("b", "x")]);
      const [a, b] = [await kept(broker, "a"), await kept(broker, "b")];
      assert(a >= 5 && a <= 10, `${a} of 1,000 bytes`);
      assert(b > a, `${b} of one byte`);
      const tags = Object.fromEntries(range(1, 16).map((n) => [`tag${n}`, "v".repeat(250)]));
      for (let n = 0; n < 50; n++) await broker.publish([{ ...text("c", ""), tags }]);
      const c = await kept(broker, "c");
      assert(c >= 1 && c <= 2, `${c} with tags of 4,000 bytes`);
      assert(broker.stats().bytes! <= 30_000, `${broker.stats().bytes!}`);
    });

    test("a publication larger than the history is delivered, and not kept", async (open) => {
      const { broker, all } = await open({ historyBytes: 10_000 });
      await broker.publish([text("a", "1"), text("a", "x".repeat(20_000)), text("a", "3")]);
      assertEquals(all().map(({ offset }) => offset), [1, 2, 3]);
      assertEquals([await kept(broker, "a"), broker.stats().publications], [1, 1]);
    });

    test("the budget over all channels: idle ones are forgotten whole, those longest unused first", async (open) => {
      const { broker } = await open({ historyBudget: 20_000 });
      const channels = range(1, 30).map((n) => `c${n}`);
      const tops = new Map<string, Position>();
      for (const channel of channels) {
        const [result] = await broker.publish([text(channel, "x".repeat(1000))]);
        tops.set(channel, position(result!));
      }
      const left = broker.stats().channels;
      assert(left >= 10 && left <= 20, `${left} of 30 channels are left`);
      assert(broker.stats().bytes! <= 20_000, `${broker.stats().bytes!}`);
      for (const [index, channel] of channels.entries()) {
        const { top, recovered } = await broker.read(channel, tops.get(channel));
        assertEquals(
          { recovered, offset: top.offset },
          index < 30 - left ? { recovered: false, offset: 0 } : {
            recovered: true,
            offset: 1,
          },
          channel,
        );
      }
    });

    test("what is larger than the budget is delivered, and not kept", async (open) => {
      const { broker, all } = await open({ historyBudget: 20_000 });
      await broker.subscribe("a");
      await broker.publish([text("a", "1"), text("a", "x".repeat(20_000)), text("a", "3")]);
      assertEquals(all().map(({ offset }) => offset), [1, 2, 3]);
      assertEquals([await kept(broker, "a"), broker.stats().publications], [1, 1]);
    });

    test("what does not fit beside channels that somebody hears is refused, and numbers nothing", async (open) => {
      const { broker, all } = await open({ historyBudget: 20_000 });
      for (const channel of ["a", "b"]) {
        await broker.subscribe(channel);
        for (let n = 0; n < 7; n++) await broker.publish([text(channel, "x".repeat(1000))]);
      }
      const { top } = await broker.read("a");
      const results = await broker.publish([text("a", "x".repeat(5000)), text("c", "x".repeat(5000)), text("b", "y")]);
      assertEquals(results.map((result) => "error" in result ? result.error.code : result.offset), [
        "overloaded",
        "overloaded",
        8,
      ]);
      assert(results.every((result) => !("error" in result) || result.error.retryAfter! > 0));
      assertEquals((await broker.read("a")).top, top);
      assertEquals(all().length, 15);
      await broker.unsubscribe("b");
      assertEquals((await broker.publish([text("a", "x".repeat(5000))])).map((result) => position(result).offset), [8]);
      assertEquals((await broker.read("b")).top.offset, 0, "it was forgotten");
      assertEquals(await kept(broker, "a"), 8);
    });
  }

  if (features.clock) {
    test("history is bounded in age", async (open) => {
      let now = 1_700_000_000_000;
      const { broker, all } = await open({ historyAge: 10, now: () => now });
      await broker.publish([text("a", "1")]);
      now += 6_000;
      await broker.publish([text("a", "2")]);
      assertEquals(all().map(({ time }) => time), [1_700_000_000_000, 1_700_000_006_000]);
      now += 3_999;
      assertEquals(await kept(broker, "a"), 2);
      now += 2;
      assertEquals(await kept(broker, "a"), 1);
      now += 6_000;
      assertEquals(await kept(broker, "a"), 0);
      assertEquals((await broker.publish([text("a", "3")])).map((result) => position(result).offset), [3]);
    });
  }

  if (features.forgets) {
    test("a channel that was forgotten returns with a new epoch, and old positions are void", async (open) => {
      const { broker } = await open({ maxChannels: 2 });
      const [old] = (await broker.publish([text("a", "1"), text("a", "2")])).map(position).slice(1);
      await broker.publish([text("b", "1")]);
      await broker.publish([text("c", "1")]);
      assertEquals(broker.stats().channels, 2);
      const [again] = (await broker.publish([text("a", "3")])).map(position);
      assert(again!.epoch !== old!.epoch);
      assertEquals(again!.offset, 1);
      assertEquals((await broker.read("a", old)).recovered, false);
      assertEquals((await broker.read("a", { ...old!, offset: 1 })).recovered, false);
    });

    test("a channel that somebody hears is not forgotten; the one longest unused is", async (open) => {
      const { broker } = await open({ maxChannels: 3 });
      await broker.publish([text("heard", "1"), text("idle", "1"), text("busy", "1")]);
      await broker.subscribe("heard");
      const tops = new Map<string, Position>();
      for (const channel of ["heard", "idle", "busy"]) tops.set(channel, (await broker.read(channel)).top);
      for (let n = 0; n < 10; n++) {
        await broker.publish([text("busy", `${n}`)]);
        await broker.publish([text(`new${n}`, "1")]);
      }
      assertEquals((await broker.read("heard", tops.get("heard"))).recovered, true);
      assertEquals((await broker.read("busy", tops.get("busy"))).publications.length, 10);
      assertEquals((await broker.read("idle", tops.get("idle"))).recovered, false);
    });

    test("a channel that nobody hears any more is forgotten like any other", async (open) => {
      const { broker } = await open({ maxChannels: 1 });
      await broker.subscribe("a");
      await broker.subscribe("a");
      const { top } = await broker.read("a");
      assertEquals((await broker.publish([text("b", "1")])).map(refusal), ["overloaded"]);
      await broker.unsubscribe("a");
      await broker.unsubscribe("a");
      await broker.unsubscribe("never heard of");
      assertEquals((await broker.publish([text("b", "1")])).map((result) => position(result).offset), [1]);
      await broker.subscribe("b");
      assertEquals(await refused(broker.subscribe("a")), "overloaded");
      assertEquals(await refused(broker.read("a", top)), "overloaded");
    });

    test("with no room for another channel, what goes elsewhere is still taken", async (open) => {
      const { broker, all } = await open({ maxChannels: 1 });
      await broker.subscribe("a");
      const results = await broker.publish([text("a", "1"), text("b", "2"), text("a", "3")]);
      assertEquals(results.map((result) => "error" in result ? refusal(result) : result.offset), [1, "overloaded", 2]);
      assertEquals(all().map(({ data }) => data), ["1", "3"]);
      assertEquals(broker.stats().channels, 1);
    });
  }
}
