import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { RecordChange } from "../../types.ts";

interface RecordRow {
  readonly key: string;
  readonly value: Uint8Array;
}

/** The records in the file of the SQLite broker. */
export class SqliteRecords {
  readonly #from: StatementSync;
  readonly #put: StatementSync;
  readonly #delete: StatementSync;

  constructor(db: DatabaseSync) {
    this.#from = db.prepare("SELECT key, value FROM records WHERE key >= ? ORDER BY key");
    this.#put = db.prepare(
      "INSERT INTO records (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    );
    this.#delete = db.prepare("DELETE FROM records WHERE key = ?");
  }

  /** Those whose keys begin with the prefix. */
  find(prefix: string): Map<string, string> {
    const found = new Map<string, string>();
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    for (const row of this.#from.iterate(prefix) as IterableIterator<unknown>) {
      const { key, value } = row as RecordRow;
      if (!key.startsWith(prefix)) break;
      found.set(key, decoder.decode(value));
    }
    return found;
  }

  change({ key, value }: RecordChange): void {
    if (value === undefined) this.#delete.run(key);
    else this.#put.run(key, new TextEncoder().encode(value));
  }
}
