/**
 * What every broker promises: the contract of `Broker` in `lib/types.ts`, proved on one that is open.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { Announce, Broker, Draft, Position, Publication, PublishResult } from "../../lib/types.ts";
import { seeded } from "../support/random.ts";

/** What a test sets; everything else is as the broker has it by itself. */
export interface BrokerBounds {
  readonly historyCount?: number;
  readonly historyBytes?: number;
  /** Seconds. */
  readonly historyAge?: number;
  readonly historyBudget?: number;
  readonly maxChannels?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** Opens a broker that knows no channel. */
export type OpenBroker = (announce: Announce, bounds: BrokerBounds) => Broker | Promise<Broker>;

/** What the broker is expected to do beyond the least; what is false is not tried. */
export interface BrokerFeatures {
  readonly atomic: boolean;
  /** Its time is that of `BrokerBounds.now`. */
  readonly clock: boolean;
  /** Keeps the bounds in bytes, and the budget over all channels, itself. */
  readonly bytes: boolean;
  /** Knows at most `maxChannels`, and forgets those that nobody hears. */
  readonly forgets: boolean;
}

/** A broker and everything that it has announced. */
interface Opened {
  readonly broker: Broker;
  /** One element a call of `announce`. */
  readonly announced: (readonly Publication[])[];
  /** All of them, in order. */
  all(channel?: string): Publication[];
}

const BEFORE_ALL = 0;

/** Registers the tests of a broker. */
export function testBroker(name: string, open: OpenBroker, features: BrokerFeatures): void {
  function test(title: string, run: (open: (bounds?: BrokerBounds) => Promise<Opened>) => Promise<void>): void {
    Deno.test(`${name}: ${title}`, async () => {
      const brokers: Broker[] = [];
      try {
        await run(async (bounds = {}) => {
          const announced: (readonly Publication[])[] = [];
          const broker = await open((publications) => announced.push([...publications]), bounds);
          brokers.push(broker);
          const all = (channel?: string) =>
            announced.flat().filter((publication) => channel === undefined || publication.channel === channel);
          return { broker, announced, all };
        });
      } finally {
        for (const broker of brokers) await broker.close();
      }
    });
  }

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
    assertEquals(all().map(({ data }) => data), drafts.map(({ data }) => data), "announced in the order of the calls");
    assertEquals(all().map(({ epoch, offset }) => ({ epoch, offset })), answered, "answered as announced");
    for (const channel of ["c0", "c1", "c2", "c3"]) {
      const own = all(channel);
      assertEquals(own.map(({ offset }) => offset), own.map((_, index) => index + 1), channel);
      assertEquals(new Set(own.map(({ epoch }) => epoch)).size, 1);
    }
    assertEquals(new Set(all().map(({ epoch }) => epoch)).size, 4, "an epoch of its own for each channel");
  });

  test("publish() resolves after the announcement, with the positions that were announced", async (open) => {
    const { broker, announced } = await open();
    const results = await broker.publish([text("a", "1"), text("b", "2"), text("a", "3")]);
    assertEquals(announced.flat().map(({ data }) => data), ["1", "2", "3"]);
    assertEquals(results, announced.flat().map(({ epoch, offset }) => ({ epoch, offset })));
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
      assert(broker.stats().bytes <= 30_000, `${broker.stats().bytes}`);
    });

    test("a publication larger than the history is delivered, and not kept", async (open) => {
      const { broker, all } = await open({ historyBytes: 10_000 });
      await broker.publish([text("a", "1"), text("a", "x".repeat(20_000)), text("a", "3")]);
      assertEquals(all().map(({ offset }) => offset), [1, 2, 3]);
      assertEquals(await kept(broker, "a"), 1);
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
      assert(broker.stats().bytes <= 20_000, `${broker.stats().bytes}`);
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
      assertEquals(await kept(broker, "a"), 1);
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

  test("stats() counts what is known and kept", async (open) => {
    const { broker } = await open({ historyCount: 2 });
    assertEquals(broker.stats(), { channels: 0, publications: 0, bytes: 0 });
    await broker.publish([text("a", "1"), text("a", "2"), text("a", "3"), text("b", "1")]);
    const { channels, publications, bytes } = broker.stats();
    assertEquals({ channels, publications }, { channels: 2, publications: 3 });
    assert(bytes >= 3);
  });
}

function text(channel: string, data: string): Draft {
  return { channel, data, contentType: "text/plain" };
}

function range(first: number, last: number): number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);
}

function position(result: PublishResult): Position {
  assert(!("error" in result), JSON.stringify(result));
  return result;
}

function refusal(result: PublishResult): string {
  assert("error" in result, JSON.stringify(result));
  return result.error.code;
}

async function refused(call: Promise<unknown>): Promise<string | undefined> {
  return await call.then(() => undefined, (error) => error.code);
}

/** The position before the channel's first publication. */
async function before(broker: Broker, channel: string): Promise<Position> {
  return { epoch: (await broker.read(channel)).top.epoch, offset: BEFORE_ALL };
}

/** How far back the channel can be recovered. */
async function kept(broker: Broker, channel: string): Promise<number> {
  const { top } = await broker.read(channel);
  for (let offset = BEFORE_ALL;; offset++) {
    const { recovered, publications } = await broker.read(channel, { epoch: top.epoch, offset });
    if (!recovered) continue;
    assertEquals(publications.map((publication) => publication.offset), range(offset + 1, top.offset));
    return publications.length;
  }
}
