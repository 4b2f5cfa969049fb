/**
 * Looks at a file of the SQLite broker without changing anything.
 *
 * @module
 */
import { DatabaseSync } from "node:sqlite";
import { sizeOfFile } from "../files.ts";
import { BrokerSetupError } from "../setup_error.ts";

/** "Gong" in ASCII, where SQLite files say whose they are. */
export const APPLICATION = 0x476f6e67;
/** How long one try waits for whoever has the file open to close it, in milliseconds. */
export const PATIENCE = 250;
/** The least that a database can be, in bytes. */
const SHORTEST = 512;

/** What a file is expected to be. */
export interface Expected {
  /** Its length is the newest version. */
  readonly schema: readonly string[];
  /** What is wrong in a file of this version, if anything is, beyond what SQLite finds. */
  readonly findFault?: (db: DatabaseSync) => string | undefined;
}

/**
 * Refuses a file that is not Gong's, of a newer version, torn, or open elsewhere. Nothing of it changes.
 *
 * @throws {BrokerSetupError} saying what is wrong with it
 */
export function checkFile(path: string, name: string, expected: Expected): void {
  const log = sizeOfFile(`${path}-wal`) ?? 0;
  const size = sizeOfFile(path) ?? 0;
  // One of a single byte SQLite would take for empty.
  if (size > 0 && size < SHORTEST) throw new BrokerSetupError(`${name} is not a file of Gong`);
  if (size === 0) throw new BrokerSetupError(`${name} is damaged: it is empty, and its log is not`);
  withSecondName(path, log > 0, (second) => {
    const db = new DatabaseSync(second, { readOnly: true });
    try {
      db.exec(`PRAGMA busy_timeout = ${PATIENCE}`);
      const problem = findProblem(db, expected, log > 0 ? undefined : size);
      if (problem !== undefined) throw new BrokerSetupError(`${name} ${problem}`);
    } finally {
      db.close();
    }
  });
}

function findProblem(db: DatabaseSync, { schema, findFault }: Expected, size: number | undefined): string | undefined {
  const read = (name: string) => Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0];
  const isEmpty = db.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get() === undefined;
  const application = read("application_id");
  if (application !== APPLICATION && !(application === 0 && isEmpty)) return "is a database of another program";
  const found = Number(read("user_version"));
  const { length: version } = schema;
  if (found > version) return `was written by a newer Gong (its version is ${found}, this one knows ${version})`;
  if (size !== undefined && size % Number(read("page_size")) !== 0) return "is damaged: its end is missing";
  const damage = String(read("quick_check(1)"));
  if (damage !== "ok") return `is damaged: ${damage.replaceAll(/\s+/g, " ")}`;
  const fault = found === version ? findFault?.(db) : undefined;
  return fault === undefined ? undefined : `is damaged: ${fault}`;
}

/**
 * Gives the file a second name for a while. Whatever SQLite does on opening and closing it, it does to a log and an index
 * beside that name; but its locks are on the file, and those of others are seen.
 */
function withSecondName(path: string, hasLog: boolean, use: (second: string) => void): void {
  const second = `${path}-check-${crypto.randomUUID()}`;
  try {
    link(path, second);
    if (hasLog) Deno.copyFileSync(`${path}-wal`, `${second}-wal`);
    use(second);
  } finally {
    for (const suffix of ["", "-wal", "-shm"]) remove(second + suffix);
  }
}

function link(path: string, second: string): void {
  try {
    Deno.linkSync(path, second);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    // Not every file system has files of two names.
    Deno.copyFileSync(path, second);
  }
}

function remove(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
