import { DatabaseSync } from "node:sqlite";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { BrokerSetupError } from "../../lib/brokers/setup_error.ts";
import { openFile } from "../../lib/brokers/sqlite/file.ts";
import { SCHEMA } from "../../lib/brokers/sqlite/schema.ts";
import { queueChannel } from "../../lib/reserved.ts";
import type { Broker, Draft, Position, PublishResult } from "../../lib/types.ts";
import { MODEL_BOUNDS, QueueModel } from "../support/queue_model.ts";
import { seeded } from "../support/random.ts";
import { SqliteFolder } from "../support/sqlite.ts";

function to(queue: string, data: string): Draft {
  return { channel: queueChannel(queue), data, contentType: "text/plain" };
}

async function offsets(broker: Broker, queue: string): Promise<number[]> {
  return (await broker.claim(queue, {})).map(({ offset }) => offset);
}

async function done(broker: Broker, queue: string, ...offsets: number[]): Promise<void> {
  await broker.settle([{ queue, offsets, as: "done" }]);
}

/** Messages that are in the file. */
function count(file: string): unknown {
  using db = new DatabaseSync(file, { readOnly: true });
  return db.prepare("SELECT count(*) AS count FROM messages").get()!.count;
}

Deno.test("createSqliteBroker() takes back everything of a step in queues that fails, and nobody's claims", async () => {
  await using folder = new SqliteFolder();
  const met: Record<string, number> = {};
  for (let seed = 1; seed <= 20; seed++) {
    const random = seeded(seed);
    const clock = { now: 1_700_000_000_000 };
    const options = { ...MODEL_BOUNDS, historyAge: 10, now: () => clock.now, pause: 0 };
    const file = folder.newFile();
    const broker = folder.open(file, () => {}, { ...options, maxPages: 45 });
    const model = new QueueModel(broker, clock, random);
    for (let step = 0; step < 150; step++) {
      const big = { channel: "big", data: "x".repeat(random.int(9000)), contentType: "text/plain" };
      await broker.publish([big]);
      await model.step(`seed ${seed}, step ${step}`);
    }
    for (const [what, times] of Object.entries(model.met)) met[what] = (met[what] ?? 0) + times;
    const copy = folder.open(folder.copy(file), () => {}, options);
    model.reopened(copy, `seed ${seed}`);
    await model.drain(`seed ${seed}`);
    for (const opened of [broker, copy]) await opened.close();
  }
  for (const what of ["taken", "unstored", "redelivered", "expired"]) {
    assert(met[what]! > 50, JSON.stringify([what, met]));
  }
});

Deno.test("createSqliteBroker() that cannot store claims and requeues all the same, and gives what is over to nobody", async () => {
  await using folder = new SqliteFolder();
  let now = 1_700_000_000_000;
  const file = folder.newFile();
  const broker = folder.open(file, () => {}, { now: () => now, maxPages: 45, pause: 3_600_000 });
  const drafts = [1, 2, 3, 4].map((n) => ({ ...to("a", `${n}`), ...(n % 2 === 0 ? { ttl: 10 } : {}) }));
  await broker.publish([...drafts, { ...to("b", "1"), ttl: 10 }]);
  assertEquals(await offsets(broker, "a"), [1, 2, 3, 4]);
  const records = [{ key: "r", value: "x".repeat(1 << 20) }];
  const settled = [{ queue: "a", offsets: [1], as: "done" }] as const;
  const [failed] = await broker.publish([to("a", "5"), to("new", "1")], { settled, records });
  assert(failed && "error" in failed && failed.error.code === "overloaded");
  assertEquals({ ...broker.stats().queues, bytes: 0 }, { queues: 2, messages: 5, bytes: 0, claimed: 4 });
  // From here on, nothing is written for an hour.
  await broker.settle([{ queue: "a", offsets: [3, 1, 2], as: "requeued" }]);
  now += 10_000;
  assertEquals(await offsets(broker, "a"), [1, 3]);
  assertEquals(await offsets(broker, "b"), []);
  assertEquals({ ...broker.stats().queues, bytes: 0 }, { queues: 1, messages: 3, bytes: 0, claimed: 3 });
  assertEquals(await done(broker, "a", 1).catch(({ code }) => code), "overloaded");
  const again = folder.open(folder.copy(file), () => {}, { now: () => now });
  assertEquals([await offsets(again, "a"), await offsets(again, "b")], [[1, 3], []]);
});

