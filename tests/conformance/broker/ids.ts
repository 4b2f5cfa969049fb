/**
 * Publishing again under the same id.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { Draft } from "../../../lib/types.ts";
import { type BrokerFeatures, position, refusal, type Test, text } from "./support.ts";

/** Registers the tests of a broker's memory for ids. */
export function testIds(test: Test, features: BrokerFeatures): void {
  test("publish() of a known id answers the first position and announces nothing, for each publisher", async (open) => {
    const { broker, all } = await open();
    const first = { ...text("a", "1"), id: "x" };
    const [one] = await broker.publish([first]);
    const { epoch } = position(one!);
    await broker.publish([text("a", "2")]);
    assertEquals(await broker.publish([{ ...first, user: "u", from: "1-b" }]), [{ epoch, offset: 1, repeated: true }]);
    const others: Draft[] = [
      { ...first, publisher: "p" },
      { ...first, publisher: "px", id: "y" },
      { ...first, publisher: "p", id: "xy" },
      { ...first, channel: "b" },
      { ...first, id: "X" },
    ];
    const results = (await broker.publish(others)).map((result) => [position(result).offset, "repeated" in result]);
    assertEquals(results, [[3, false], [4, false], [5, false], [1, false], [6, false]]);
    const again = (await broker.publish(others)).map((result) => [position(result).offset, "repeated" in result]);
    assertEquals(again, results.map(([offset]) => [offset, true]));
    assertEquals(all().length, 7);
    assert(all().every((publication) => !("publisher" in publication)), "nobody is shown the publisher");
  });

  test("publish() of a known id with other content is a conflict, and changes nothing", async (open) => {
    const { broker, all } = await open();
    const first: Draft = { ...text("a", "1"), id: "x", event: "e", tags: { a: "1", b: "2" }, ttl: 60 };
    const { ttl: _ttl, ...endless } = first;
    const { event: _event, ...nameless } = first;
    await broker.publish([first]);
    const others: Draft[] = [
      { ...first, data: "2" },
      { ...first, data: new TextEncoder().encode("1") },
      { ...first, contentType: "text/html" },
      { ...first, event: "f" },
      nameless,
      { ...first, tags: { a: "1" } },
      { ...first, tags: { a: "1", b: "3" } },
      { ...first, ttl: 61 },
      endless,
    ];
    assertEquals((await broker.publish(others)).map(refusal), others.map(() => "conflict"));
    const [same] = await broker.publish([{ ...first, tags: { b: "2", a: "1" } }]);
    assertEquals([position(same!).offset, "repeated" in same!], [1, true]);
    assertEquals(all().length, 1);
  });

  test("publish() finds repeats within one call too", async (open) => {
    const { broker, all } = await open();
    const [a, b] = [{ ...text("a", "1"), id: "x" }, { ...text("a", "2"), id: "x" }];
    for (const atomic of features.atomic ? [false, true] : [false]) {
      const channel = `a${atomic}`;
      const drafts = [a, text("a", "between"), a].map((draft) => ({ ...draft, channel }));
      const results = await broker.publish(drafts, { atomic });
      assertEquals(results.map((result) => [position(result).offset, "repeated" in result]), [
        [1, false],
        [2, false],
        [1, true],
      ]);
      assertEquals(all(channel).map(({ data }) => data), ["1", "between"]);
    }
    const mixed = await broker.publish([a, b, text("a", "3")]);
    assertEquals(mixed.map((result) => "error" in result ? result.error.code : result.offset), [1, "conflict", 2]);
  });

  if (features.atomic) {
    test("an atomic publish() with a conflict is refused whole; a repeat in it is answered, not published", async (open) => {
      const { broker, announced, all } = await open();
      const [a, b] = [{ ...text("a", "1"), id: "x" }, { ...text("a", "2"), id: "x" }];
      const outside = await broker.publish([text("b", "0"), a, b, text("b", "1")], { atomic: true });
      assertEquals(outside.map(refusal), Array(4).fill("conflict"), "both in the call");
      await broker.publish([a]);
      const results = await broker.publish([text("b", "0"), b, text("b", "1")], { atomic: true });
      assertEquals(results.map(refusal), Array(3).fill("conflict"));
      assertEquals(all().length, 1);
      const taken = await broker.publish([text("b", "0"), a, text("b", "1")], { atomic: true });
      assertEquals(taken.map((result) => position(result).offset), [1, 1, 2]);
      assertEquals(announced.at(-1)?.map(({ channel, offset }) => [channel, offset]), [["b", 1], ["b", 2]]);
      const calls = announced.length;
      assertEquals((await broker.publish([a, a], { atomic: true })).map((result) => "repeated" in result), [
        true,
        true,
      ]);
      assertEquals(announced.slice(calls).flat(), []);
    });
  }

  test("an id outlives the history of its channel", async (open) => {
    const { broker } = await open({ historyCount: 2 });
    const first = { ...text("a", "1"), id: "x" };
    await broker.publish([first]);
    for (let n = 0; n < 10; n++) await broker.publish([text("a", `${n}`)]);
    const [again] = await broker.publish([first]);
    assertEquals([position(again!).offset, "repeated" in again!], [1, true]);
  });

  if (features.clock) {
    test("an id is new again after five minutes, and what it took is given back", async (open) => {
      let now = 1_700_000_000_000;
      const { broker } = await open({ now: () => now, historyAge: 1 });
      const first = { ...text("a", "1"), id: "x" };
      await broker.publish([first]);
      for (const step of [100_000, 100_000, 100_000]) {
        now += step;
        const [again] = await broker.publish([first]);
        assertEquals([position(again!).offset, "repeated" in again!], [1, true]);
      }
      now += 1;
      const [later] = await broker.publish([{ ...first, data: "2" }]);
      assertEquals([position(later!).offset, "repeated" in later!], [2, false]);
      now += 400_000;
      await broker.publish([text("b", "")]);
      assertEquals((await broker.read("a", { last: 1 })).publications, []);
      const { bytes, publications } = broker.stats();
      const { broker: fresh } = await open({ now: () => now });
      await fresh.publish([text("b", "")]);
      assertEquals({ bytes, publications }, { bytes: fresh.stats().bytes!, publications: 1 });
    });
  }

  if (features.bytes && features.clock) {
    test("ids count towards the budget, and are gone with their channel", async (open) => {
      let now = 1_700_000_000_000;
      const { broker } = await open({ historyBudget: 20_000, historyCount: 0, now: () => now });
      await broker.subscribe("a");
      const results = [];
      for (let n = 0; n < 300; n++) results.push(...await broker.publish([{ ...text("a", "1"), id: `${n}` }]));
      const taken = results.filter((result) => !("error" in result)).length;
      assert(taken > 30 && taken < 200, `${taken} taken`);
      assertEquals(results.slice(taken).map(refusal), Array(300 - taken).fill("overloaded"));
      assert(broker.stats().bytes! <= 20_000);
      assertEquals((await broker.publish([text("a", "without")])).map((result) => position(result).offset), [
        taken + 1,
      ]);
      now += 300_001;
      const [later] = await broker.publish([{ ...text("a", "1"), id: "later" }]);
      assertEquals(position(later!).offset, taken + 2);
      await broker.unsubscribe("a");
      for (let n = 0; n < 300; n++) await broker.publish([{ ...text("b", "1"), id: `${n}` }]);
      const [again] = await broker.publish([{ ...text("a", "1"), id: "later" }]);
      assertEquals("error" in again! ? again.error.code : [again!.offset, "repeated" in again!], [1, false]);
    });
  }
}
