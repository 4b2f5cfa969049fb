import { DatabaseSync } from "node:sqlite";
import { assert, assertEquals } from "@std/assert";
import { digestOf } from "../../lib/brokers/ledger/content.ts";
import { openFile } from "../../lib/brokers/sqlite/file.ts";
import { SCHEMA } from "../../lib/brokers/sqlite/schema.ts";
import type { Broker, Draft, Position } from "../../lib/types.ts";
import { seeded } from "../support/random.ts";
import { SqliteFolder } from "../support/sqlite.ts";

function draft(channel: string, data: string): Draft {
  return { channel, data, contentType: "text/plain" };
}

Deno.test("createSqliteBroker() takes back records with the publications of a call that fails, and by themselves", async () => {
  await using folder = new SqliteFolder();
  const random = seeded(3);
  let faults = 0;
  const announced: unknown[] = [];
  const file = folder.newFile();
  const broker = folder.open(file, (publications) => announced.push(...publications), {
    pause: 0,
    maxPages: 60,
    onFault: () => faults++,
  });
  const records = async (of: Broker) => [...await of.records("")].sort();
  const outcomes = { taken: 0, refused: 0, recorded: 0, unrecorded: 0 };
  for (let step = 0; step < 600; step++) {
    const before = await records(broker);
    const { top } = await broker.read("a");
    const count = announced.length;
    const changes = Array.from({ length: 1 + random.int(4) }, () => {
      const key = `k${random.int(12)}`;
      return random.int(3) === 0 ? { key } : { key, value: `${step}`.padEnd(random.int(20_000), "x") };
    });
    if (random.int(2) === 0) {
      const code = await broker.record(changes).then(() => undefined, (error) => error.code);
      outcomes[code === undefined ? "recorded" : "unrecorded"]++;
      if (code === undefined) continue;
      assertEquals(code, "overloaded");
    } else {
      const drafts = [draft("a", "x".repeat(random.int(3000))), draft("a", "last")];
      const [first] = await broker.publish(drafts, { records: changes });
      outcomes["error" in first! ? "refused" : "taken"]++;
      if (!("error" in first!)) continue;
      assertEquals(first.error.code, "overloaded");
    }
    assertEquals(await records(broker), before, `step ${step}`);
    assertEquals([(await broker.read("a")).top, announced.length], [top, count], `step ${step}`);
  }
  for (const [outcome, times] of Object.entries(outcomes)) assert(times > 20, JSON.stringify([outcome, outcomes]));
  assertEquals(faults, outcomes.refused + outcomes.unrecorded);
  const again = folder.open(folder.copy(file));
  assertEquals(await records(again), await records(broker));
});

Deno.test("createSqliteBroker() lets its log start anew after records were read, all of them or some", async () => {
  await using folder = new SqliteFolder();
  const file = folder.newFile();
  const broker = folder.open(file);
  await broker.record([{ key: "a", value: "1" }, { key: "b", value: "2" }, { key: "c", value: "3" }]);
  for (let n = 0; n < 60; n++) {
    assertEquals([...await broker.records("a")], [["a", "1"]]);
    await broker.record([{ key: "d", value: `${n % 10}`.repeat(1 << 20) }]);
  }
  // A reading that is not at its end would keep the log from that.
  assert(Deno.statSync(`${file}-wal`).size < 24 << 20, `${Deno.statSync(`${file}-wal`).size} bytes`);
});