Deno.test("createSqliteBroker() takes out of the file what was over while it could not, and makes the queue anew", async () => {
  await using folder = new SqliteFolder();
  let now = 1_700_000_000_000;
  const options = { now: () => now, maxPages: 45, pause: 200, queueBudget: 1000 };
  const file = folder.newFile();
  const broker = folder.open(file, () => {}, options);
  const [first] = await broker.publish(["a", "b"].map((queue) => ({ ...to(queue, "1"), ttl: 10 })));
  await broker.publish([to("b", "2")]);
  await broker.claim("b", { count: 1 });
  await broker.settle([{ queue: "b", offsets: [1], as: "requeued" }]);
  now += 10_000;
  const [failed] = await broker.publish([to("b", "3")], { records: [{ key: "r", value: "x".repeat(1 << 20) }] });
  assert(failed && "error" in failed);
  assertEquals([await offsets(broker, "a"), await offsets(broker, "b")], [[], [2]]);
  await broker.settle([{ queue: "b", offsets: [2], as: "requeued" }]);
  let next: PublishResult | undefined;
  // Nothing is tried for a while after a failure.
  for (let tries = 0; tries < 50 && (!next || "error" in next); tries++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    [next] = await broker.publish([to("a", "2")]);
  }
  assert(next && !("error" in next) && next.offset === 1 && next.epoch !== (first as Position).epoch);
  await broker.close();
  assertEquals(count(file), 2);
});

Deno.test("createSqliteBroker() brings a file of version 2 up to date with everything in it", async () => {
  await using folder = new SqliteFolder();
  const file = folder.newFile();
  const { db, close } = openFile(file, { schema: SCHEMA.slice(0, 2) });
  db.exec(`
    INSERT INTO channels VALUES (1, 'a', 'epoch', 1, 1, 257, 0, 7);
    INSERT INTO publications VALUES (1, 1, 1, ${Date.now()}, 'text/plain', '1', NULL, NULL, NULL, 257);
    INSERT INTO records VALUES ('k', CAST('v' AS BLOB))`);
  close();
  for (const queued of [[], [1]]) {
    const broker = folder.open(file);
    assertEquals((await broker.read("a", { last: 5 })).publications.map(({ data }) => data), ["1"]);
    assertEquals((await broker.read("a")).top, { epoch: "epoch", offset: 1 }, "in the same numbering");
    assertEquals([...await broker.records("")], [["k", "v"]]);
    assertEquals(await offsets(broker, "q"), queued);
    await broker.publish([to("q", "1")]);
    await broker.close();
  }
  using found = new DatabaseSync(file, { readOnly: true });
  assertEquals(found.prepare("PRAGMA user_version").get()?.user_version, 3);
});

Deno.test("createSqliteBroker() refuses a file in which messages are missing, and changes nothing", async () => {
  await using folder = new SqliteFolder();
  const file = folder.newFile();
  const broker = folder.open(file);
  await broker.publish([to("a", "1"), to("a", "2"), to("a", "3")]);
  await broker.close();
  const db = new DatabaseSync(file);
  db.exec("DELETE FROM messages WHERE offset = 2; PRAGMA wal_checkpoint(TRUNCATE)");
  db.close();
  const before = Deno.readFileSync(file);
  assertThrows(() => folder.open(file), BrokerSetupError, "is damaged: messages of the queue a are missing");
  assertEquals(Deno.readFileSync(file), before);
});

