import { DatabaseSync } from "node:sqlite";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { BrokerSetupError } from "../../lib/brokers/setup_error.ts";
import { createSqliteBroker } from "../../lib/brokers/sqlite.ts";
import { openFile } from "../../lib/brokers/sqlite/file.ts";
import { SCHEMA } from "../../lib/brokers/sqlite/schema.ts";
import type { Broker, Draft, Position, PublishResult } from "../../lib/types.ts";
import { testBroker } from "../conformance/broker.ts";
import { seeded } from "../support/random.ts";
import { SqliteFolder } from "../support/sqlite.ts";

const folder = new SqliteFolder();
globalThis.addEventListener("unload", () => Deno.removeSync(folder.path, { recursive: true }));

testBroker("sqlite", (announce, bounds) => folder.open(folder.newFile(), announce, bounds), {
  atomic: true,
  queues: true,
  clock: true,
  bytes: true,
  forgets: true,
  counts: true,
  reopen(broker, how, announce, bounds) {
    const file = folder.fileOf(broker);
    return folder.open(how === "closed" ? file : folder.copy(file), announce, bounds);
  },
});

function draft(channel: string, data: string): Draft {
  return { channel, data, contentType: "text/plain" };
}

function offsetOf(result: PublishResult | undefined): number {
  assert(result && !("error" in result), JSON.stringify(result));
  return result.offset;
}

Deno.test("createSqliteBroker() declares what it can do", async () => {
  await using folder = new SqliteFolder();
  assertEquals(folder.open(folder.newFile()).capabilities, { atomic: true, queues: true, survives: "process" });
});

Deno.test("createSqliteBroker() announces only what is in the file", async () => {
  await using folder = new SqliteFolder();
  const file = folder.newFile();
  const found: unknown[] = [];
  const broker = folder.open(file, () => {
    const copy = folder.open(folder.copy(file));
    found.push(copy.stats().publications);
  });
  await broker.publish([draft("a", "1"), draft("b", "2")]);
  await broker.publish([draft("a", "3")], { atomic: true });
  assertEquals(found, [2, 3]);
});

Deno.test("createSqliteBroker() keeps the file for its user alone, its log too", async () => {
  await using folder = new SqliteFolder();
  const modes = (file: string) =>
    ["", "-wal", "-run"].map((suffix) => (Deno.statSync(file + suffix).mode ?? 0) & 0o777);
  const file = folder.newFile();
  const broker = folder.open(file);
  await broker.publish([draft("a", "1")]);
  assertEquals(modes(file), [0o600, 0o600, 0o600]);
  const wide = folder.copy(file);
  for (const suffix of ["", "-wal"]) Deno.chmodSync(wide + suffix, 0o644);
  const again = folder.open(wide);
  await again.publish([draft("a", "2")]);
  assertEquals(modes(wide), [0o600, 0o600, 0o600]);
});

Deno.test("createSqliteBroker() starts new epochs after the end of the machine, and only then", async () => {
  await using folder = new SqliteFolder();
  const boot = 1_700_000_000_000;
  async function reopened(options: { sync?: "normal" | "full"; closed?: boolean; later: number }): Promise<boolean> {
    const file = folder.newFile();
    const { sync = "normal" } = options;
    const first = folder.open(file, () => {}, { sync, bootTime: () => boot });
    const id = { ...draft("a", "1"), id: "x" };
    const old = (await first.publish([id, draft("a", "2")]))[1] as Position;
    const listened = (await first.read("b")).top;
    await first.publish([draft("c", "1")]);
    if (options.closed) await first.close();
    const left = options.closed ? file : folder.copy(file);
    const second = folder.open(left, () => {}, { bootTime: () => boot + options.later });
    const { top, publications } = await second.read("a", { last: 5 });
    assertEquals(publications.map(({ data, epoch }) => [data, epoch]), [["1", top.epoch], ["2", top.epoch]]);
    assertEquals(await second.publish([id]), [{ epoch: top.epoch, offset: 1, repeated: true }]);
    assertEquals(offsetOf((await second.publish([draft("a", "3")]))[0]), 3);
    const isNew = top.epoch !== old.epoch;
    assertEquals((await second.read("a", old)).recovered, !isNew);
    assertEquals((await second.read("b", listened)).recovered, !isNew, "of those nobody has published to as well");
    const third = folder.open(folder.copy(left), () => {}, { bootTime: () => boot + options.later });
    assertEquals((await third.read("a")).top, { epoch: top.epoch, offset: 3 }, "once is enough");
    return isNew;
  }
  assertEquals(await reopened({ later: 0 }), false, "the process was killed");
  for (const later of [-4000, 4000]) assertEquals(await reopened({ later }), false, "and the clock was set");
  for (const later of [-60_000, 60_000]) assertEquals(await reopened({ later }), true, "the machine has ended");
  assertEquals(await reopened({ later: 60_000, closed: true }), false, "after it was closed");
  assertEquals(await reopened({ later: 60_000, sync: "full" }), false, "nothing is missing with sync full");
});

