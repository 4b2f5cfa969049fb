import type { DatabaseSync } from "node:sqlite";
import type { Publication } from "../../types.ts";
import { queueChannel } from "../../reserved.ts";
import type { KeptMessage, KeptQueue, QueueName, QueueStore } from "../ledger/store.ts";
import { COLUMNS, decodeRows, encodeRow, type Row } from "./rows.ts";
import { prepareArrays } from "./statements.ts";

/** The messages of queues in the file of the SQLite broker. What goes or is read at once mostly lies side by side. */
export class SqliteQueues implements QueueStore {
  readonly #begin: () => void;
  readonly #sql: ReturnType<typeof prepareStatements>;

  /** @param begin is called before something is changed */
  constructor(db: DatabaseSync, begin: () => void) {
    this.#sql = prepareStatements(db);
    this.#begin = begin;
  }

  *load(): Iterable<KeptQueue> {
    for (const row of this.#sql.load.all() as unknown as (QueueName & { offset: number })[]) {
      yield { ...row, messages: this.#messages(row.number) };
    }
  }

  append({ number }: QueueName, message: Publication, { offset, bytes, expires }: KeptMessage): void {
    this.#begin();
    this.#sql.insert.run(number, offset, message.time, ...encodeRow(message), expires ?? null, bytes);
  }

  drop({ number }: QueueName, offsets: readonly number[]): void {
    this.#begin();
    for (const [first, last] of runsOf(offsets.toSorted((one, other) => one - other))) {
      this.#sql.drop.run(number, first, last);
    }
  }

  save({ number, name, epoch }: QueueName, offset: number, count: number): void {
    this.#begin();
    this.#sql.save.run(number, name, epoch, offset, count);
  }

  forget({ number }: QueueName): void {
    this.#begin();
    this.#sql.clear.run(number);
    this.#sql.forget.run(number);
  }

  read({ number, name, epoch }: QueueName, offsets: readonly number[]): Publication[] {
    const rows = [...runsOf(offsets)].flatMap((run) => this.#sql.page.all(number, ...run) as unknown as Row[]);
    if (rows.length < offsets.length) throw new Error(`messages of the queue ${name} are missing in the file`);
    // Whether one may still be given was found out before.
    return decodeRows(queueChannel(name), epoch, rows, -Infinity);
  }

  /** Writes how far the file has come. */
  note(used: number): void {
    this.#sql.note.run(used);
  }

  *#messages(queue: number): Iterable<KeptMessage> {
    for (const row of this.#sql.messages.iterate(queue) as IterableIterator<unknown>) {
      const { offset, bytes, expires } = row as KeptMessage & { expires: number | null };
      yield { offset, bytes, expires: expires ?? undefined };
    }
  }
}

function prepareStatements(db: DatabaseSync) {
  const between = "FROM messages WHERE queue = ? AND offset BETWEEN ? AND ?";
  return {
    load: db.prepare("SELECT number, name, epoch, offset FROM queues ORDER BY number"),
    messages: db.prepare("SELECT offset, bytes, expires FROM messages WHERE queue = ? ORDER BY offset"),
    insert: db.prepare(`
      INSERT INTO messages (queue, offset, time, type, data, id, details, expires, bytes)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`),
    drop: db.prepare(`DELETE ${between}`),
    clear: db.prepare("DELETE FROM messages WHERE queue = ?"),
    save: db.prepare(`
      INSERT INTO queues (number, name, epoch, offset, count) VALUES (?, ?, ?, ?, ?)
      ON CONFLICT (number) DO UPDATE SET offset = excluded.offset, count = excluded.count`),
    forget: db.prepare("DELETE FROM queues WHERE number = ?"),
    page: prepareArrays(db, `SELECT ${COLUMNS} ${between} ORDER BY offset`),
    note: db.prepare("UPDATE progress SET used = ?"),
  };
}

/** First and last of those that follow one another, ascending as they are. */
function* runsOf(offsets: readonly number[]): Iterable<[first: number, last: number]> {
  for (let at = 0; at < offsets.length;) {
    const first = offsets[at]!;
    let last = first;
    while (offsets[++at] === last + 1) last++;
    yield [first, last];
  }
}
