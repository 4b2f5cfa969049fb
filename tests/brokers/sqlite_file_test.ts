import { DatabaseSync } from "node:sqlite";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { listFiles } from "../../lib/brokers/files.ts";
import { BrokerSetupError } from "../../lib/brokers/setup_error.ts";
import { openFile } from "../../lib/brokers/sqlite/file.ts";
import { newMark, writeWitness } from "../../lib/brokers/sqlite/witness.ts";
import { SqliteFolder } from "../support/sqlite.ts";

const SCHEMA = ["CREATE TABLE a (n INTEGER); INSERT INTO a VALUES (1)"];

function refusal(file: string, schema: readonly string[] = SCHEMA): string {
  try {
    openFile(file, { schema }).close();
  } catch (error) {
    assert(error instanceof BrokerSetupError, String(error));
    assert(!/\n/.test(error.message), error.message);
    assertStringIncludes(error.message, file, "the file is named");
    return error.message;
  }
  throw new Error(`${file} was opened`);
}

/** What is in the folder, to the last byte. */
function snapshot(folder: string): Map<string, Uint8Array> {
  const names = [...Deno.readDirSync(folder)].filter(({ isFile }) => isFile).map(({ name }) => name).sort();
  return new Map(names.map((name) => [name, Deno.readFileSync(`${folder}/${name}`)]));
}

/** It is refused so, and nothing has changed. */
function assertRefused(folder: SqliteFolder, file: string, reason: string, schema = SCHEMA): void {
  const before = snapshot(folder.path);
  assertStringIncludes(refusal(file, schema), reason);
  assertEquals(snapshot(folder.path), before);
}

/** A file with some content, closed. */
function fileWithRows(folder: SqliteFolder): string {
  const file = folder.newFile();
  const { db, close } = openFile(file, { schema: SCHEMA });
  db.exec("CREATE TABLE rows (n INTEGER PRIMARY KEY, text TEXT)");
  const insert = db.prepare("INSERT INTO rows (text) VALUES (?)");
  for (let n = 0; n < 2000; n++) insert.run(`${n}`.repeat(50));
  close();
  return file;
}

Deno.test("openFile() makes a file that a second opening finds locked until it is closed", async () => {
  await using folder = new SqliteFolder();
  const file = folder.newFile();
  const first = openFile(file, { schema: SCHEMA });
  assertStringIncludes(refusal(file), "is in use by another Gong");
  first.close();
  openFile(file, { schema: SCHEMA }).close();
  assertEquals(listFiles(file).map(({ path }) => path), [file, `${file}-run`]);
});

Deno.test("openFile() opens paths that would mean something else to SQLite or in a URL", async () => {
  await using folder = new SqliteFolder();
  for (const name of ["a b.db", "50%25.db", "what?.db", "#1.db", "é🎉.db", "file:x.db"]) {
    const file = `${folder.path}/${name}`;
    openFile(file, { schema: SCHEMA }).close();
    const { db, close } = openFile(file, { schema: SCHEMA });
    assertEquals(db.prepare("SELECT n FROM a").all().map(({ n }) => n), [1]);
    close();
    assert(Deno.statSync(file).size > 0);
  }
});

Deno.test("openFile() brings an older file up to date in one step, or leaves it as it is", async () => {
  await using folder = new SqliteFolder();
  const file = folder.newFile();
  openFile(file, { schema: SCHEMA }).close();
  const second = "ALTER TABLE a ADD COLUMN m INTEGER; UPDATE a SET m = n + 1";
  const before = snapshot(folder.path);
  assertStringIncludes(refusal(file, [...SCHEMA, second, "INSERT INTO missing VALUES (1)"]), "no such table");
  assertEquals(snapshot(folder.path), before);
  for (let times = 0; times < 2; times++) {
    const { db, close } = openFile(file, { schema: [...SCHEMA, second, "UPDATE a SET m = m * 10"] });
    assertEquals(db.prepare("SELECT n, m FROM a").all().map(({ n, m }) => [n, m]), [[1, 20]]);
    assertEquals(db.prepare("PRAGMA user_version").get()?.user_version, 3);
    close();
  }
});