Deno.test("createSqliteBroker() starts new epochs of queues after the end of the machine, and keeps what is in them", async () => {
  await using folder = new SqliteFolder();
  const boot = 1_700_000_000_000;
  const file = folder.newFile();
  const first = folder.open(file, () => {}, { bootTime: () => boot });
  const [old] = await first.publish([to("a", "1"), to("a", "2")]) as Position[];
  const same = folder.open(folder.copy(file), () => {}, { bootTime: () => boot });
  assertEquals((await same.claim("a", {})).map(({ epoch }) => epoch), [old!.epoch, old!.epoch]);
  const later = folder.open(folder.copy(file), () => {}, { bootTime: () => boot + 60_000 });
  const messages = await later.claim("a", {});
  assertEquals(messages.map(({ data, offset }) => [data, offset]), [["1", 1], ["2", 2]]);
  const { epoch } = messages[0]!;
  assert(epoch !== old!.epoch, "no offset is used twice in an epoch");
  assertEquals(await later.publish([to("a", "3")]), [{ epoch, offset: 3 }]);
});

Deno.test("createSqliteBroker() sees of an older copy that only queues have changed since", async () => {
  const changes: Record<string, (broker: Broker) => Promise<unknown>> = {
    "a message came": (broker) => broker.publish([to("a", "3")]),
    "a message is done": (broker) => done(broker, "a", 1),
    "a queue is done": (broker) => done(broker, "a", 1, 2),
  };
  for (const [what, change] of Object.entries(changes)) {
    for (const how of ["closed", "killed"]) {
      await using folder = new SqliteFolder();
      let now = 1_700_000_000_000;
      const file = folder.newFile();
      const first = folder.open(file, () => {}, { now: () => now });
      await first.publish([{ channel: "c", data: "1", contentType: "text/plain" }]);
      const [old] = await first.publish([to("a", "1"), to("a", "2")]) as Position[];
      await offsets(first, "a");
      const backup = folder.copy(file);
      now += 1000;
      await change(first);
      if (how === "closed") await first.close();
      const left = how === "closed" ? file : folder.copy(file);
      // What is not put back goes on as it is.
      const forth = folder.open(folder.copy(left), () => {}, { now: () => now });
      const [kept] = await forth.claim("a", {});
      if (kept) assertEquals(kept.epoch, old!.epoch, `${what}, ${how}`);
      const { epoch } = (await forth.read("c")).top;
      assertEquals(epoch, (await (how === "closed" ? forth : first).read("c")).top.epoch, `${what}, ${how}`);
      for (const suffix of ["", "-wal"]) await Deno.copyFile(backup + suffix, left + suffix);
      const back = folder.open(left, () => {}, { now: () => now });
      const messages = await back.claim("a", {});
      assertEquals(messages.map(({ offset, redelivered }) => [offset, redelivered]), [[1, true], [2, true]]);
      assert(messages.every((message) => message.epoch !== old!.epoch), `${what}, ${how}`);
      assert((await back.read("c")).top.epoch !== epoch, "and those of channels");
    }
  }
});

Deno.test("createSqliteBroker() keeps file and log within bounds, however much goes through a queue", async () => {
  await using folder = new SqliteFolder();
  const file = folder.newFile();
  const broker = folder.open(file);
  await broker.publish([to("a", "first")]);
  await broker.claim("a", {});
  let most = 0;
  for (let n = 0; n < 400; n++) {
    await broker.publish(Array.from({ length: 10 }, () => to("a", "x".repeat(10_000))));
    const messages = await broker.claim("a", { count: 10 });
    // A consumer that never settles one of each.
    await done(broker, "a", ...messages.map(({ offset }) => offset).filter((offset) => offset % 100 !== 0));
    most = Math.max(most, Deno.statSync(file).size + Deno.statSync(`${file}-wal`).size);
  }
  assertEquals(broker.stats().queues.messages, 41);
  assert(most < 18 << 20, `${most} bytes`);
});
