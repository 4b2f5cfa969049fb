/**
 * What is there after the process has ended.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { Draft, Position } from "../../../lib/types.ts";
import { BEFORE_ALL, type BrokerFeatures, kept, position, range, refusal, type Test, text } from "./support.ts";

/** Registers the tests of a broker that outlives its process. */
export function testReopening(test: Test, features: BrokerFeatures): void {
  for (const how of ["closed", "killed"] as const) {
    test(`${how} and opened again: everything acknowledged is there, and numbering goes on`, async (open) => {
      const opened = await open();
      const drafts = range(1, 40).map((n): Draft => ({
        channel: `c${n % 3}`,
        data: n % 4 === 0 ? Uint8Array.of(n, 0, 255) : `${n}\0é`,
        contentType: n % 4 === 0 ? "image/png" : "text/plain",
        ...(n % 5 === 0 ? { event: "e", tags: { a: "b" }, user: "u", from: "1-a" } : {}),
        ...(n % 7 === 0 ? { id: `${n}`, publisher: "p" } : {}),
      }));
      await opened.broker.publish(drafts);
      const stats = opened.broker.stats();
      const again = await opened.reopen(how);
      assertEquals(again.broker.stats(), stats);
      for (const channel of ["c0", "c1", "c2"]) {
        const all = opened.all(channel);
        const { epoch } = all[0]!;
        const { publications, recovered, top } = await again.broker.read(channel, { epoch, offset: BEFORE_ALL });
        assertEquals([recovered, publications, top.offset], [true, all, all.length]);
        const [next] = await again.broker.publish([text(channel, "next")]);
        assertEquals(next, { epoch, offset: all.length + 1 });
      }
      assertEquals(again.announced.length, 3, "nothing is announced twice");
    });

    test(`${how} and opened again: a channel that was only listened to is the same`, async (open) => {
      const opened = await open();
      await opened.broker.subscribe("a");
      const { top } = await opened.broker.read("a");
      // What has nothing yet is saved with the next publication at the latest.
      await opened.broker.publish([text("b", "1")]);
      const again = await opened.reopen(how);
      assertEquals(await again.broker.read("a", top), { top, publications: [], recovered: true });
    });

    if (!features.clock) continue;

    test(`${how} and opened again: ids are still known, and still expire`, async (open) => {
      let now = 1_700_000_000_000;
      const opened = await open({ now: () => now });
      const draft: Draft = { ...text("a", "1"), id: "x", publisher: "p" };
      await opened.broker.publish([draft]);
      now += 299_000;
      const again = await opened.reopen(how, { now: () => now });
      const [repeated] = await again.broker.publish([draft]);
      assertEquals([position(repeated!).offset, "repeated" in repeated!], [1, true]);
      assertEquals((await again.broker.publish([{ ...draft, data: "2" }])).map(refusal), ["conflict"]);
      now += 1_001;
      const third = await again.reopen(how, { now: () => now });
      const [fresh] = await third.broker.publish([draft]);
      assertEquals([position(fresh!).offset, "repeated" in fresh!], [2, false]);
    });

    test(`${how} and opened again: a ttl goes on`, async (open) => {
      let now = 1_700_000_000_000;
      const opened = await open({ now: () => now });
      await opened.broker.publish([{ ...text("a", "x".repeat(3000)), ttl: 10 }, { ...text("a", "2"), ttl: 20 }]);
      now += 15_000;
      const again = await opened.reopen(how, { now: () => now });
      const { publications } = await again.broker.read("a", { last: 5 });
      assertEquals(publications.map(({ expired }) => expired === true), [true, false]);
      assert(again.broker.stats().bytes! < 1000);
    });
  }

  if (!features.clock || !features.forgets) return;

  test("opened again with tighter bounds, it keeps to them", async (open) => {
    let now = 1_700_000_000_000;
    const opened = await open({ now: () => now });
    for (const channel of ["a", "b", "c"]) {
      for (let n = 0; n < 10; n++) await opened.broker.publish([text(channel, "x".repeat(1000))]);
      now += 1000;
    }
    const tops = new Map<string, Position>();
    for (const channel of ["a", "b", "c"]) tops.set(channel, (await opened.broker.read(channel)).top);
    const count = await opened.reopen("killed", { now: () => now, historyCount: 4 });
    for (const [channel, top] of tops) {
      assertEquals([await kept(count.broker, channel), (await count.broker.read(channel)).top], [4, top]);
    }
    const age = await opened.reopen("killed", { now: () => now, historyAge: 2.5 });
    assertEquals([await kept(age.broker, "a"), await kept(age.broker, "b")], [0, 10]);
    const bytes = await opened.reopen("killed", { now: () => now, historyBytes: 3000 });
    assertEquals([await kept(bytes.broker, "a"), bytes.broker.stats().publications], [2, 6]);
    const budget = await opened.reopen("killed", { now: () => now, historyBudget: 20_000 });
    assertEquals(budget.broker.stats().channels, 1);
    assertEquals((await budget.broker.read("c", tops.get("c"))).recovered, true, "the one used last is left");
    const channels = await opened.reopen("killed", { now: () => now, maxChannels: 2 });
    assertEquals([channels.broker.stats().channels, await kept(channels.broker, "b")], [2, 10]);
  });

  test("what was forgotten stays so when it is opened again", async (open) => {
    const opened = await open({ maxChannels: 1 });
    const [first] = await opened.broker.publish([{ ...text("a", "1"), id: "x" }]);
    await opened.broker.publish([text("b", "1")]);
    const again = await opened.reopen("closed", { maxChannels: 5 });
    assertEquals(again.broker.stats(), { ...again.broker.stats(), channels: 1, publications: 1 });
    const { top, recovered } = await again.broker.read("a", position(first!));
    assertEquals([recovered, top.offset], [false, 0]);
    const [next] = await again.broker.publish([{ ...text("a", "1"), id: "x" }]);
    assertEquals([position(next!).offset, "repeated" in next!], [1, false]);
  });
}
