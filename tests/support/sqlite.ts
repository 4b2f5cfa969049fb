/**
 * Files of the SQLite broker for tests.
 *
 * @module
 */
import { createSqliteBroker, type SqliteBrokerOptions } from "../../lib/brokers/sqlite.ts";
import type { Announce, Broker } from "../../lib/types.ts";

/** Brokers in a folder of their own, which is removed with all of them closed. */
export class SqliteFolder implements AsyncDisposable {
  readonly path = Deno.makeTempDirSync({ prefix: "gong-sqlite-" });
  readonly #brokers: Broker[] = [];
  readonly #files = new Map<Broker, string>();
  #count = 0;

  /** A file that is not there yet. */
  newFile(): string {
    return `${this.path}/${++this.#count}.db`;
  }

  open(file: string, announce: Announce = () => {}, options: Omit<SqliteBrokerOptions, "broker"> = {}): Broker {
    const broker = createSqliteBroker(announce, { ...options, broker: `sqlite:${file}` });
    this.#brokers.push(broker);
    this.#files.set(broker, file);
    return broker;
  }

  fileOf(broker: Broker): string {
    return this.#files.get(broker)!;
  }

  /** A copy of the files as they are, as the end of the process would leave them. */
  copy(file: string): string {
    const copy = this.newFile();
    for (const suffix of ["", "-wal", "-run"]) {
      try {
        Deno.copyFileSync(file + suffix, copy + suffix);
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
    return copy;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const broker of this.#brokers) await broker.close();
    await Deno.remove(this.path, { recursive: true });
  }
}
