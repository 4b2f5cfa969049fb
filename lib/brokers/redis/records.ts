/**
 * Records in Redis.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import { GongError } from "../../errors.ts";
import type { RecordChange } from "../../types.ts";
import type { RedisConnection } from "./connection.ts";

/** All records: one hash, of one slot. */
export class RedisRecords {
  readonly #connection: Pick<RedisConnection, "call" | "prefix">;

  constructor(connection: Pick<RedisConnection, "call" | "prefix">) {
    this.#connection = connection;
  }

  /** The key of the hash. */
  get key(): string {
    return `${this.#connection.prefix}{$records}`;
  }

  /** Those whose keys begin with the prefix. @throws {GongError} `overloaded` */
  async find(prefix: string): Promise<Map<string, string>> {
    const found = await this.#connection.call("records", [this.key], [prefix]) as readonly Buffer[];
    const records = new Map<string, string>();
    for (let index = 0; index < found.length; index += 2) {
      records.set(found[index]!.toString(), found[index + 1]!.toString());
    }
    return records;
  }

  /** @throws {GongError} `overloaded`; `conflict` where one is not as it has to be */
  async change(changes: readonly RecordChange[]): Promise<void> {
    if (changes.length === 0) return;
    const isDone = await this.#connection.call("record", [this.key], toRecordArguments(changes));
    if (isDone !== 1) throw new GongError("conflict", "A record is not as it was.");
  }
}

/** As the functions take them. */
export function toRecordArguments(changes: readonly RecordChange[]): string[] {
  return changes.flatMap(({ key, value, isNew, was }) => {
    const before = isNew ? "+" : was === undefined ? "" : `=${was}`;
    return value === undefined ? ["-", key, "", before] : ["=", key, value, before];
  });
}
