/**
 * What every broker promises: the contract of `Broker` in `lib/types.ts`, proved on one that is open.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { Announce, Broker, Draft, Publication, PublishResult } from "../../lib/types.ts";
import { seeded } from "../support/random.ts";
import { testIds } from "./broker/ids.ts";
import { testLimits } from "./broker/limits.ts";
import { testPages } from "./broker/pages.ts";
import { testQueueModel } from "./broker/queue_model.ts";
import { testQueues } from "./broker/queues.ts";
import { testRecords } from "./broker/records.ts";
import { testReopening } from "./broker/reopening.ts";
import {
  before,
  BEFORE_ALL,
  type BrokerFeatures,
  NO_QUEUES,
  type OpenBroker,
  type Opened,
  position,
  refusal,
  refused,
  type Test,
  text,
} from "./broker/support.ts";
import { testTtl } from "./broker/ttl.ts";

/** Registers the tests of a broker. */
export function testBroker(name: string, open: OpenBroker, features: BrokerFeatures): void {
  const test: Test = (title, run) => {
    (features.register ?? Deno.test)(`${name}: ${title}`, async () => {
      const brokers: Broker[] = [];
      async function opening(start: (announce: Announce) => Broker | Promise<Broker>): Promise<Opened> {
        const announced: (readonly Publication[])[] = [];
        const broker = await start((publications) => announced.push([...publications]));
        brokers.push(broker);
        return {
          broker,
          announced,
          all: (channel) => announced.flat().filter((one) => channel === undefined || one.channel === channel),
          async reopen(how, bounds = {}) {
            if (how === "closed") await broker.close();
            return await opening((announce) => features.reopen!(broker, how, announce, bounds));
          },
        };
      }
      try {
        await run((bounds = {}) => opening((announce) => open(announce, bounds)));
      } finally {
        for (const broker of brokers) await broker.close();
      }
    });
  };

  test("publish() numbers 1, 2, 3 ... without a gap, whatever is called at once", async (open) => {
    const { broker, all } = await open({ historyCount: 10_000 });
    const random = seeded(1);
    const calls: { drafts: Draft[]; atomic: boolean }[] = Array.from({ length: 300 }, (_, call) => ({
      drafts: Array.from({ length: 1 + random.int(5) }, (_, i) => text(`c${random.int(4)}`, `${call}.${i}`)),
      atomic: features.atomic && random.int(4) === 0,
    }));
    // Some calls at once, some after others, some in the middle of others.
    const results: Promise<PublishResult[]>[] = [];
    for (const { drafts, atomic } of calls) {
      results.push(broker.publish(drafts, { atomic }));
      if (random.int(3) === 0) await Promise.resolve();
      if (random.int(10) === 0) await results.at(-1);
    }
    const answered = (await Promise.all(results)).flat().map(position);
    const drafts = calls.flatMap((call) => call.drafts);
    if (features.atomic) assertEquals(all().map(({ data }) => data), drafts.map(({ data }) => data), "in one order");
    for (const channel of ["c0", "c1", "c2", "c3"]) {
      const own = all(channel);
      const ofChannel = drafts.flatMap((draft, index) => draft.channel === channel ? [index] : []);
      assertEquals(
        own.map(({ data }) => data),
        ofChannel.map((index) => drafts[index]!.data),
        "in the order of the calls",
      );
      const positions = own.map(({ epoch, offset }) => ({ epoch, offset }));
      assertEquals(positions, ofChannel.map((index) => answered[index]!), "answered as announced");
      assertEquals(own.map(({ offset }) => offset), own.map((_, index) => index + 1), channel);
      assertEquals(new Set(own.map(({ epoch }) => epoch)).size, 1);
    }
    assertEquals(new Set(all().map(({ epoch }) => epoch)).size, 4, "an epoch of its own for each channel");
  });

  test("publish() resolves after the announcement, with the positions that were announced", async (open) => {
    const { broker, announced } = await open();
    const results = await broker.publish([text("a", "1"), text("b", "2"), text("a", "3")]);
    const all = announced.flat().sort((one, other) =>
      features.atomic ? 0 : String(one.data) < String(other.data) ? -1 : 1
    );
    assertEquals(all.map(({ data }) => data), ["1", "2", "3"]);
    assertEquals(results, all.map(({ epoch, offset }) => ({ epoch, offset })));
    assertEquals(results.map((result) => position(result).offset), [1, 1, 2]);
  });

  test("publish() of nothing answers nothing and announces nothing", async (open) => {
    const { broker, announced } = await open();
    assertEquals(await broker.publish([]), []);
    assertEquals(await broker.publish([], { atomic: features.atomic }), []);
    assertEquals(announced.flat(), []);
  });

  test("what is announced and what is read are what was published, to the last character", async (open) => {
    const { broker, all } = await open();
    const start = Date.now();
    const drafts: Draft[] = [
      { channel: "a", data: "", contentType: "text/plain" },
      { channel: "a", data: "\ufeffgrüße 🎉 \0 \u2028 \r\n", contentType: "text/plain;charset=utf-8" },
      { channel: "a", data: '{"a":[1,"é"]}', contentType: "application/json", event: "e 1", id: "i".repeat(64) },
      { channel: "a", data: new Uint8Array(), contentType: "application/octet-stream" },
      { channel: "a", data: Uint8Array.of(0, 255, 128, 10), contentType: "image/png", user: "u", from: "1-x" },
      { channel: "a", data: "t", contentType: "text/plain", tags: { a: "b", "c:d": "é" } },
    ];
    await broker.publish(drafts);
    const { publications } = await broker.read("a", await before(broker, "a"));
    assertEquals(publications, all());
    for (const [index, { epoch: _epoch, offset, time, ...draft }] of all().entries()) {
      assertEquals(draft, drafts[index]!);
      assertEquals(offset, index + 1);
      assert(Number.isInteger(time) && time >= start - 60_000 && time <= Date.now() + 60_000, `${time}`);
    }
  });

  if (!features.atomic) {
    test("an atomic publish() over what cannot be one step is refused, and over one channel is one", async (open) => {
      const { broker, announced } = await open();
      const one = [text("a", "1"), { ...text("a", "2"), id: "x" }];
      assertEquals((await broker.publish(one, { atomic: true })).map((result) => position(result).offset), [1, 2]);
      const conflict = [text("a", "3"), { ...text("a", "other"), id: "x" }];
      assertEquals((await broker.publish(conflict, { atomic: true })).map(refusal), ["conflict", "conflict"]);
      const records = [{ key: "k", value: "v" }];
      const settled = [{ queue: "q", offsets: [1], as: "done" }] as const;
      const apart = [text("a", "4"), text("b", "4")];
      for (const options of [{ atomic: true }, { records }, { settled }]) {
        assertEquals((await broker.publish(apart, options)).map(refusal), ["bad_request", "bad_request"]);
      }
      assertEquals(await refused(broker.publish([], { records, settled })), "bad_request");
      assertEquals([announced.flat().length, (await broker.records("")).size], [2, 0], "nothing of it");
      assertEquals((await broker.publish(apart)).map((result) => position(result).offset), [3, 1]);
    });
  }

  if (features.atomic) {
    test("an atomic publish() that is refused numbers, stores and announces nothing", async (open) => {
      if (!features.forgets) return;
      const { broker, announced, all } = await open({ maxChannels: 2 });
      await broker.subscribe("a");
      await broker.subscribe("b");
      const results = await broker.publish([text("a", "1"), text("c", "2"), text("b", "3")], { atomic: true });
      assertEquals(results.map(refusal), ["overloaded", "overloaded", "overloaded"]);
      assertEquals(announced.flat(), []);
      await broker.publish([text("a", "4")]);
      assertEquals(all().map(({ data, offset }) => ({ data, offset })), [{ data: "4", offset: 1 }]);
    });

    test("an atomic publish() is one announcement, numbered without anything in between", async (open) => {
      const { broker, announced } = await open();
      const others = [broker.publish([text("a", "x")])];
      const atomic = broker.publish([text("a", "1"), text("b", "2"), text("a", "3")], { atomic: true });
      others.push(broker.publish([text("a", "y")]));
      await Promise.all([...others, atomic]);
      const whole = announced.find((publications) => publications.some(({ data }) => data === "1"))!;
      assertEquals(whole.filter(({ data }) => /\d/.test(String(data))).map(({ data }) => data), ["1", "2", "3"]);
    });
  }

  test("read() answers exactly what came after each position, in pages of any size", async (open) => {
    const { broker, all } = await open();
    await broker.publish(Array.from({ length: 9 }, (_, index) => text("a", `${index}`)));
    await broker.publish([text("b", "other")]);
    const { epoch } = (await broker.read("a")).top;
    for (let since = BEFORE_ALL; since <= 9; since++) {
      for (const limit of [1, 2, 3, 9, 100, undefined]) {
        const seen: Publication[] = [];
        for (let from = since;;) {
          const page = await broker.read("a", { epoch, offset: from }, limit === undefined ? {} : { count: limit });
          assertEquals({ top: page.top, recovered: page.recovered }, { top: { epoch, offset: 9 }, recovered: true });
          assertEquals(page.publications.length, Math.min(limit ?? Infinity, 9 - from));
          seen.push(...page.publications);
          from += page.publications.length;
          if (from === 9) break;
        }
        assertEquals(seen, all("a").slice(since), `since ${since}, ${limit} at a time`);
      }
    }
  });

  test("read() without a position answers the top and no publication", async (open) => {
    const { broker } = await open();
    await broker.publish([text("a", "1"), text("a", "2")]);
    const { top, publications, recovered } = await broker.read("a");
    assertEquals({ offset: top.offset, publications, recovered }, { offset: 2, publications: [], recovered: true });
  });

  test("read() of a channel that nobody has published to answers the epoch of its first publication", async (open) => {
    const { broker } = await open();
    await broker.subscribe("a");
    const { top, recovered } = await broker.read("a");
    assertEquals({ offset: top.offset, recovered }, { offset: BEFORE_ALL, recovered: true });
    assertEquals(await broker.read("a", top), { top, publications: [], recovered: true });
    assertEquals(await broker.publish([text("a", "1")]), [{ epoch: top.epoch, offset: 1 }]);
    const { publications } = await broker.read("a", top);
    assertEquals(publications.map(({ data }) => data), ["1"]);
  });

  test("read() is served in the order of the calls: one instant, between the publications around it", async (open) => {
    const { broker } = await open();
    const { epoch } = (await broker.read("a")).top;
    await broker.subscribe("a");
    const since = { epoch, offset: BEFORE_ALL };
    const reads = [];
    for (let n = 0; n < 20; n++) {
      reads.push(broker.read("a", since));
      void broker.publish([text("a", `${n}`), text("a", `${n}'`)]);
    }
    for (const [n, { top, publications, recovered }] of (await Promise.all(reads)).entries()) {
      assertEquals({ top: top.offset, read: publications.length, recovered }, {
        top: 2 * n,
        read: 2 * n,
        recovered: true,
      });
    }
  });

  test("read() from a position ahead of the log, or of another epoch, is not recovered", async (open) => {
    const { broker } = await open();
    await broker.publish([text("a", "1"), text("a", "2"), text("b", "1")]);
    const { top } = await broker.read("a");
    const elsewhere = (await broker.read("b")).top.epoch;
    for (
      const since of [
        { epoch: top.epoch, offset: 3 },
        { epoch: top.epoch, offset: 10 ** 15 - 1 },
        { epoch: elsewhere, offset: 1 },
        { epoch: "never-was", offset: 0 },
        { epoch: "never-was", offset: 2 },
      ]
    ) {
      assertEquals(await broker.read("a", since), { top, publications: [], recovered: false }, JSON.stringify(since));
    }
    assertEquals(
      (await broker.publish([text("a", "3")])).map(position),
      [{ epoch: top.epoch, offset: 3 }],
      "and changes nothing",
    );
  });

  testPages(test);
  testRecords(test, features);
  testLimits(test, features);
  testIds(test, features);
  testTtl(test, features);
  if (features.queues) testQueues(test, features);
  if (features.queues) testQueueModel(test, features);
  if (features.reopen) testReopening(test, features);

  test("stats() counts what is known and kept", async (open) => {
    if (!features.counts) return;
    const { broker } = await open({ historyCount: 2 });
    assertEquals(broker.stats(), { channels: 0, publications: 0, bytes: 0, queues: NO_QUEUES });
    await broker.publish([text("a", "1"), text("a", "2"), text("a", "3"), text("b", "1")]);
    const { channels, publications, bytes } = broker.stats();
    assertEquals({ channels, publications }, { channels: 2, publications: 3 });
    assert(bytes! >= 3);
  });
}
