/**
 * Values beside the channels, by themselves and in one step with publications.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { Broker, Draft, RecordChange } from "../../../lib/types.ts";
import { seeded } from "../../support/random.ts";
import { type BrokerFeatures, NO_QUEUES, position, range, refusal, refused, type Test, text } from "./support.ts";

/** Registers the tests of a broker's records. */
export function testRecords(test: Test, features: BrokerFeatures): void {
  /** In one step where that can be. */
  async function both(broker: Broker, draft: Draft, records: readonly RecordChange[]): Promise<void> {
    await broker.publish([draft], features.atomic ? { records } : {});
    if (!features.atomic) await broker.record(records);
  }

  test("record() puts, changes and removes, the last change of a key in a call counts", async (open) => {
    const { broker, announced } = await open();
    assertEquals(await all(broker), {});
    await broker.record([]);
    await broker.record([{ key: "a", value: "1" }, { key: "b", value: "2" }, { key: "c", value: "" }]);
    assertEquals(await all(broker), { a: "1", b: "2", c: "" });
    await broker.record([{ key: "a", value: "3" }, { key: "b" }, { key: "never was" }]);
    assertEquals(await all(broker), { a: "3", c: "" });
    await broker.record([{ key: "a" }, { key: "a", value: "4" }, { key: "c", value: "5" }, { key: "c" }]);
    assertEquals(await all(broker), { a: "4" });
    assertEquals(announced.flat(), []);
    if (!features.counts) return;
    assertEquals(broker.stats(), { channels: 0, publications: 0, bytes: 0, queues: NO_QUEUES }, "they are no channels");
  });

  test("record() changes nothing where one of them is not as it has to be", async (open) => {
    const { broker, announced } = await open();
    await broker.record([{ key: "a", value: "1", isNew: true }]);
    await broker.record([{ key: "a", value: "2", was: "1" }, { key: "b", value: "1", isNew: true }]);
    const attempts: RecordChange[][] = [
      [{ key: "a", value: "3", isNew: true }],
      [{ key: "a", value: "3", was: "1" }],
      [{ key: "a", value: "3", was: "" }],
      [{ key: "a", was: "1" }],
      [{ key: "c", value: "3", was: "1" }],
      [{ key: "c", value: "3", isNew: true }, { key: "b", value: "3", was: "2" }],
    ];
    for (const changes of attempts) {
      assertEquals(await refused(broker.record(changes)), "conflict", JSON.stringify(changes));
      if (!features.atomic) continue;
      const records = [...changes];
      assertEquals((await broker.publish([text("a", "x"), text("a", "y")], { records })).map(refusal), [
        "conflict",
        "conflict",
      ]);
      assertEquals((await broker.publish([text("a", "x")], { records })).map(refusal), ["conflict"]);
    }
    assertEquals([await all(broker), announced.flat()], [{ a: "2", b: "1" }, []]);
    if (!features.atomic) return;
    const [result] = await broker.publish([text("a", "x")], { records: [{ key: "a", was: "2" }] });
    assertEquals([position(result!).offset, await all(broker)], [1, { b: "1" }]);
  });

  test("records() answers a copy: what is done to it, and what is recorded later, do not meet", async (open) => {
    const { broker } = await open();
    await broker.record([{ key: "a", value: "1" }]);
    const found = await broker.records("") as Map<string, string>;
    await broker.record([{ key: "a", value: "2" }]);
    assertEquals(found.get("a"), "1");
    found.clear();
    assertEquals(await all(broker), { a: "2" });
  });

  test("records() finds exactly those whose keys begin with the prefix", async (open) => {
    const { broker } = await open();
    const keys = [
      ...[
        "schedule",
        "schedule:",
        "schedule:a",
        "schedule:b:c",
        "schedule:\uffff",
        "schedule:\u{10ffff}z",
        "schedule;",
      ],
      ...[
        "schedule9",
        "Schedule:a",
        "s",
        "é",
        "e\u0301",
        "🎉",
        "🎉1",
        "🎊",
        "\uffee",
        "%",
        "_",
        "a%b",
        "a_b",
        "aXb",
        "'\"",
        " ",
      ],
    ];
    await broker.record(keys.map((key) => ({ key, value: `of ${key}` })));
    const prefixes = [
      "",
      "sched",
      "a%",
      "a_",
      "🎉1x",
      "\u{10ffff}",
      "\uffff",
      "nothing",
      "schedule:\u{10ffff}",
      ...keys,
    ];
    for (const prefix of prefixes) {
      const expected = keys.filter((key) => key.startsWith(prefix)).map((key) => [key, `of ${key}`]);
      assertEquals(await all(broker, prefix), Object.fromEntries(expected), prefix);
    }
  });

  test("record() takes keys of up to 256 bytes without control characters, and refuses others with all of the call", async (open) => {
    const { broker } = await open();
    const longest = ["k".repeat(256), "é".repeat(128), "🎉".repeat(64)];
    await broker.record(longest.map((key) => ({ key, value: key })));
    assertEquals(Object.keys(await all(broker)).sort(), [...longest].sort());
    const controls = ["\0", "a\0b", "a\n", "\x7f", "\x85"];
    const halves = ["\ud83c", "a\udf89", "\udf89\ud83c"];
    for (const key of ["", "k".repeat(257), `${"é".repeat(128)}x`, ...controls, ...halves]) {
      const changes: RecordChange[] = [{ key: "other", value: "1" }, { key, value: "1" }];
      assertEquals(await refused(broker.record(changes)), "bad_request", JSON.stringify(key));
      assertEquals(await refused(broker.record([{ key }])), "bad_request", JSON.stringify(key));
      const results = await broker.publish([text("a", "1"), text("b", "2")], { records: changes });
      assertEquals(results.map(refusal), ["bad_request", "bad_request"]);
    }
    assertEquals(Object.keys(await all(broker)).sort(), [...longest].sort());
    assertEquals((await broker.read("a")).top.offset, 0);
  });

  test("values come back to the last character, up to 1 MiB and beyond", async (open) => {
    const { broker } = await open();
    const values = VALUES;
    await broker.record(values.map((value, n) => ({ key: `${n}`, value })));
    for (const [n, value] of values.entries()) assertEquals((await broker.records(`${n}`)).get(`${n}`), value, `${n}`);
  });

  test("publish() with records is one step: drafts and records, or nothing", async (open) => {
    if (!features.atomic) return;
    const { broker, announced, all: published } = await open();
    const changes = (
      value: string,
    ): RecordChange[] => [{ key: "a", value }, { key: `only ${value}`, value }, { key: "gone" }];
    await broker.record([{ key: "gone", value: "0" }]);
    const results = await broker.publish([text("a", "1"), { ...text("b", "2"), id: "x" }], { records: changes("1") });
    assertEquals(results.map((result) => position(result).offset), [1, 1]);
    assertEquals(announced.map((publications) => publications.length), [2], "they are atomic");
    const after = { a: "1", "only 1": "1" };
    assertEquals(await all(broker), after);
    const conflict: Draft[] = [text("a", "3"), { ...text("b", "other"), id: "x" }, text("c", "4")];
    for (const atomic of [true, false]) {
      const refusals = await broker.publish(conflict, { atomic, records: changes("2") });
      assertEquals(refusals.map(refusal), ["conflict", "conflict", "conflict"]);
      assertEquals(await all(broker), after, "nothing of it");
      assertEquals(published().length, 2);
    }
    const [again] = await broker.publish([{ ...text("b", "2"), id: "x" }], { records: changes("3") });
    assertEquals([position(again!).offset, "repeated" in again!], [1, true]);
    assertEquals(await all(broker), { ...after, a: "3", "only 3": "3" }, "a repeat is no refusal");
    assertEquals(published().length, 2);
  });

  test("publish() of no drafts with records changes them, and rejects when it cannot", async (open) => {
    const { broker, announced } = await open();
    assertEquals(await broker.publish([], { records: [{ key: "a", value: "1" }] }), []);
    assertEquals(await all(broker), { a: "1" });
    assertEquals(await refused(broker.publish([], { records: [{ key: "" }, { key: "a" }] })), "bad_request");
    assertEquals(await all(broker), { a: "1" });
    assertEquals(announced.flat(), []);
  });

  if (features.bytes) {
    test("publish() with records for which history has no room changes none of them", async (open) => {
      const { broker, announced } = await open({ historyBudget: 20_000 });
      // Nobody may forget either for the other.
      await broker.subscribe("a");
      await broker.subscribe("b");
      await broker.publish([text("a", "x".repeat(15_000))]);
      announced.length = 0;
      const records = [{ key: "a", value: "1" }];
      const results = await broker.publish([text("b", "1"), text("b", "x".repeat(10_000))], { records });
      assertEquals(results.map(refusal), ["overloaded", "overloaded"]);
      assertEquals([await all(broker), announced.flat()], [{}, []]);
      assertEquals((await broker.publish([text("b", "1")], { records })).map((result) => position(result).offset), [1]);
      assertEquals(await all(broker), { a: "1" });
    });
  }

  test("records that are changed by many calls at once are as the last of each key had them", async (open) => {
    const { broker, all: published } = await open({ historyCount: 10_000 });
    const random = seeded(7);
    const expected = new Map<string, string>();
    const calls: Promise<unknown>[] = [];
    let drafts = 0;
    for (let call = 0; call < 1000; call++) {
      const records = range(1, 1 + random.int(4)).map((n): RecordChange => {
        const key = `k${random.int(50)}`;
        return random.int(4) === 0 ? { key } : { key, value: `${call}.${n}` };
      });
      const isRefused = features.atomic && random.int(5) === 0;
      if (isRefused) {
        calls.push(broker.publish([text("a", "never"), { ...text("b", `${call}`), id: "same" }], { records }));
        // The first of them is not.
        if (calls.length > 1 && drafts > 0) continue;
      }
      for (const { key, value } of records) value === undefined ? expected.delete(key) : expected.set(key, value);
      if (isRefused) drafts += 2;
      else if (!features.atomic || random.int(2) === 0) calls.push(broker.record(records));
      else calls.push(broker.publish([text("a", `${drafts++}`)], { records }));
    }
    await Promise.all(calls);
    assertEquals(await broker.records("k"), expected);
    assertEquals(published().length, drafts);
  });

  test("records are kept whatever becomes of the channels", async (open) => {
    const { broker } = await open({ maxChannels: 3, historyBudget: 5000 });
    await both(broker, text("first", "1"), [{ key: "a", value: "1" }]);
    for (let n = 0; n < 30; n++) await broker.publish([text(`c${n}`, "x".repeat(500))]);
    assertEquals(await all(broker), { a: "1" });
  });

  if (!features.reopen) return;
  for (const how of ["closed", "killed"] as const) {
    test(`${how} and opened again: records are as they were, to the last character`, async (open) => {
      const opened = await open();
      const { broker } = opened;
      await broker.record(VALUES.map((value, n) => ({ key: `v${n}`, value })));
      await broker.record([{ key: "🎉", value: "kept" }, { key: "gone", value: "1" }]);
      await broker.record([{ key: "gone" }]);
      await both(broker, { ...text("a", "1"), id: "x" }, [{ key: "with", value: "1" }]);
      if (features.atomic) {
        await both(broker, { ...text("a", "2"), id: "x" }, [{ key: "with", value: "2" }, { key: "🎉" }]);
      }
      const before = await all(broker);
      assertEquals([before["with"], before["🎉"], before["gone"]], ["1", "kept", undefined]);
      const again = await opened.reopen(how);
      assertEquals(await all(again.broker), before);
      await again.broker.record([{ key: "with" }]);
      const third = await again.reopen(how);
      assertEquals((await all(third.broker))["with"], undefined);
      assertEquals((await third.broker.read("a")).top.offset, 1);
    });
  }

  test("a closed broker refuses records with `going_away`", async (open) => {
    const { broker } = await open();
    await broker.close();
    assertEquals(await refused(broker.record([{ key: "a", value: "1" }])), "going_away");
    assertEquals(await refused(broker.records("")), "going_away");
    assertEquals(await refused(broker.publish([], { records: [{ key: "a", value: "1" }] })), "going_away");
  });
}

const VALUES: readonly string[] = [
  "",
  "\0",
  "a\0b",
  "\ufeff",
  "\ufeffgrüße 🎉 \u2028 \r\n",
  '{"a":[1,"é"]}',
  "x".repeat(1 << 20),
  "🎉\0".repeat(200_000),
];

async function all(broker: Broker, prefix = ""): Promise<Record<string, string>> {
  return Object.fromEntries(await broker.records(prefix));
}
