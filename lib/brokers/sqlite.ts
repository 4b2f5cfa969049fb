import { MESSAGE_OVERHEAD, sizeOf } from "../bytes.ts";
import type { Announce, Broker, PageLimit, Publication, RecordChange } from "../types.ts";
import { BrokerSetupError } from "./setup_error.ts";
import { Ledger, type LedgerOptions, randomEpoch } from "./ledger.ts";
import { type FileOptions, type OpenFile, openFile } from "./sqlite/file.ts";
import { SqliteIds } from "./sqlite/ids.ts";
import { lastUse, renewEpochs } from "./sqlite/numbers.ts";
import { SqliteQueues } from "./sqlite/queues.ts";
import { SqliteRecords } from "./sqlite/records.ts";
import { decodeRows, encodeRow, PLACE, type Row } from "./sqlite/rows.ts";
import { findFault, SCHEMA } from "./sqlite/schema.ts";
import { prepareStatements } from "./sqlite/statements.ts";
import { SqliteWeights } from "./sqlite/weights.ts";
import type { Channel, Freed, KeptChannel, KnownId, Store, Weight } from "./ledger/store.ts";

/** Bounds, and where and how safely. */
export interface SqliteBrokerOptions extends LedgerOptions, Pick<FileOptions, "sync" | "bootTime" | "maxPages"> {
  /** `sqlite:PATH`. */
  readonly broker: string;
}

interface ChannelRow extends Omit<KeptChannel, "idBytes"> {
  readonly number: number;
  readonly id_bytes: number;
  readonly used: number;
}

/** What is known of a channel's row. */
interface Entry {
  readonly number: number;
  /** It is in the file. */
  isSaved: boolean;
  /** Bytes of its publications in the file, those too that the ledger counts no more. */
  stored: number;
}

/** Bytes of publications that are gone and still in the file: to delete some at once costs less than one after the other. */
const OWED = 256 << 10;
/** Publications that are read in one go where the bytes count. */
const SLICE = 256;

/**
 * Keeps channels in a file of SQLite: what was acknowledged survives the end of the process, and with `sync: "full"` that
 * of the machine. Each call of `publish` is one transaction. After the machine has ended, without `full`, the last of it
 * may be missing, so that all channels go on in new epochs.
 *
 * @throws {BrokerSetupError} when the file cannot be used
 */
