/**
 * The file of the SQLite broker: opened for one process alone, checked before anything in it is changed.
 *
 * @module
 */
import { DatabaseSync } from "node:sqlite";
import { followLink, listFiles, sizeOfFile, statFile } from "../files.ts";
import { BrokerSetupError } from "../setup_error.ts";
import { APPLICATION, checkFile, PATIENCE } from "./check.ts";
import { removeLeftovers } from "./leftovers.ts";
import { newMark, readWitness, type Witness, writeWitness } from "./witness.ts";

/** What {@linkcode openFile} may be told. */
export interface FileOptions {
  /** Whether what is committed survives the end of the machine (`full`) or of the process only. Default `normal`. */
  readonly sync?: "normal" | "full";
  /** Statements that make of each version the next; the first make version 1 of an empty file. */
  readonly schema: readonly string[];
  /** What is wrong in a file of this version, if anything is, beyond what SQLite finds. */
  readonly findFault?: (db: DatabaseSync) => string | undefined;
  /**
   * Called, as part of the opening, when what was committed last may be missing: the machine ended while it was open, or
   * an older copy was put in its place.
   */
  readonly onLack?: (db: DatabaseSync) => void;
  /** A number that grows with what is committed. */
  readonly progressOf?: (db: DatabaseSync) => number;
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
  /** Pages of 4 KiB that the file may have, as if the disk were full then: for tests. Default: no bound. */
  readonly maxPages?: number;
  /** When the machine was started, in milliseconds since 1970. Default: by its uptime. */
  readonly bootTime?: () => number;
}

/** A file that is open. */
export interface OpenFile {
  readonly db: DatabaseSync;
  /** Notes now and then beside the file how far it has come: an older copy in its place has not. */
  note(progress: number): void;
  /** Notes that nothing is missing, and closes it. */
  close(): void;
}

/** Two that open it at the same moment may each keep the other out, so each lets go and tries again. */
const TRIES = 4;
/** Clocks are set: boots that lie less apart are one, in milliseconds. */
const STEP = 10_000;
/** How often it is noted how far the file has come, in milliseconds: younger copies are not told from it. */
const NOTED = 1000;
/** What the log of changes may hold before it goes into the file, and keep then, in bytes. */
const WAL = 8 << 20;

/**
 * Opens the file for this process alone; makes it, for its user alone, when it is not there. What is torn, or not Gong's,
 * or of a newer Gong, is left as it is.
 *
 * @throws {BrokerSetupError} saying what is wrong with it
 */
export function openFile(name: string, options: FileOptions): OpenFile {
  // Neither ":memory:" nor "file:" is anything special.
  const path = name.startsWith("/") ? name : `./${name}`;
  for (let left = TRIES;; left--) {
    try {
      return open(path, name, options);
    } catch (error) {
      if (error instanceof BrokerSetupError) throw error;
      if (left === 1 || !isLocked(error)) throw new BrokerSetupError(explain(name, error), { cause: error });
      sleep(Math.random() * PATIENCE);
    }
  }
}

function isLocked(error: unknown): boolean {
  return error instanceof Error && /is locked/.test(error.message);
}

/** There is nothing else to do yet. */
function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

function open(given: string, name: string, options: FileOptions): OpenFile {
  const { schema, sync = "normal", bootTime = bootOfMachine } = options;
  makeFile(given, name);
  const path = followLink(given);
  if (sizeOfFile(path) || sizeOfFile(`${path}-wal`)) checkFile(path, name, options);
  for (const file of listFiles(path)) narrow(file.path);
  const db = new DatabaseSync(path);
  try {
    // In this order: then no file of shared memory is made, and nobody else gets in.
    db.exec(
      `PRAGMA busy_timeout = ${PATIENCE}; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
      PRAGMA journal_size_limit = ${WAL}; PRAGMA wal_autocheckpoint = ${WAL / 4096};
      PRAGMA cache_size = -16000; PRAGMA temp_store = MEMORY; BEGIN IMMEDIATE`,
    );
    migrate(db, schema);
    const run = { sync, boot: Math.round(bootTime()), mark: newMark() };
    const progress = options.progressOf?.(db) ?? 0;
    if (begin(db, run, readWitness(path), progress)) options.onLack?.(db);
    db.exec(`COMMIT; PRAGMA synchronous = ${sync}`);
    removeLeftovers(path);
    writeWitness(path, { mark: run.mark, progress }, true);
    if (options.maxPages !== undefined) db.exec(`PRAGMA max_page_count = ${options.maxPages}`);
    return toOpenFile(db, path, run, options);
  } catch (error) {
    db.close();
    throw error;
  }
}

