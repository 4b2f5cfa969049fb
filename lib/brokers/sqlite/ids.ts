import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Freed, KnownId } from "../ledger/store.ts";

interface OldId {
  readonly number: number;
  readonly time: number;
  readonly bytes: number;
  /** A channel that is new with this transaction is not there yet. */
  readonly name: string | null;
}

/** The ids in the file of the SQLite broker. Channels are given by their numbers. */
export class SqliteIds {
  readonly #find: StatementSync;
  readonly #insert: StatementSync;
  readonly #delete: StatementSync;
  readonly #oldest: StatementSync;
  readonly #deleteUntil: StatementSync;
  readonly #deleteAll: StatementSync;
  /** None is older; so that it need not be asked for. */
  #earliest = -Infinity;

  constructor(db: DatabaseSync) {
    this.#find = db.prepare(
      "SELECT offset, digest, time, bytes FROM ids WHERE channel = ? AND publisher = ? AND id = ?",
    );
    this.#insert = db.prepare(
      "INSERT INTO ids (channel, publisher, id, offset, digest, time, bytes) VALUES (?, ?, ?, ?, ?, ?, ?)",
    );
    this.#delete = db.prepare("DELETE FROM ids WHERE channel = ? AND publisher = ? AND id = ?");
    this.#oldest = db.prepare(`
      SELECT ids.number, ids.time, ids.bytes, name FROM ids LEFT JOIN channels ON channels.number = channel
      ORDER BY ids.number LIMIT ?`);
    this.#deleteUntil = db.prepare("DELETE FROM ids WHERE number <= ?");
    this.#deleteAll = db.prepare("DELETE FROM ids WHERE channel = ?");
  }

  find(channel: number, publisher: string, id: string): KnownId | undefined {
    const row = this.#find.get(channel, publisher, id) as Omit<KnownId, "publisher" | "id"> | undefined;
    return row && { ...row, publisher, id };
  }

  add(channel: number, { publisher, id, offset, digest, time, bytes }: KnownId): void {
    this.#insert.run(channel, publisher, id, offset, digest, time, bytes);
    this.#earliest = Math.min(this.#earliest, time);
  }

  drop(channel: number, { publisher, id }: KnownId): void {
    this.#delete.run(channel, publisher, id);
  }

  dropAll(channel: number): void {
    this.#deleteAll.run(channel);
  }

  /** Forgets at most `most` of before `time`; `begin` is called before something is changed. */
  *expire(time: number, most: number, begin: () => void): Iterable<Freed> {
    if (this.#earliest >= time) return;
    const rows = this.#oldest.all(most) as unknown as OldId[];
    const left = rows.findIndex((row) => row.time >= time || row.name === null);
    const gone = left < 0 ? rows : rows.slice(0, left);
    this.#earliest = rows[gone.length]?.time ?? (rows.length < most ? Infinity : -Infinity);
    if (gone.length === 0) return;
    begin();
    this.#deleteUntil.run(gone.at(-1)!.number);
    for (const { name, bytes } of gone) yield { name: name!, bytes };
  }

  /** What was known of the file may not hold any more. */
  reset(): void {
    this.#earliest = -Infinity;
  }
}