export function createSqliteBroker(announce: Announce, options: SqliteBrokerOptions): Broker {
  const { broker, newEpoch = randomEpoch } = options;
  const path = broker.replace(/^sqlite:/, "");
  const file = openFile(path, {
    ...options,
    schema: SCHEMA,
    findFault,
    onLack: (db) => renewEpochs(db, newEpoch),
    progressOf: lastUse,
  });
  try {
    const capabilities = { atomic: true, queues: true, survives: "process" } as const;
    return new Ledger(new SqliteStore(file), announce, capabilities, { ...options, newEpoch });
  } catch (error) {
    file.close();
    throw new BrokerSetupError(`${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

class SqliteStore implements Store {
  readonly isLasting = true;
  readonly queues: SqliteQueues;
  readonly #file: OpenFile;
  readonly #sql: ReturnType<typeof prepareStatements>;
  readonly #weights: SqliteWeights;
  readonly #ids: SqliteIds;
  readonly #records: SqliteRecords;
  /** By name of the channel. */
  #entries = new Map<string, Entry>();
  /** Numbers of channels that may have publications in the file which the ledger counts no more, and how many bytes. */
  readonly #owing = new Set<number>();
  #owed = 0;
  #lastNumber = 0;
  #lastUse = 0;
  /** Nothing expires before; so that it need not be asked for. */
  #firstExpiry = -Infinity;
  #isChanging = false;
  /** Queues are among what is changing. */
  #hasQueues = false;

  constructor(file: OpenFile) {
    this.#file = file;
    this.#sql = prepareStatements(file.db);
    this.#weights = new SqliteWeights(file.db);
    this.#ids = new SqliteIds(file.db);
    this.#records = new SqliteRecords(file.db);
    this.queues = new SqliteQueues(file.db, () => {
      this.#begin();
      this.#hasQueues = true;
    });
    // Who had it open before may have been killed.
    for (const { number } of this.#sql.owing.iterate()) this.#owing.add(Number(number));
    if (this.#owing.size > 0) this.#owed = Infinity;
  }

  *load(): Iterable<KeptChannel> {
    this.#entries = new Map();
    this.#lastUse = lastUse(this.#file.db);
    for (const row of this.#sql.loadChannels.all() as unknown as ChannelRow[]) {
      const { number, used: _, id_bytes: idBytes, ...channel } = row;
      this.#entries.set(channel.name, { number, isSaved: true, stored: channel.bytes });
      this.#lastNumber = Math.max(this.#lastNumber, number);
      yield { ...channel, idBytes };
    }
  }

  append(channel: Channel, publication: Publication, bytes: number, expires: number | undefined): void {
    this.#begin();
    const entry = this.#entry(channel);
    const { number } = entry;
    const { offset, time } = publication;
    entry.stored += bytes;
    this.#sql.insert.run(number, offset, time, ...encodeRow(publication), expires ?? null, bytes);
    this.#weights.append(number, offset, { time, bytes });
    if (expires !== undefined) this.#firstExpiry = Math.min(this.#firstExpiry, expires);
  }

  save(channel: Channel): void {
    this.#begin();
    const entry = this.#entry(channel);
    const { name, epoch, offset, first, bytes, idBytes } = channel;
    if (entry.stored > bytes) {
      this.#owing.add(entry.number);
      this.#owed += entry.stored - bytes;
    }
    this.#sql.saveChannel.run(entry.number, name, epoch, offset, first, bytes, idBytes, ++this.#lastUse);
    entry.stored = bytes;
    entry.isSaved = true;
  }

  forget(channel: Channel): void {
    const entry = this.#entries.get(channel.name);
    this.#entries.delete(channel.name);
    if (!entry || !entry.isSaved && channel.offset === 0) return;
    this.#begin();
    this.#weights.forget(entry.number);
    this.#ids.dropAll(entry.number);
    this.#sql.clear.run(entry.number);
    this.#sql.forgetChannel.run(entry.number);
  }

  weigh(channel: Channel, offset: number): Weight {
    return this.#weights.weigh(this.#entry(channel).number, offset);
  }

  /** In slices, as nobody knows beforehand how many are within the limit. */
  read(channel: Channel, first: number, limit: PageLimit, now: number): Publication[] {
    const { count = Infinity, bytes = Infinity } = limit;
    const { number } = this.#entry(channel);
    const slice = bytes === Infinity ? Infinity : SLICE;
    const page: Publication[] = [];
    for (let size = 0; page.length < count;) {
      const most = Math.min(slice, count - page.length);
      const rows = this.#sql.page.all(number, first + page.length, most === Infinity ? -1 : most) as unknown as Row[];
      for (const publication of decodeRows(channel.name, channel.epoch, rows, now)) {
        size += sizeOf(publication);
        if (size > bytes && page.length > 0) return page;
        page.push(publication);
      }
      if (rows.length < most) break;
    }
    return page;
  }

  *expire(now: number, most: number): Iterable<Freed & { offset: number }> {
    if (this.#firstExpiry > now) return;
    const rows = this.#sql.expired.all(now, most) as unknown as (Freed & { number: number; offset: number })[];
    for (const { number, name, offset, bytes } of rows) {
      this.#begin();
      this.#sql.blank.run(...PLACE, MESSAGE_OVERHEAD, number, offset);
      this.#weights.forget(number);
      const entry = this.#entries.get(name);
      if (entry) entry.stored -= bytes - MESSAGE_OVERHEAD;
      yield { name, offset, bytes: bytes - MESSAGE_OVERHEAD };
    }
    this.#firstExpiry = (this.#sql.firstExpiry.get() as { expires: number | null }).expires ?? Infinity;
  }

  findId(channel: Channel, publisher: string, id: string): KnownId | undefined {
    return this.#ids.find(this.#entry(channel).number, publisher, id);
  }

  addId(channel: Channel, known: KnownId): void {
    this.#begin();
    this.#ids.add(this.#entry(channel).number, known);
  }

  dropId(channel: Channel, known: KnownId): void {
    this.#begin();
    this.#ids.drop(this.#entry(channel).number, known);
  }

  expireIds(time: number, most: number): Iterable<Freed> {
    return this.#ids.expire(time, most, () => this.#begin());
  }

  records(prefix: string): Map<string, string> {
    return this.#records.find(prefix);
  }

  changeRecord(change: RecordChange): void {
    this.#begin();
    this.#records.change(change);
  }

  commit(): void {
    if (this.#owed > OWED) this.#settle();
    if (!this.#isChanging) return;
    if (this.#hasQueues) this.queues.note(++this.#lastUse);
    this.#sql.commit.run();
    this.#isChanging = this.#hasQueues = false;
    this.#file.note(this.#lastUse);
    if (this.#owed <= OWED) return;
    this.#owing.clear();
    this.#owed = 0;
  }

  rollback(): void {
    this.#isChanging = this.#hasQueues = false;
    this.#firstExpiry = -Infinity;
    // What makes room is done first.
    this.#owed = Infinity;
    this.#weights.clear();
    this.#ids.reset();
    try {
      this.#sql.rollback.run();
    } catch {
      // SQLite has done so itself.
    }
  }

  close(): void {
    try {
      this.#settle();
      this.commit();
    } catch {
      // It goes with what comes after it.
    }
    this.#file.close();
  }

  #settle(): void {
    for (const number of this.#owing) {
      this.#begin();
      this.#sql.trim.run(number, number);
    }
  }

  #begin(): void {
    if (this.#isChanging) return;
    this.#sql.begin.run();
    this.#isChanging = true;
  }

  #entry({ name }: Channel): Entry {
    let entry = this.#entries.get(name);
    if (!entry) {
      entry = { number: ++this.#lastNumber, isSaved: false, stored: 0 };
      this.#entries.set(name, entry);
    }
    return entry;
  }
}