Deno.test("openFile() refuses a file of a newer version, and changes nothing", async () => {
  await using folder = new SqliteFolder();
  const file = folder.newFile();
  openFile(file, { schema: [...SCHEMA, "SELECT 1"] }).close();
  assertRefused(folder, file, "was written by a newer Gong (its version is 2, this one knows 1)");
});

Deno.test("openFile() refuses what is no file of Gong, and changes nothing", async () => {
  await using folder = new SqliteFolder();
  const text = folder.newFile();
  Deno.writeTextFileSync(text, "Dear diary,\n".repeat(1000));
  assertRefused(folder, text, "is not a file of Gong");
  const short = folder.newFile();
  Deno.writeTextFileSync(short, "x");
  assertRefused(folder, short, "is not a file of Gong");
  for (const mode of ["delete", "wal"]) {
    const other = folder.newFile();
    const db = new DatabaseSync(other);
    db.exec(`PRAGMA journal_mode = ${mode}; CREATE TABLE t (n); INSERT INTO t VALUES (1)`);
    const open = folder.copy(other);
    assertRefused(folder, open, "is a database of another program");
    db.close();
    assertRefused(folder, other, "is a database of another program");
  }
});

Deno.test("openFile() refuses a torn file, however long, and changes nothing", async () => {
  await using folder = new SqliteFolder();
  const whole = fileWithRows(folder);
  const { size } = Deno.statSync(whole);
  for (const length of [1, 50, 100, 511, 4095, 4096, 5000, 8192, size >> 1, size - 4096, size - 1]) {
    const file = folder.copy(whole);
    Deno.truncateSync(file, length);
    const before = snapshot(folder.path);
    assert(/is damaged|is not a file of Gong/.test(refusal(file)), `${length} of ${size}`);
    assertEquals(snapshot(folder.path), before);
    Deno.removeSync(file);
  }
});

Deno.test("openFile() refuses a file with garbage in the middle, and changes nothing", async () => {
  await using folder = new SqliteFolder();
  const whole = fileWithRows(folder);
  const { size } = Deno.statSync(whole);
  for (const at of [0, 20, 100, size >> 1 & ~4095, size - 4096]) {
    const file = folder.copy(whole);
    using handle = Deno.openSync(file, { write: true });
    handle.seekSync(at, Deno.SeekMode.Start);
    handle.writeSync(crypto.getRandomValues(new Uint8Array(2000)));
    const before = snapshot(folder.path);
    assert(/is damaged|is not a file of Gong|of another program|cannot be opened/.test(refusal(file)), `at ${at}`);
    assertEquals(snapshot(folder.path), before);
  }
});

Deno.test("openFile() refuses a torn file whose log is still there, and changes neither", async () => {
  await using folder = new SqliteFolder();
  const whole = fileWithRows(folder);
  const { db, close } = openFile(whole, { schema: SCHEMA });
  db.exec("UPDATE rows SET text = 'other' WHERE n % 100 = 0");
  const [torn, emptied, fine] = [folder.copy(whole), folder.copy(whole), folder.copy(whole)];
  close();
  using handle = Deno.openSync(torn, { write: true });
  handle.seekSync(20 * 4096, Deno.SeekMode.Start);
  handle.writeSync(new Uint8Array(4096 * 10).fill(77));
  assertRefused(folder, torn, "is damaged");
  Deno.truncateSync(emptied, 0);
  assertRefused(folder, emptied, "is damaged: it is empty, and its log is not");
  Deno.removeSync(emptied);
  assertRefused(folder, emptied, "is missing, and its log is there");
  const again = openFile(fine, { schema: SCHEMA });
  assertEquals(again.db.prepare("SELECT count(*) AS n FROM rows WHERE text = 'other'").get()?.n, 20);
  again.close();
});