Deno.test("createSqliteBroker() starts new epochs for an older copy that was put in the place of the file", async () => {
  for (const wasClosed of [true, false]) {
    await using folder = new SqliteFolder();
    const file = folder.newFile();
    const first = folder.open(file);
    const [old] = await first.publish([draft("a", "1"), draft("a", "2")]);
    if (wasClosed) await first.close();
    const backup = folder.copy(file);
    if (!wasClosed) await first.close();
    const second = folder.open(file);
    const [, lost] = await second.publish([draft("a", "3"), draft("a", "4")]);
    assertEquals((lost as Position).epoch, (old as Position).epoch);
    await second.close();
    for (const suffix of ["", "-wal"]) {
      await Deno.remove(file + suffix).catch(() => {});
      await Deno.copyFile(backup + suffix, file + suffix).catch(() => {});
    }
    const restored = folder.open(file);
    const { top } = await restored.read("a");
    assertEquals(top.offset, 2);
    assert(top.epoch !== (lost as Position).epoch, "no offset is used twice in an epoch");
    assertEquals((await restored.read("a", lost as Position)).recovered, false);
    await restored.close();
    const again = folder.open(file);
    assertEquals((await again.read("a")).top, top, "once is enough");
    await again.close();
    await Deno.remove(`${file}-run`);
    assert((await folder.open(file).read("a")).top.epoch !== top.epoch, "without a witness nobody can tell");
  }
});

Deno.test("createSqliteBroker() starts new epochs for a copy that was made while it was open, in the same run too", async () => {
  for (const how of ["closed", "killed"]) {
    await using folder = new SqliteFolder();
    let now = 1_700_000_000_000;
    const file = folder.newFile();
    const first = folder.open(file, () => {}, { now: () => now });
    await first.publish([draft("a", "1"), draft("b", "1")]);
    const backup = folder.copy(file);
    now += 1000;
    await first.publish([draft("a", "2")]);
    const [lost] = await first.publish([draft("a", "3")]);
    if (how === "closed") await first.close();
    const left = how === "closed" ? file : folder.copy(file);
    for (const suffix of ["", "-wal"]) await Deno.copyFile(backup + suffix, left + suffix);
    const restored = folder.open(left);
    const { top } = await restored.read("a");
    assertEquals(top.offset, 1);
    assert(top.epoch !== (lost as Position).epoch, `no offset is used twice in an epoch (${how})`);
    await restored.close();
    assertEquals((await folder.open(left).read("a")).top, top, "once is enough");
  }
});

Deno.test("createSqliteBroker() ends what was to be kept for a longer time than its channel's, when that is kept longer", async () => {
  await using folder = new SqliteFolder();
  let now = 1_700_000_000_000;
  const file = folder.newFile();
  const first = folder.open(file, () => {}, { historyAge: 10, now: () => now });
  await first.publish([{ ...draft("a", "1"), ttl: 20 }, draft("a", "2")]);
  await first.close();
  const second = folder.open(file, () => {}, { historyAge: 100, now: () => now });
  const data = async () => (await second.read("a", { last: 5 })).publications.map(({ data }) => data);
  now += 19_999;
  assertEquals(await data(), ["1", "2"]);
  now += 1;
  assertEquals(await data(), ["", "2"]);
});

