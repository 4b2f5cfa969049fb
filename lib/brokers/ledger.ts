/**
 * The broker of one process, over whatever stores what it counts.
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import { Budget } from "../budget.ts";
import { byteLength } from "../bytes.ts";
import { GongError } from "../errors.ts";
import { compileHistory, type HistorySettings } from "../channel_rules.ts";
import type {
  Announce,
  Broker,
  BrokerCapabilities,
  Draft,
  History,
  PageLimit,
  PublishOptions,
  PublishResult,
  QueuedMessage,
  RecordChange,
  Settling,
  Start,
} from "../types.ts";
import { Accounts } from "./ledger/accounts.ts";
import { firstFresh } from "./ledger/bounds.ts";
import { type Numbered, Numbering } from "./ledger/numbering.ts";
import { QueueChange } from "./ledger/queue_change.ts";
import { QueueBook, type QueueLimits } from "./ledger/queue_book.ts";
import type { Channel, Store } from "./ledger/store.ts";

/** Bounds of what is kept, and what a test replaces. */
export interface LedgerOptions extends Partial<HistorySettings>, Partial<QueueLimits> {
  /** Bytes of publications and ids kept over all channels. Default 64 MiB. */
  readonly historyBudget?: number;
  /** The same, shared with others. */
  readonly budget?: Budget;
  /** Channels known at once; past it an idle one is forgotten. Default 100,000. */
  readonly maxChannels?: number;
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
  /** A new random epoch. */
  readonly newEpoch?: () => string;
  /** How long nothing is tried after the store failed, in milliseconds. Default 1,000. */
  readonly pause?: number;
  /** Called with what kept the store from storing. */
  readonly onFault?: (error: unknown) => void;
}

/** When what was only opened is saved at the latest, in milliseconds. */
const SAVE = 100;

/** Bytes of a record's key. */
const MAX_KEY = 256;

/** How much that is too old is looked at in one go. */
const MANY = 10_000;

const NONE: ReadonlySet<Channel> = new Set();

/** 16 digits of base 16: a channel has one, and there are as many channels as users. */
export function randomEpoch(): string {
  return randomBytes(8).toString("hex");
}

/** @throws {GongError} `bad_request` for a key that is not 1 to 256 bytes of a text without control characters */
export function checkKeys(changes: readonly RecordChange[]): void {
  for (const { key } of changes) {
    // With half a character, two keys would be one in UTF-8.
    if (key !== "" && byteLength(key) <= MAX_KEY && !/[\p{Cc}\p{Cs}]/u.test(key)) continue;
    throw new GongError(
      "bad_request",
      `The key of a record has to be 1 to ${MAX_KEY} bytes without control characters.`,
    );
  }
}