Deno.test("createSqliteBroker() brings a file of version 1 up to date with everything in it", async () => {
  await using folder = new SqliteFolder();
  for (const how of ["closed", "killed"]) {
    const old = folder.newFile();
    let [file, epoch] = [old, ""];
    {
      // What an older Gong leaves: the same tables without the one for records.
      const { db, close } = openFile(old, { schema: SCHEMA.slice(0, 1) });
      epoch = "0123456789abcdef";
      db.exec(
        `INSERT INTO channels VALUES (1, 'a', '${epoch}', 3, 2, 514, 258, 7), (2, 'heard', 'fedcba9876543210', 0, 1, 0, 0, 6);
        INSERT INTO publications (channel, offset, time, type, data, id, details, expires, bytes) VALUES
          (1, 2, 1000, 'text/plain', 'two', NULL, NULL, NULL, 257), (1, 3, 2000, 'text/plain', 'three', 'x', NULL, NULL, 257)`,
      );
      const digest = digestOf(draft("a", "three"));
      db.prepare(
        "INSERT INTO ids (channel, publisher, id, offset, digest, time, bytes) VALUES (1, '', 'x', 3, ?, 2000, 258)",
      )
        .run(digest);
      if (how === "killed") file = folder.copy(old);
      close();
    }
    const version = (path: string) => {
      using db = new DatabaseSync(path, { readOnly: true });
      return db.prepare("PRAGMA user_version").get()?.user_version;
    };
    if (how === "closed") assertEquals(version(file), 1);
    for (let times = 0; times < 2; times++) {
      const broker = folder.open(file, () => {}, { now: () => 3000 });
      const { publications, top } = await broker.read("a", { last: 5 });
      assertEquals(publications.map(({ offset, data }) => [offset, data]), [[2, "two"], [3, "three"]]);
      assertEquals(top, { epoch, offset: 3 }, "in the same numbering");
      assertEquals((await broker.read("heard")).top, { epoch: "fedcba9876543210", offset: 0 });
      const [again] = await broker.publish([{ ...draft("a", "three"), id: "x" }]);
      assertEquals(again, { epoch, offset: 3, repeated: true });
      assertEquals([...await broker.records("")], times === 0 ? [] : [["r", "1"]]);
      await broker.record([{ key: "r", value: "1" }]);
      await broker.close();
      assertEquals(version(file), SCHEMA.length);
    }
  }
});

Deno.test("createSqliteBroker() keeps records where it starts new epochs: after the machine's end, and of an older copy", async () => {
  await using folder = new SqliteFolder();
  const boot = 1_700_000_000_000;
  const file = folder.newFile();
  const first = folder.open(file, () => {}, { bootTime: () => boot });
  const [old] = await first.publish([draft("a", "1")], { records: [{ key: "r", value: "1" }] });
  const left = folder.copy(file);
  const after = folder.open(left, () => {}, { bootTime: () => boot + 60_000 });
  assertEquals([...await after.records("")], [["r", "1"]]);
  assert((await after.read("a")).top.epoch !== (old as Position).epoch);

  // An older copy has the records of then, with the publications of then.
  await first.close();
  const backup = folder.copy(file);
  const second = folder.open(file, () => {}, { bootTime: () => boot });
  const [lost] = await second.publish([draft("a", "2")], {
    records: [{ key: "r", value: "2" }, { key: "s", value: "2" }],
  });
  await second.close();
  Deno.copyFileSync(backup, file);
  const restored = folder.open(file, () => {}, { bootTime: () => boot });
  assertEquals([...await restored.records("")], [["r", "1"]]);
  const { top } = await restored.read("a");
  assertEquals([top.offset, top.epoch !== (lost as Position).epoch], [1, true]);
});

Deno.test("createSqliteBroker() goes on in its epochs when only records were changed since the last opening", async () => {
  await using folder = new SqliteFolder();
  const file = folder.newFile();
  const first = folder.open(file);
  const [old] = await first.publish([draft("a", "1")]);
  await first.close();
  for (const how of ["closed", "killed", "closed"]) {
    const broker = folder.open(file);
    await broker.record([{ key: how, value: "1" }]);
    const left = how === "closed" ? file : folder.copy(file);
    if (how === "closed") await broker.close();
    const again = folder.open(left);
    assertEquals((await again.read("a")).top, old as Position);
    assertEquals((await again.records(how)).get(how), "1");
    await again.close();
    await broker.close();
  }
});
