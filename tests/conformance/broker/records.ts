/**
 * Values beside the channels, that change with what is published or with nothing.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { Broker, Draft } from "../../../lib/types.ts";
import { type BrokerFeatures, position, range, refusal, refused, type Test, text } from "./support.ts";

async function recordsOf(broker: Broker, prefix = ""): Promise<[string, string][]> {
  return [...await broker.records(prefix)].sort();
}

/** Registers the tests of a broker's records. */
export function testRecords(test: Test, features: BrokerFeatures): void {
  test("record() keeps, replaces and removes values, found by how their keys begin", async (open) => {
    const { broker } = await open();
    assertEquals(await recordsOf(broker), []);
    await broker.record([{ key: "a:1", value: "x" }, { key: "a:2", value: "é\0\ud83d\ude00" }, {
      key: "b:1",
      value: "",
    }]);
    assertEquals(await recordsOf(broker, "a:"), [["a:1", "x"], ["a:2", "é\0😀"]]);
    await broker.record([{ key: "a:1", value: "y" }, { key: "a:2" }, { key: "is not there" }]);
    assertEquals(await recordsOf(broker), [["a:1", "y"], ["b:1", ""]]);
    assertEquals(await recordsOf(broker, "a:1x"), []);
    await broker.record([{ key: "a:1" }, { key: "a:1", value: "last" }]);
    assertEquals(await recordsOf(broker, "a:"), [["a:1", "last"]], "changes come in their order");
  });

  test("record() refuses keys of no bytes, of more than 256, and with control characters, with all else", async (open) => {
    const { broker } = await open();
    for (const key of ["", "é".repeat(129), "a\0b", "a\nb"]) {
      assertEquals(await refused(broker.record([{ key: "fine", value: "1" }, { key, value: "2" }])), "bad_request");
      const results = await broker.publish([text("a", "1")], { records: [{ key, value: "2" }] });
      assertEquals(results.map(refusal), ["bad_request"]);
    }
    assertEquals([await recordsOf(broker), (await broker.read("a")).top.offset], [[], 0]);
    await broker.record([{ key: "é".repeat(128), value: "1" }]);
    assertEquals((await recordsOf(broker)).length, 1);
  });

  test("publish() changes records in one step with its drafts", async (open) => {
    const { broker, announced } = await open();
    const results = await broker.publish([text("a", "1"), text("b", "2")], { records: [{ key: "k", value: "1" }] });
    assertEquals([results.map((result) => position(result).offset), announced.length], [[1, 1], 1]);
    assertEquals(await recordsOf(broker), [["k", "1"]]);
    assertEquals(await broker.publish([], { records: [{ key: "k", value: "2" }] }), []);
    assertEquals(await recordsOf(broker), [["k", "2"]]);
  });

  test("publish() with records that is refused changes none of them, and publishes nothing", async (open) => {
    const { broker, announced } = await open();
    const draft: Draft = { ...text("a", "1"), id: "x" };
    await broker.publish([draft]);
    const drafts = [text("b", "1"), { ...draft, data: "2" }];
    const results = await broker.publish(drafts, { records: [{ key: "k", value: "1" }] });
    assertEquals(results.map(refusal), ["conflict", "conflict"], "atomic, though nothing says so");
    assertEquals([await recordsOf(broker), announced.length, (await broker.read("b")).top.offset], [[], 1, 0]);
  });

  test("publish() with records changes them when it is a repeat, too", async (open) => {
    const { broker, all } = await open();
    const draft: Draft = { ...text("a", "1"), id: "x" };
    await broker.publish([draft]);
    const [repeated] = await broker.publish([draft], { records: [{ key: "k", value: "1" }] });
    assertEquals(["repeated" in repeated!, all().length, await recordsOf(broker)], [true, 1, [["k", "1"]]]);
  });

  if (!features.reopen) return;
  for (const how of ["closed", "killed"] as const) {
    test(`${how} and opened again: records are there, as they were last`, async (open) => {
      const opened = await open();
      await opened.broker.record([{ key: "a", value: "1" }, { key: "b", value: "1" }, { key: "c", value: "1" }]);
      for (const n of range(1, 5)) {
        await opened.broker.publish([text("x", `${n}`)], { records: [{ key: "a", value: `${n}` }, { key: "b" }] });
      }
      const again = await opened.reopen(how);
      assertEquals(await recordsOf(again.broker), [["a", "5"], ["c", "1"]]);
      assertEquals((await again.broker.read("x")).top.offset, 5);
    });
  }
}