function toOpenFile(db: DatabaseSync, path: string, { mark, sync }: Run, options: FileOptions): OpenFile {
  const { progressOf, now = Date.now } = options;
  let noted = -Infinity;
  const note = (progress: number) => {
    // Once it is not noted, the next time will do.
    noted = now();
    try {
      writeWitness(path, { mark, progress }, sync === "full");
    } catch {
      // The disk is full, perhaps.
    }
  };
  return {
    db,
    note(progress) {
      // Clocks are set back, too.
      if (Math.abs(now() - noted) >= NOTED) note(progress);
    },
    close: () => close(db, () => note(progressOf?.(db) ?? 0)),
  };
}

/** SQLite itself would make it readable for everybody. */
function makeFile(path: string, name: string): void {
  const info = statFile(path);
  if (info?.isDirectory) throw new BrokerSetupError(`${name} is a folder, not a file`);
  if (info && !info.isFile) throw new BrokerSetupError(`${name} is no file`);
  if (!info && sizeOfFile(`${path}-wal`)) throw new BrokerSetupError(`${name} is missing, and its log is there`);
  // Another may be quicker: who has it will be seen.
  if (!info) Deno.openSync(path, { write: true, create: true, mode: 0o600 }).close();
}

function narrow(path: string): void {
  const mode = statFile(path)?.mode ?? 0;
  if ((mode & 0o077) !== 0) Deno.chmodSync(path, mode & 0o700);
}

function migrate(db: DatabaseSync, schema: readonly string[]): void {
  const { user_version: found } = db.prepare("PRAGMA user_version").get() as { user_version: number };
  for (const statements of schema.slice(found)) db.exec(statements);
  if (found === schema.length) return;
  db.exec(`PRAGMA user_version = ${schema.length}; PRAGMA application_id = ${APPLICATION};
    CREATE TABLE IF NOT EXISTS run (open INTEGER NOT NULL, sync TEXT NOT NULL, boot INTEGER NOT NULL, mark TEXT NOT NULL)
    STRICT`);
}

/** One time that it was open. */
interface Run {
  readonly sync: "normal" | "full";
  readonly boot: number;
  readonly mark: string;
}

/** Notes that it is open, and tells whether something may be missing of the last time that it was. */
function begin(db: DatabaseSync, { sync, boot, mark }: Run, witness: Witness | undefined, progress: number): boolean {
  const last = db.prepare("SELECT * FROM run").get() as Run & { open: number } | undefined;
  db.exec("DELETE FROM run");
  db.prepare("INSERT INTO run VALUES (1, ?, ?, ?)").run(sync, boot, mark);
  if (last === undefined) return false;
  const wasCut = last.open === 1 && last.sync !== "full" && Math.abs(last.boot - boot) > STEP;
  return wasCut || last.mark !== witness?.mark || progress < witness.progress;
}

function close(db: DatabaseSync, note: () => void): void {
  try {
    // What came before reaches the disk no later than this does.
    db.exec("PRAGMA synchronous = FULL; UPDATE run SET open = 0");
    note();
  } catch {
    // It counts as open then, and the next opening does without.
  }
  db.close();
}

function bootOfMachine(): number {
  return Date.now() - Deno.osUptime() * 1000;
}

function explain(name: string, error: unknown): string {
  if (error instanceof Deno.errors.NotCapable) {
    return `${name} is in none of the folders that this program is permitted to write to`;
  }
  if (error instanceof Deno.errors.PermissionDenied) return `this user may not write ${name}`;
  if (error instanceof Deno.errors.NotFound) return `${name}: there is no such folder`;
  const message = error instanceof Error ? error.message : String(error);
  if (isLocked(error)) return `${name} is in use by another Gong, or another program`;
  if (/not a database/.test(message)) return `${name} is not a file of Gong`;
  if (/malformed/.test(message)) return `${name} is damaged: ${message}`;
  if (/readonly/.test(message)) return `${name} cannot be written`;
  if (/is full/.test(message)) return `${name}: the disk is full`;
  if (/I\/O error/.test(message)) return `${name}: the disk is full, or fails (${message})`;
  return `${name} cannot be opened: ${message}`;
}