Deno.test("createSqliteBroker() shows as over what is over, and gives back only so much of it in one reading", async () => {
  await using folder = new SqliteFolder();
  let now = 1_700_000_000_000;
  const broker = folder.open(folder.newFile(), () => {}, {
    historyCount: 20_000,
    historyBytes: 1 << 30,
    now: () => now,
  });
  await broker.publish(Array.from({ length: 12_000 }, (_, n) => ({ ...draft("a", `${n}`.padEnd(100)), ttl: 1 })));
  const { bytes } = broker.stats();
  now += 1000;
  const { publications } = await broker.read("a", { last: 20_000 });
  assertEquals(publications.filter(({ expired, data }) => expired && data === "").length, 12_000);
  assertEquals(broker.stats().bytes!, bytes! - 10_000 * 100, "more would keep everybody waiting");
  await broker.read("a", { last: 1 });
  assertEquals(broker.stats().bytes!, bytes! - 12_000 * 100);
});

Deno.test("createSqliteBroker() keeps file and log within bounds, whatever comes", async () => {
  await using folder = new SqliteFolder();
  const file = folder.newFile();
  const broker = folder.open(file, () => {}, { historyBudget: 4 << 20, historyCount: 500 });
  let most = 0;
  for (let n = 0; n < 2000; n++) {
    const drafts = Array.from(
      { length: 20 },
      (_, i) => draft(`c${(n * 7 + i) % 23}`, "x".repeat(n % 4 === 0 ? 10 : 1500)),
    );
    for (const result of await broker.publish(drafts)) offsetOf(result);
    most = Math.max(most, Deno.statSync(file).size + Deno.statSync(`${file}-wal`).size);
  }
  // 45 MB went in. The log has 8 MiB, and what one transaction needs beside it.
  assert(most < 18 << 20, `${most} bytes`);
  await broker.close();
  assert(Deno.statSync(file).size < 8 << 20);
  const names = [...Deno.readDirSync(folder.path)].map(({ name }) => name).sort();
  assertEquals(names, ["1.db", "1.db-run"], "a closed one has no log");
});

Deno.test("createSqliteBroker() takes out of the file what an opening before it had no more time to", async () => {
  await using folder = new SqliteFolder();
  const options = { historyCount: 2 };
  const broker = folder.open(folder.newFile(), () => {}, options);
  for (let n = 1; n <= 10; n++) await broker.publish([draft("a", `${n}`), draft("b", `${n}`)]);
  const file = folder.copy(folder.fileOf(broker));
  const again = folder.open(file, () => {}, options);
  assertEquals((await again.read("a", { last: 5 })).publications.map(({ data }) => data), ["9", "10"]);
  await again.close();
  using db = new DatabaseSync(file, { readOnly: true });
  assertEquals(db.prepare("SELECT DISTINCT data FROM publications").all().map(({ data }) => data), ["9", "10"]);
});

Deno.test("createSqliteBroker() refuses what a full file has no room for, whole, and goes on when there is room", async () => {
  await using folder = new SqliteFolder();
  let now = 1_700_000_000_000;
  const faults: unknown[] = [];
  const file = folder.newFile();
  const options = { maxPages: 200, historyAge: 60, now: () => now, onFault: (error: unknown) => faults.push(error) };
  const broker = folder.open(file, () => {}, options);
  await broker.subscribe("a");
  const filled = await fill(() => broker.publish([draft("a", "x".repeat(10_000)), draft("b", "y")]));
  assertEquals(faults.length, 1);
  const stats = broker.stats();
  assertEquals(stats.publications, 2 * filled, "nothing of the refused call counts");
  const { publications, top } = await broker.read("a", { last: filled });
  assertEquals([publications.length, top.offset], [filled, filled], "reading goes on");
  assertEquals(await codes(broker.publish([draft("c", "small")])), ["overloaded"], "nothing is tried for a while");
  assertEquals(faults.length, 1);
  now += 61_000;
  const [next] = await until(() => broker.publish([draft("a", "x".repeat(10_000))]));
  assertEquals(next, { epoch: top.epoch, offset: filled + 1 });
  const copy = folder.open(folder.copy(file));
  assertEquals((await copy.read("a")).top, { epoch: top.epoch, offset: filled + 1 });
});