Deno.test("openFile() takes a link for what it leads to, its log and its mode too", async () => {
  await using folder = new SqliteFolder();
  const modes = (path: string) => listFiles(path).map(({ path }) => (Deno.statSync(path).mode ?? 0) & 0o777);
  const [target, link] = [folder.newFile(), `${folder.path}/link.db`];
  Deno.symlinkSync(target, link);
  const { db, close } = openFile(link, { schema: SCHEMA });
  db.exec("INSERT INTO a VALUES (2)");
  assertEquals(listFiles(link).map(({ path }) => path), [target, `${target}-wal`, `${target}-run`]);
  assertEquals(modes(target), [0o600, 0o600, 0o600]);
  const emptied = folder.copy(target);
  close();
  Deno.truncateSync(emptied, 0);
  Deno.removeSync(link);
  Deno.symlinkSync(emptied, link);
  const before = snapshot(folder.path);
  assertStringIncludes(refusal(link), "is damaged: it is empty, and its log is not");
  assertEquals(snapshot(folder.path), before);
});

Deno.test("writeWitness() leaves nothing behind when it cannot put it in its place", async () => {
  await using folder = new SqliteFolder();
  const file = folder.newFile();
  Deno.mkdirSync(`${file}-run/x`, { recursive: true });
  for (let times = 0; times < 3; times++) {
    assertThrows(() => writeWitness(file, { mark: newMark(), progress: 1 }, true));
  }
  assertEquals([...Deno.readDirSync(folder.path)].map(({ name }) => name), ["1.db-run"]);
});

Deno.test("openFile() removes what one that was killed meanwhile left, and nothing else", async () => {
  await using folder = new SqliteFolder();
  const file = fileWithRows(folder);
  const code = `import { openFile } from ${JSON.stringify(import.meta.resolve("../../lib/brokers/sqlite/file.ts"))};
    openFile(${JSON.stringify(file)}, { schema: ${
    JSON.stringify(SCHEMA)
  }, findFault: () => Deno.kill(Deno.pid, "SIGKILL") });`;
  const { signal } = await new Deno.Command(Deno.execPath(), { args: ["eval", code], stderr: "null" }).output();
  assertEquals(signal, "SIGKILL");
  const id = crypto.randomUUID();
  const others = [`${file}-check`, `${file}-check-1`, `${file}2-check-${id}`, `${file}-check-${id}.db`];
  for (const path of [...others, `${file}-run-${id}`]) Deno.writeTextFileSync(path, "");
  const names = () => [...Deno.readDirSync(folder.path)].map(({ name }) => `${folder.path}/${name}`).sort();
  assert(names().length > others.length + 3, "the killed one left something");
  openFile(file, { schema: SCHEMA }).close();
  assertEquals(names(), [file, `${file}-run`, ...others].sort());
});

Deno.test("openFile() says what is wrong with a path", async () => {
  await using folder = new SqliteFolder();
  assertStringIncludes(refusal(folder.path), "is a folder");
  assertStringIncludes(refusal(`${folder.path}/none/x.db`), "there is no such folder");
  assertStringIncludes(refusal("/dev/null"), "is no file");
  const file = folder.newFile();
  Deno.writeTextFileSync(file, "x");
  assert(refusal(`${file}/x.db`).length < 200);
});

Deno.test({
  name: "openFile() refuses a disk that cannot be written, and one that is full",
  ignore: Deno.uid() !== 0,
  async fn() {
    await using folder = new SqliteFolder();
    const run = (command: string, ...args: string[]) => new Deno.Command(command, { args, stderr: "null" }).output();
    await run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder.path);
    try {
      const file = folder.newFile();
      openFile(file, { schema: SCHEMA }).close();
      Deno.writeFileSync(`${folder.path}/ballast`, new Uint8Array(64 << 10).fill(1, 0, 1), {}) as void;
    } catch {
      // It is full.
    }
    try {
      assertStringIncludes(refusal(`${folder.path}/1.db`), "the disk is full");
      Deno.removeSync(`${folder.path}/ballast`);
      await run("mount", "-o", "remount,ro", folder.path);
      assert(/may not write|cannot be written|cannot be opened/.test(refusal(`${folder.path}/1.db`)));
      assert(/may not write|cannot be written|cannot be opened/.test(refusal(`${folder.path}/2.db`)));
    } finally {
      await run("umount", folder.path);
    }
  },
});