/** Serves its calls one after the other, each to its end, over a {@linkcode Store}. */
export class Ledger implements Broker {
  readonly capabilities: BrokerCapabilities;
  readonly #store: Store;
  readonly #announce: Announce;
  readonly #accounts: Accounts;
  readonly #queues: QueueBook;
  readonly #now: () => number;
  readonly #pause: number;
  readonly #onFault: (error: unknown) => void;
  /** The store failed: nothing is tried before then, by `performance.now()`. */
  #resumes = -Infinity;
  #hasFailed = false;
  /** The accounts are not those of the store. */
  #isStale = false;
  #isClosed = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(store: Store, announce: Announce, capabilities: BrokerCapabilities, options: LedgerOptions = {}) {
    const { rule = [], historyCount = 1000, historyBytes = 1 << 20, historyAge = 600 } = options;
    const { budget = new Budget(options.historyBudget ?? 64 << 20), maxChannels = 100_000 } = options;
    const { queueCount = 100_000, queueBytes = 16 << 20, queueBudget = 64 << 20, maxQueues = 1000 } = options;
    const { now = Date.now, newEpoch = randomEpoch, pause = 1000, onFault = () => {} } = options;
    const limitsOf = compileHistory({ rule, historyCount, historyBytes, historyAge });
    this.capabilities = capabilities;
    this.#store = store;
    this.#announce = announce;
    this.#accounts = new Accounts(store, { limitsOf, maxChannels, budget, newEpoch });
    this.#queues = new QueueBook(store.queues, { queueCount, queueBytes, queueBudget, maxQueues }, newEpoch);
    this.#now = now;
    this.#pause = pause;
    this.#onFault = onFault;
    this.#accounts.load();
    this.#attempt(() => this.#accounts.tighten(now()));
  }

  // deno-lint-ignore require-await -- so that a throw becomes a rejection
  async publish(drafts: readonly Draft[], options: PublishOptions = {}): Promise<PublishResult[]> {
    const { records = [], settled = [] } = options;
    if (drafts.length === 0) {
      // No result could say that it was refused.
      if (records.length + settled.length > 0) this.#conclude(settled, records);
      return [];
    }
    let numbered: Numbered;
    try {
      this.#checkRecords(records);
      numbered = this.#changeQueues((queues, now) => this.#number(drafts, options, queues, now));
    } catch (error) {
      const refusal = GongError.from(error).toRefusal();
      return drafts.map(() => ({ error: refusal }));
    }
    if (numbered.publications.length > 0) this.#announce(numbered.publications);
    return numbered.results;
  }

  // deno-lint-ignore require-await
  async read(name: string, start?: Start, limit: PageLimit = {}): Promise<History> {
    const now = this.#now();
    if (start) this.#tidy(this.#open(name), now);
    const channel = this.#open(name);
    const { epoch, offset } = channel;
    const top = { epoch, offset };
    if (!start) return { top, publications: [], recovered: true };
    const first = firstFresh(this.#store, channel, now);
    const from = "last" in start ? Math.max(first, offset - start.last + 1) : start.offset + 1;
    if (!("last" in start) && (start.epoch !== epoch || from < first || from > offset + 1)) {
      return { top, publications: [], recovered: false };
    }
    const publications = from > offset ? [] : this.#store.read(channel, from, limit, now);
    const history = { top, publications, recovered: true };
    return "last" in start ? { ...history, from: { epoch, offset: from - 1 } } : history;
  }

  // deno-lint-ignore require-await
  async subscribe(name: string): Promise<void> {
    this.#accounts.host(this.#open(name));
  }

  // deno-lint-ignore require-await
  async unsubscribe(name: string): Promise<void> {
    const channel = this.#accounts.find(name);
    if (channel?.hosted) this.#accounts.unhost(channel);
  }

  // deno-lint-ignore require-await
  async claim(queue: string, limit: PageLimit): Promise<QueuedMessage[]> {
    if (this.#isStale || this.#isClosed) this.#change(() => {});
    const messages = this.#queues.claim(queue, limit, this.#now());
    // Whoever claims is answered in any case: what is not gone from the store now goes with the next change.
    if (this.#queues.hasDropped) this.#attempt(() => this.#changeQueues(() => {}));
    return messages;
  }

  // deno-lint-ignore require-await
  async settle(settlings: readonly Settling[]): Promise<void> {
    if (this.#isClosed || settlings.some(({ as }) => as === "done")) {
      return this.#changeQueues((queues) => queues.settle(settlings));
    }
    // The store knows of no claims: this can be done while it cannot store anything.
    const change = new QueueChange(this.#queues, this.#now());
    change.settle(settlings);
    change.apply();
  }

  // deno-lint-ignore require-await
  async records(prefix: string): Promise<ReadonlyMap<string, string>> {
    if (this.#isStale || this.#isClosed) this.#change(() => {});
    return this.#store.records(prefix);
  }

  // deno-lint-ignore require-await
  async record(changes: readonly RecordChange[]): Promise<void> {
    this.#checkRecords(changes);
    this.#change(() => this.#record(changes));
  }

  stats(): ReturnType<Broker["stats"]> {
    return { ...this.#accounts.stats(), queues: this.#queues.stats() };
  }

  // deno-lint-ignore require-await
  async close(): Promise<void> {
    if (this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#attempt(() => {});
    this.#isClosed = true;
    this.#store.close();
  }

  /** Records change and messages are settled only when all drafts are taken. */
  #number(drafts: readonly Draft[], options: PublishOptions, queues: QueueChange, now: number): Numbered {
    const { records = [], settled = [] } = options;
    const atomic = options.atomic || records.length + settled.length > 0;
    queues.settle(settled);
    const numbered = new Numbering(this.#accounts, this.#store, queues, now).number(drafts, atomic);
    if (!atomic) return numbered;
    if ("error" in numbered.results[0]!) queues.discard();
    else this.#record(records);
    return numbered;
  }

  #conclude(settled: readonly Settling[], records: readonly RecordChange[]): void {
    this.#checkRecords(records);
    this.#changeQueues((queues) => {
      queues.settle(settled);
      this.#record(records);
    });
  }

  /** Before anything is changed. @throws {GongError} `conflict` where one is not as it has to be */
  #checkRecords(changes: readonly RecordChange[]): void {
    checkKeys(changes);
    for (const { key, isNew, was } of changes) {
      if (!isNew && was === undefined) continue;
      if (this.#isStale || this.#isClosed) this.#change(() => {});
      if (this.#store.records(key).get(key) !== was) throw new GongError("conflict", "A record is not as it was.");
    }
  }

  #record(changes: readonly RecordChange[]): void {
    for (const change of changes) this.#store.changeRecord(change);
  }

  /** A new channel is saved a little later or with the next change: it has nothing yet but its epoch. */
  #open(name: string): Channel {
    if (this.#isStale || this.#isClosed) this.#change(() => {});
    const known = this.#accounts.find(name);
    if (known) return known;
    const open = () => this.#accounts.open(name, NONE);
    const channel = this.#accounts.isFull ? this.#change(open) : open();
    if (!channel) throw new GongError("overloaded", "There are too many channels.", { retryAfter: 60 });
    if (this.#store.isLasting) this.#saveSoon();
    return channel;
  }

  /** Gives back what is too old, if the store can. Who reads is answered in any case. */
  #tidy(channel: Channel, now: number): void {
    this.#attempt(() => {
      // What a lasting store reads has expired, whether it is a place already or not: the rest has time.
      while (this.#accounts.expire(now, MANY) === MANY && !this.#store.isLasting);
      this.#accounts.dropAged(channel, now);
    });
  }

  #saveSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#attempt(() => {});
    }, SAVE);
  }

  #attempt(change: () => void): void {
    try {
      this.#change(change);
    } catch (error) {
      if (!(error instanceof GongError)) throw error;
    }
  }

  /**
   * Changes the accounts and the store, both or neither.
   *
   * @throws {GongError} `overloaded` when the store cannot
   */
  #change<T>(change: () => T): T {
    if (this.#isClosed) throw new GongError("going_away");
    if (performance.now() < this.#resumes) throw this.#unstored();
    if (this.#isStale) this.#takeOver();
    // Where there was no room, first what is too old goes, by itself.
    if (this.#hasFailed) this.#commit(() => void this.#accounts.sweep(this.#now(), MANY));
    this.#hasFailed = false;
    return this.#commit(change);
  }

  /** Changes queues too: they have changed when the store has. */
  #changeQueues<T>(change: (queues: QueueChange, now: number) => T): T {
    const now = this.#now();
    const queues = new QueueChange(this.#queues, now);
    const result = this.#change(() => {
      const result = change(queues, now);
      queues.write();
      return result;
    });
    queues.apply();
    return result;
  }

  #commit<T>(change: () => T): T {
    try {
      const result = change();
      this.#accounts.save();
      this.#store.commit();
      return result;
    } catch (error) {
      if (!this.#store.isLasting) throw error;
      this.#fail(error);
      this.#isStale = true;
      this.#takeOver();
      throw this.#unstored(error);
    }
  }

  /** Nothing of what has failed counts, in the accounts neither. */
  #takeOver(): void {
    try {
      this.#store.rollback();
      this.#accounts.load();
      this.#isStale = false;
    } catch (error) {
      this.#fail(error);
      throw this.#unstored(error);
    }
  }

  #fail(error: unknown): void {
    this.#hasFailed = true;
    this.#resumes = performance.now() + this.#pause;
    this.#onFault(error);
  }

  #unstored(cause?: unknown): GongError {
    const retryAfter = Math.max(1, this.#pause / 1000);
    return new GongError("overloaded", "Nothing can be stored now.", { retryAfter, cause });
  }
}