Deno.test("createSqliteBroker() takes back everything of a call that fails, wherever it fails", async () => {
  await using folder = new SqliteFolder();
  const random = seeded(1);
  let now = 1_700_000_000_000;
  let faults = 0;
  const announced = new Map<string, number>();
  const options = { historyAge: 30, historyCount: 40, now: () => now, pause: 0 };
  const file = folder.newFile();
  const broker = folder.open(file, (publications) => {
    for (const { channel, offset } of publications) {
      assertEquals(offset, (announced.get(channel) ?? 0) + 1, "no number is left out or used twice");
      announced.set(channel, offset);
    }
  }, { ...options, maxPages: 60, onFault: () => faults++ });
  const channels = ["a", "b", "c"];
  const state = (broker: Broker) => Promise.all(channels.map((channel) => broker.read(channel, { last: 100 })));
  let refused = 0;
  for (let step = 0; step < 1500; step++) {
    const before = await state(broker);
    const { bytes } = broker.stats();
    const drafts = Array.from({ length: 1 + random.int(8) }, (): Draft => ({
      ...draft(random.pick(["a", "b", "c"]), "x".repeat(random.int(6000))),
      ...(random.int(2) === 0 ? { id: `${random.int(500)}` } : {}),
      ...(random.int(4) === 0 ? { ttl: random.int(10) } : {}),
    }));
    const results = await broker.publish(drafts);
    if (results.every((result) => "error" in result && result.error.code === "overloaded")) {
      refused++;
      assertEquals(await state(broker), before, `step ${step}`);
      assert(broker.stats().bytes! <= bytes!);
    }
    if (random.int(4) === 0) now += random.int(5000);
  }
  assert(refused > 50 && refused < 1450 && faults >= refused, `${refused} refused, ${faults} faults`);
  const again = folder.open(folder.copy(file), () => {}, options);
  assertEquals(await state(again), await state(broker));
});

Deno.test("createSqliteBroker() refuses a file in which publications are missing, and changes nothing", async () => {
  await using folder = new SqliteFolder();
  const file = folder.newFile();
  const broker = folder.open(file);
  await broker.publish([draft("a", "1"), draft("a", "2"), draft("a", "3")]);
  await broker.close();
  const db = new DatabaseSync(file);
  db.exec("DELETE FROM publications WHERE offset = 2; PRAGMA wal_checkpoint(TRUNCATE)");
  db.close();
  const before = Deno.readFileSync(file);
  assertThrows(() => folder.open(file), BrokerSetupError, "is damaged: publications of a are missing");
  assertEquals(Deno.readFileSync(file), before);
});

const DISK = 4 << 20;

Deno.test({
  name: "createSqliteBroker() on a disk that is full refuses with `overloaded`, reads, and goes on when there is room",
  ignore: Deno.uid() !== 0,
  async fn() {
    await using folder = new SqliteFolder();
    await mount("mount", "-t", "tmpfs", "-o", `size=${DISK}`, "tmpfs", folder.path);
    try {
      const announced: number[] = [];
      const file = folder.newFile();
      const broker = createSqliteBroker((all) => announced.push(...all.map(({ offset }) => offset)), {
        broker: `sqlite:${file}`,
      });
      await broker.publish([{ ...draft("a", "first"), id: "x" }]);
      // All but some pages of the disk are taken.
      const ballast = `${folder.path}/ballast`;
      Deno.writeFileSync(ballast, new Uint8Array(DISK - 500_000));
      const filled = await fill(() => broker.publish([draft("a", "x".repeat(10_000))]));
      const { top, recovered, publications } = await broker.read("a", { last: 1000 });
      assertEquals([recovered, publications.length, top.offset], [true, filled + 1, filled + 1]);
      assertEquals(announced, Array.from({ length: filled + 1 }, (_, index) => index + 1));
      assertEquals((await broker.read("new")).top.offset, 0, "channels are opened all the same");
      assertEquals(
        await broker.record([{ key: "r", value: "x".repeat(10_000) }]).catch(({ code }) => code),
        "overloaded",
      );
      assertEquals([...await broker.records("")], []);
      Deno.removeSync(ballast);
      const [next] = await until(() => broker.publish([draft("a", "next")]));
      assertEquals(next, { epoch: top.epoch, offset: filled + 2 });
      assertEquals((await broker.publish([{ ...draft("a", "first"), id: "x" }])).map(offsetOf), [1]);
      await broker.close();
      const again = createSqliteBroker(() => {}, { broker: `sqlite:${file}` });
      assertEquals((await again.read("a")).top, { epoch: top.epoch, offset: filled + 2 });
      await again.close();
    } finally {
      await mount("umount", folder.path);
    }
  },
});

