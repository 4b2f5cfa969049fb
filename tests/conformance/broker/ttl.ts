/**
 * Publications that may be read for a while only.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { Draft, History } from "../../../lib/types.ts";
import { BEFORE_ALL, type BrokerFeatures, kept, position, type Test, text } from "./support.ts";

/** Registers the tests of a broker's `ttl`. */
export function testTtl(test: Test, features: BrokerFeatures): void {
  test("ttl 0: announced whole, kept as a place only, and resumed over", async (open) => {
    const { broker, all } = await open();
    const fleeting: Draft = {
      ...text("a", "x".repeat(5000)),
      ttl: 0,
      event: "e",
      tags: { a: "b" },
      from: "1-a",
      id: "i",
    };
    await broker.publish([text("a", "1"), fleeting, text("a", "3")]);
    const { ttl: _, ...announced } = fleeting;
    const { epoch, offset, time, ...seen } = all()[1]!;
    assertEquals([seen, offset], [announced, 2]);
    const { publications, recovered } = await broker.read("a", { epoch, offset: BEFORE_ALL });
    assertEquals([publications[0], publications[2], recovered], [all()[0], all()[2], true]);
    const { contentType: _type, ...place } = publications[1]!;
    assertEquals(place, { channel: "a", epoch, offset, time, data: "", expired: true });
    if (features.counts) assert(broker.stats().bytes! < 4000, `${broker.stats().bytes}`);
  });

  if (!features.clock) return;

  test("after its ttl a publication is a place, whose bytes are given back, and resumes go over it", async (open) => {
    let now = 1_700_000_000_000;
    const { broker } = await open({ now: () => now });
    const drafts = [5, undefined, 0.5, 100].map((ttl, index): Draft => {
      return { ...text("a", `${index}`.repeat(2000)), ...(ttl === undefined ? {} : { ttl }) };
    });
    const [first] = (await broker.publish(drafts)).map(position);
    const { epoch } = first!;
    async function expired(): Promise<boolean[]> {
      const { publications, recovered } = await broker.read("a", { epoch, offset: BEFORE_ALL });
      assertEquals([recovered, publications.map(({ offset }) => offset)], [true, [1, 2, 3, 4]]);
      for (const { expired, data } of publications) assertEquals(data === "", expired === true);
      return publications.map(({ expired }) => expired === true);
    }
    const { bytes } = broker.stats();
    assertEquals(await expired(), [false, false, false, false]);
    now += 499;
    assertEquals(await expired(), [false, false, false, false]);
    now += 2;
    assertEquals(await expired(), [false, false, true, false]);
    assert(broker.stats().bytes! <= bytes! - 2000, `${broker.stats().bytes!} of ${bytes}`);
    now += 4_400;
    assertEquals(await expired(), [false, false, true, false]);
    now += 100;
    assertEquals(await expired(), [true, false, true, false]);
    now += 100_000;
    assertEquals(await expired(), [true, false, true, true]);
    assert(broker.stats().bytes! <= bytes! - 6000);
    assertEquals(broker.stats().publications, 4);
    await broker.publish([text("a", "5")]);
    assertEquals(await kept(broker, "a"), 5, "places count as kept");
    now += 600_001;
    assertEquals(await kept(broker, "a"), 0, "and go like all the others");
    assertEquals(broker.stats().publications, 0);
  });

  test("a ttl is over for all of them at once, however many", async (open) => {
    let now = 1_700_000_000_000;
    const { broker } = await open({ now: () => now, historyBytes: 10 << 20 });
    const drafts = Array.from(
      { length: 1000 },
      (_, n): Draft => ({ ...text(`c${n % 2}`, `${n}`), ttl: 1 + n % 5 / 10 }),
    );
    await broker.publish(drafts);
    now += 1_350;
    for (const channel of ["c0", "c1"]) {
      const { publications } = await broker.read(channel, { last: 1000 }, { bytes: 10 << 20 });
      assertEquals(publications.length, 500);
      const left = publications.filter(({ expired }) => !expired);
      assert(left.every(({ data }) => Number(data) % 5 === 4));
      assertEquals(left.length, 100);
    }
  });

  if (features.bytes) {
    test("what is over its ttl or its age makes room before anything is forgotten or refused", async (open) => {
      let now = 1_700_000_000_000;
      const { broker } = await open({ now: () => now, historyBudget: 20_000, rule: ["short count=9 age=10"] });
      await broker.publish([{ ...text("brief", "x".repeat(8000)), ttl: 20 }]);
      await broker.publish([text("short", "x".repeat(8000))]);
      const tops = new Map<string, History["top"]>();
      for (const channel of ["brief", "short"]) tops.set(channel, (await broker.read(channel)).top);
      now += 11_000;
      await broker.publish([text("a", "x".repeat(8000))]);
      now += 10_000;
      await broker.publish([text("b", "x".repeat(8000))]);
      for (const [channel, top] of tops) assertEquals((await broker.read(channel, top)).top, top, channel);
      assertEquals(broker.stats().channels, 4);
    });
  }
}
