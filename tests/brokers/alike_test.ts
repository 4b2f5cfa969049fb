/**
 * Two brokers over one ledger, asked the same: whatever it is, they answer and announce the same.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { createMemoryBroker } from "../../lib/brokers/memory.ts";
import type { Broker, Draft, Position, Publication, RecordChange, Settling } from "../../lib/types.ts";
import { seeded } from "../support/random.ts";
import { SqliteFolder } from "../support/sqlite.ts";

type Random = ReturnType<typeof seeded>;

/** No more ids than are looked at in one go when they are too old: which of more are first, each may decide. */
function randomDraft(random: Random): Draft {
  const size = random.int(20) === 0 ? 6000 : random.int(300);
  return {
    channel: random.int(4) === 0 ? `$queue/q${random.int(4)}` : `c${random.int(6)}`,
    data: random.int(5) === 0 ? new Uint8Array(size).fill(random.int(3)) : `${random.int(3)}\0`.repeat(size / 2),
    contentType: "text/plain",
    ...(random.int(3) === 0 ? { id: `i${random.int(8)}`, publisher: `p${random.int(2)}` } : {}),
    ...(random.int(3) === 0 ? { ttl: [0, 0.5, 3, 20, 1000][random.int(5)]! } : {}),
    ...(random.int(4) === 0 ? { event: "e", tags: { a: "b" }, user: "u", from: "1-a", trace: true as const } : {}),
  };
}

function randomSettlings(random: Random): Settling[] {
  return Array.from({ length: 1 + random.int(3) }, () => ({
    queue: `q${random.int(4)}`,
    offsets: Array.from({ length: random.int(30) }, () => random.int(60)),
    as: random.pick(["done", "requeued"]),
  }));
}

function randomRecords(random: Random): RecordChange[] {
  return Array.from({ length: 1 + random.int(3) }, () => {
    const key = `${random.pick(["r", "🎉", "\uffff"])}${random.int(5)}`;
    return random.int(3) === 0 ? { key } : { key, value: `\ufeff${random.int(100)}\0` };
  });
}

/** One thing to ask, the same of each broker. */
function randomCall(random: Random, positions: readonly Position[]): (broker: Broker) => Promise<unknown> {
  const channel = `c${random.int(7)}`;
  const answer = (call: Promise<unknown>) => call.catch((error) => error.code);
  switch (random.int(16)) {
    case 0:
      return (broker) => answer(broker.subscribe(channel));
    case 1:
      return (broker) => answer(broker.unsubscribe(channel));
    case 2:
    case 3: {
      const last = random.int(30);
      return (broker) => answer(broker.read(channel, { last }));
    }
    case 4:
    case 5: {
      const start = positions.length === 0 ? undefined : positions[random.int(positions.length)];
      const limit = { count: 1 + random.int(20), ...(random.int(2) === 0 ? { bytes: random.int(3000) } : {}) };
      return (broker) => answer(broker.read(channel, start, limit));
    }
    case 6: {
      const records = randomRecords(random);
      return (broker) => answer(broker.record(records));
    }
    case 7:
    case 8: {
      const queue = `q${random.int(4)}`;
      const limit = { count: random.int(10), ...(random.int(2) === 0 ? { bytes: random.int(3000) } : {}) };
      return (broker) => answer(broker.claim(queue, limit));
    }
    case 9: {
      const settlings = randomSettlings(random);
      return (broker) => answer(broker.settle(settlings));
    }
    default: {
      const drafts = Array.from({ length: 1 + random.int(6) }, () => randomDraft(random));
      const atomic = random.int(4) === 0;
      const records = random.int(5) === 0 ? randomRecords(random) : [];
      const settled = random.int(8) === 0 ? randomSettlings(random) : [];
      return (broker) => answer(broker.publish(drafts, { atomic, records, settled }));
    }
  }
}

for (const seed of [1, 2, 3, 4, 5, 6]) {
  Deno.test(`the sqlite broker answers and announces what the memory broker does (${seed})`, async () => {
    await using folder = new SqliteFolder();
    const random = seeded(seed);
    const maxChannels = seed % 2 === 0 ? 5 : 100;
    let now = 1_700_000_000_000;
    const announced: Publication[][] = [[], []];
    const options = (which: number) => {
      let epochs = 0;
      return {
        historyCount: 12,
        historyBytes: 9000,
        historyAge: 30,
        historyBudget: [12_000, 25_000, 1_000_000][seed % 3]!,
        queueCount: 15,
        queueBytes: 9000,
        queueBudget: 14_000,
        maxQueues: 3,
        rule: ["c1 count=2", "c2 count=0", "c3 age=5"],
        maxChannels,
        now: () => now,
        newEpoch: () => `${which}${epochs++}`.slice(1),
      };
    };
    const file = folder.newFile();
    const memory = createMemoryBroker((publications) => announced[0]!.push(...publications), options(0));
    const sqlite = folder.open(file, (publications) => announced[1]!.push(...publications), options(1));
    const codes = new Set<string>();
    const queued = new Set<string>();
    for (let step = 0; step < 3000; step++) {
      const call = randomCall(random, announced[0]!.slice(-60));
      const [expected, actual] = [await call(memory), await call(sqlite)];
      assertEquals(actual, expected, `step ${step}`);
      assertEquals(sqlite.stats(), memory.stats(), `step ${step}`);
      assert(memory.stats().bytes! <= options(0).historyBudget, `step ${step}`);
      const prefix = random.pick(["", "r", "🎉", "\uffff", "r1"]);
      assertEquals(await sqlite.records(prefix), await memory.records(prefix), `step ${step}`);
      for (const [, code, text] of JSON.stringify(expected ?? "").matchAll(/"code":"(\w+)","message":"([^"]*)"/g)) {
        if (text!.includes("queue")) queued.add(text!.replace(/ q\d/, ""));
        else codes.add(code!);
      }
      if (random.int(3) === 0) now += random.int(random.int(20) === 0 ? 60_000 : 2000);
    }
    assertEquals(announced[1], announced[0]);
    let publications = 0;
    for (let n = 0; n < 7 && maxChannels > 7; n++) {
      publications += (await memory.read(`c${n}`, { last: 100 })).publications.length;
      if (n === 6) assertEquals(memory.stats().publications, publications, "counted are those that are there");
    }
    const isTight = maxChannels === 5 || seed % 3 < 2;
    assertEquals([...codes].sort(), isTight ? ["conflict", "overloaded"] : ["conflict"], "everything was met");
    assertEquals([...queued].sort(), [
      "The queue is full.",
      "There are too many queues.",
      "There is no room for more in queues.",
    ]);
    // What the file holds, another process would find.
    const stats = sqlite.stats();
    const again = folder.open(folder.copy(file), () => {}, { ...options(1), maxChannels: 100 });
    assert(again.stats().bytes! <= stats.bytes!);
    assertEquals(await again.records(""), await memory.records(""));
    for (const queue of ["q0", "q1", "q2", "q3"]) {
      const offsets = Array.from({ length: 10_000 }, (_, index) => index);
      await sqlite.settle([{ queue, offsets, as: "requeued" }]);
      const left = (await sqlite.claim(queue, {})).map((message) => ({ ...message, redelivered: true }));
      assertEquals(await again.claim(queue, {}), left, queue);
    }
    for (const channel of ["c0", "c1", "c3", "c4", "c5"]) {
      // All that it may know are hosted, perhaps.
      const left = await sqlite.read(channel, { last: 100 }).catch(() => undefined);
      if (left && left.top.offset > 0) assertEquals(await again.read(channel, { last: 100 }), left, channel);
    }
  });
}