/** Publishes until it is refused for want of room; returns how often it was taken. */
async function fill(publish: () => Promise<PublishResult[]>): Promise<number> {
  for (let taken = 0; taken < 10_000; taken++) {
    const results = await publish();
    const refused = results.filter((result) => "error" in result);
    if (refused.length === 0) continue;
    assertEquals(await codes(Promise.resolve(results)), results.map(() => "overloaded"));
    assert(refused.every(({ error }) => error.retryAfter! > 0));
    return taken;
  }
  throw new Error("it is never full");
}

async function codes(call: Promise<PublishResult[]>): Promise<unknown[]> {
  return (await call).map((result) => "error" in result ? result.error.code : result.offset);
}

/** Tries again until it is taken: after a failure nothing is tried for a second. */
async function until(publish: () => Promise<PublishResult[]>): Promise<PublishResult[]> {
  for (let tries = 0; tries < 100; tries++) {
    const results = await publish();
    if (!("error" in results[0]!)) return results;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("it is refused for ever");
}

async function mount(command: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args }).output();
  assert(success, new TextDecoder().decode(stderr));
}

Deno.test("createSqliteBroker() brings a file of version 1 up to date, with everything in it", async () => {
  await using folder = new SqliteFolder();
  const file = folder.newFile();
  const old = openFile(file, { schema: SCHEMA.slice(0, 1) });
  old.db.exec(`
    INSERT INTO channels VALUES (1, 'a', 'epoch', 2, 1, 514, 320, 1);
    INSERT INTO publications VALUES
      (1, 1, 1, ${Date.now()}, 'text/plain', '1', NULL, NULL, NULL, 257),
      (2, 1, 2, ${Date.now()}, 'text/plain', '2', NULL, NULL, NULL, 257)`);
  old.close();
  const read = (pragma: string) => {
    using db = new DatabaseSync(file, { readOnly: true });
    return Object.values(db.prepare(`PRAGMA ${pragma}`).get()!)[0];
  };
  assertEquals(read("user_version"), 1);
  const broker = folder.open(file);
  const { publications, top } = await broker.read("a", { last: 5 });
  assertEquals([publications.map(({ data }) => data), top], [["1", "2"], { epoch: "epoch", offset: 2 }]);
  await broker.publish([draft("a", "3")], { records: [{ key: "k", value: "v" }] });
  await broker.close();
  assertEquals(read("user_version"), SCHEMA.length);
  assertEquals([...await folder.open(file).records("")], [["k", "v"]]);
});

Deno.test("createSqliteBroker() keeps records when channels begin new epochs, and changes none that it cannot store", async () => {
  await using folder = new SqliteFolder();
  const file = folder.newFile();
  const boot = 1_700_000_000_000;
  const first = folder.open(file, () => {}, { bootTime: () => boot });
  await first.publish([draft("a", "1")], { records: [{ key: "k", value: "v" }] });
  const epoch = (await first.read("a")).top.epoch;
  const options = { bootTime: () => boot + 60_000, maxPages: 40, pause: 0 };
  const second = folder.open(folder.copy(file), () => {}, options);
  assert((await second.read("a")).top.epoch !== epoch);
  assertEquals([...await second.records("")], [["k", "v"]]);
  const large = { key: "k", value: "x".repeat(1 << 20) };
  const [result] = await second.publish([draft("a", "2")], { records: [large] });
  assert(result && "error" in result && result.error.code === "overloaded", JSON.stringify(result));
  assertEquals(await second.record([large]).catch((error) => error.code), "overloaded");
  assertEquals([[...await second.records("")], (await second.read("a")).top.offset], [[["k", "v"]], 1]);
});
