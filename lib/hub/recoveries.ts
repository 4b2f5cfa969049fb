/**
 * What clients whose connections drop go on with: by a secret of theirs, as long as their session is there and for a while
 * after it.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { byteLength } from "../bytes.ts";
import { Deadlines } from "../deadlines.ts";
import { GongError } from "../errors.ts";
import type { Logger } from "../log.ts";
import { Multimap } from "../multimap.ts";
import { startTimer, type Timer } from "../timer.ts";
import type { Turn } from "../turn.ts";
import type { Broker, Keepsakes, RecordChange, Recovery } from "../types.ts";

/** What {@linkcode Recoveries} are made of. */
export interface RecoveriesOptions {
  readonly broker: Pick<Broker, "record" | "records">;
  /** What is left to other nodes at the end. Default: there are none. */
  readonly keepsakes?: Keepsakes | undefined;
  /** The isolate's. */
  readonly turn: Turn;
  readonly log: Pick<Logger, "error">;
  /** How long something is kept after its session, in seconds; with 0 nothing is kept at all. */
  readonly seconds: number;
  /** How many there may be. */
  readonly most: number;
  /** And of one address, which has as large a part of the bytes. Default: all. */
  readonly mostOfAddress?: number;
  /** Whether the session is there. */
  readonly isThere: (session: string) => boolean;
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
  /** Default `setTimeout`. */
  readonly timer?: Timer;
}

const NOTHING: Readonly<Share> = { count: 0, bytes: 0 };
const PREFIX = "recovery/";
/** Bytes of one, and of all of them. */
const MOST_OF_ONE = 16 * 2 ** 10;
const MOST_BYTES = 64 * 2 ** 20;
/** What an address may always have, in bytes. */
const LEAST_SHARE = 2 ** 20;
/** How long those that are due may wait so that several go at once, in milliseconds; those that did not fit in, shortly. */
const GRAIN = 1000;
const SHORTLY = 10;
/** Those that go at once. */
const MOST_AT_ONCE = 1000;

/** One of them, its text as the broker has it. */
interface Entry {
  readonly key: string;
  readonly value: string;
  readonly session: string;
  /** Whence it came; of what is from before a restart nobody knows. */
  readonly address: string | undefined;
  /** When it goes, in milliseconds since 1970; undefined as long as its session is there. */
  due: number | undefined;
}

interface Wake {
  readonly entry: Entry;
  readonly due: number;
}

/** What one address has of them. */
interface Share {
  count: number;
  bytes: number;
}

/** What is to be changed: without an address, what needs no room. */
interface Wish extends RecordChange {
  readonly session: string;
  readonly address?: string | undefined;
}

/** A change that waits for the end of the turn. */
interface Change extends Wish {
  readonly done: PromiseWithResolvers<void>;
}

/**
 * All of them, the same in memory as in the broker's records: changes come one after the other, those of a turn at once.
 * The records do not tell the secrets. After a restart everything is kept for the whole time.
 */
export class Recoveries {
  readonly #options: RecoveriesOptions;
  readonly #now: () => number;
  readonly #entries = new Map<string, Entry>();
  readonly #bySession = new Multimap<string, Entry>();
  readonly #byAddress = new Map<string, Share>();
  readonly #wakes = new Deadlines<Wake>(({ entry, due }) => this.#isDue(entry, due));
  #changes: Change[] = [];
  #last: Promise<void>;
  /** Resolves when what is there was left to others. */
  #left: Promise<void> | undefined;
  #bytes = 0;
  #stopTimer: (() => void) | undefined;
  #closed = false;

  constructor(options: RecoveriesOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#last = this.#load().catch((error) => this.#fault(error));
  }

  get size(): number {
    return this.#entries.size;
  }

  /** What they take, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Keeps it in the place of what was there. Resolves when it is stored.
   *
   * @param address of the client: nobody may take the room of all others
   * @throws {GongError} `overloaded` when it cannot be
   */
  async remember(pid: string, recovery: Recovery, address?: string): Promise<void> {
    const value = JSON.stringify(recovery);
    if (this.#options.seconds === 0 || this.#closed || byteLength(value) > MOST_OF_ONE) {
      throw new GongError("overloaded");
    }
    await this.#change({ key: keyOf(pid), value, session: recovery.session, address });
  }

  /** What is kept, as soon as what was said of it before is stored. */
  async find(pid: string): Promise<Recovery | undefined> {
    await this.#settled();
    const entry = this.#entries.get(keyOf(pid));
    if (!entry || entry.due !== undefined && entry.due <= this.#now()) return undefined;
    return JSON.parse(entry.value);
  }

  /** What is kept under the secret is another node's from now on, if it is this user's and its session is no more. */
  async take(pid: string, user: string | undefined): Promise<Recovery | undefined> {
    // What a node that ends leaves behind is looked for there, as soon as it is there.
    if (this.#closed) return void await this.#left;
    const found = await this.find(pid);
    // It may be among that by now.
    if (this.#closed) return void await this.#left;
    const key = keyOf(pid);
    // Whoever has waited for the same gets nothing.
    if (!found || found.user !== user || !this.#entries.has(key) || this.#options.isThere(found.session)) {
      return undefined;
    }
    this.#drop(key);
    this.forget(pid);
    return found;
  }

  /** Nothing is to be gone on with. */
  forget(pid: string): void {
    const key = keyOf(pid);
    this.#change({ key, session: "" }).catch(() => this.#expire(this.#entries.get(key), GRAIN));
  }

  /** The session is there again. */
  returned(session: string): void {
    for (const entry of this.#bySession.get(session)) entry.due = undefined;
  }

  /** The session is no more: what is its own is kept for a while. */
  left(session: string): void {
    for (const entry of this.#bySession.get(session)) this.#expire(entry, this.#options.seconds * 1000);
  }

  /** What is kept is left to other nodes, where there are any. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#stopTimer?.();
    this.#left = this.#settled().then(() => this.#leave());
    await this.#left;
  }

  async #leave(): Promise<void> {
    const { keepsakes, seconds } = this.#options;
    if (!keepsakes) return;
    const now = this.#now();
    const left = Array.from(this.#entries.values(), ({ key, value, due = now + seconds * 1000 }) => {
      return { key: keepsakeOf(key, JSON.parse(value).user), value, seconds: (due - now) / 1000 };
    });
    await keepsakes.keep(left.filter(({ seconds }) => seconds > 0)).catch((error) => this.#fault(error));
  }

  /**
   * What another node has given: kept here, or, where this one ends too, left to others.
   *
   * @throws {GongError} `overloaded` when it cannot be; `going_away` when it was left
   */
  async receive(pid: string, recovery: Recovery, address: string): Promise<void> {
    const { keepsakes, seconds } = this.#options;
    if (!this.#closed || !keepsakes) return await this.remember(pid, recovery, address);
    const key = keepsakeOf(keyOf(pid), recovery.user);
    await keepsakes.keep([{ key, value: JSON.stringify(recovery), seconds }]);
    throw new GongError("going_away");
  }

  /** What a node that has ended has left of it. @throws {GongError} `overloaded` */
  async inherit(pid: string, user: string | undefined): Promise<Recovery | undefined> {
    const value = await this.#options.keepsakes?.take(keepsakeOf(keyOf(pid), user));
    return value === undefined ? undefined : JSON.parse(value);
  }

  /** Resolves when everything that was said until now is stored. */
  async #settled(): Promise<void> {
    const { done } = this.#changes.at(-1) ?? {};
    await done?.promise.catch(() => {});
    await this.#last;
  }

  #change(change: Wish): Promise<void> {
    const done = Promise.withResolvers<void>();
    if (this.#changes.push({ ...change, done }) === 1) this.#options.turn.end(() => this.#flush());
    return done.promise;
  }

  #flush(): void {
    const changes = this.#changes;
    this.#changes = [];
    this.#last = this.#last.then(() => this.#store(changes));
  }

  async #store(all: readonly Change[]): Promise<void> {
    const changes = this.#bound(all);
    if (changes.length === 0) return;
    try {
      await this.#options.broker.record(
        changes.map(({ key, value }) => value === undefined ? { key } : { key, value }),
      );
    } catch (error) {
      this.#fault(error);
      const refusal = new GongError("overloaded", undefined, { cause: error });
      for (const { done } of changes) done.reject(refusal);
      return;
    }
    for (const { key, value, session, address, done } of changes) {
      this.#drop(key);
      if (value !== undefined) this.#put(key, value, session, address);
      done.resolve();
    }
  }

  /** Refuses those for which there is no room. */
  #bound(changes: readonly Change[]): Change[] {
    let [count, bytes] = [this.#entries.size, this.#bytes];
    const sizes = new Map<string, number>();
    const shares = new Map<string, Share>();
    return changes.filter(({ key, value = "", address, done }) => {
      const before = sizes.get(key) ?? sizeOf(this.#entries.get(key)?.value);
      const more = sizeOf(value) - before;
      const isNew = before === 0 && more > 0;
      if (more > 0 && bytes + more > MOST_BYTES || isNew && count >= this.#options.most) {
        done.reject(new GongError("overloaded", "Too many connections are remembered."));
        return false;
      }
      if (more > 0 && !this.#hasShare(address, this.#entries.get(key), { count: isNew ? 1 : 0, bytes: more }, shares)) {
        done.reject(new GongError("overloaded", "Too many connections of this address are remembered."));
        return false;
      }
      sizes.set(key, before + more);
      bytes += more;
      count += isNew ? 1 : before > 0 && value === "" ? -1 : 0;
      return true;
    });
  }

  /**
   * Takes it from what the address may have, if it is there.
   *
   * @param taken by changes of the same turn
   */
  #hasShare(address: string | undefined, old: Entry | undefined, more: Share, taken: Map<string, Share>): boolean {
    const { most, mostOfAddress = most } = this.#options;
    if (address === undefined || mostOfAddress >= most) return true;
    const has = taken.get(address) ?? { ...this.#byAddress.get(address) ?? NOTHING };
    // What was another's is its own from now on.
    const isOthers = old !== undefined && old.address !== address;
    const count = has.count + (isOthers ? 1 : more.count);
    const bytes = has.bytes + more.bytes + (isOthers ? sizeOf(old.value) : 0);
    const mostBytes = Math.max(LEAST_SHARE, MOST_BYTES / most * mostOfAddress);
    if (count > mostOfAddress || bytes > mostBytes) return false;
    taken.set(address, { count, bytes });
    return true;
  }

  #account(address: string | undefined, count: 1 | -1, bytes: number): void {
    if (address === undefined) return;
    const share = this.#byAddress.get(address) ?? { ...NOTHING };
    share.count += count;
    share.bytes += bytes;
    if (share.count > 0) this.#byAddress.set(address, share);
    else this.#byAddress.delete(address);
  }

  #put(key: string, value: string, session: string, address: string | undefined): void {
    const entry: Entry = { key, value, session, address, due: undefined };
    this.#account(address, 1, sizeOf(value));
    this.#entries.set(key, entry);
    this.#bySession.add(session, entry);
    this.#bytes += sizeOf(value);
    // It may have gone while this was stored.
    if (!this.#options.isThere(session)) this.#expire(entry, this.#options.seconds * 1000);
  }

  #drop(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    this.#bySession.delete(entry.session, entry);
    this.#account(entry.address, -1, -sizeOf(entry.value));
    this.#bytes -= sizeOf(entry.value);
  }

  #isDue(entry: Entry, due: number): boolean {
    return entry.due === due && this.#entries.get(entry.key) === entry;
  }

  #expire(entry: Entry | undefined, wait: number): void {
    if (!entry) return;
    const due = entry.due = this.#now() + wait;
    this.#wakes.add(due, { entry, due });
    this.#wake();
  }

  /** One timer for all. */
  #wake(): void {
    const { next } = this.#wakes;
    if (next === undefined || this.#closed || this.#stopTimer) return;
    const { timer = startTimer } = this.#options;
    const wait = next - this.#now();
    this.#stopTimer = timer(Math.max(wait < 0 ? SHORTLY : GRAIN, wait), () => {
      this.#stopTimer = undefined;
      this.#sweep();
    });
  }

  #sweep(): void {
    const now = this.#now();
    for (let count = 0, wake; count < MOST_AT_ONCE && (wake = this.#wakes.take(now)); count++) {
      const { entry, due } = wake;
      if (!this.#isDue(entry, due)) continue;
      // What cannot be deleted now is tried again.
      this.#change({ key: entry.key, session: "" }).catch(() => this.#isDue(entry, due) && this.#expire(entry, GRAIN));
    }
    this.#wake();
  }

  /** What a server before this one has kept. */
  async #load(): Promise<void> {
    const { broker, seconds, most } = this.#options;
    for (const [key, value] of await broker.records(PREFIX)) {
      const session = sessionOf(value);
      if (session !== undefined && this.#entries.size < most) this.#put(key, value, session, undefined);
      if (session === undefined || seconds === 0 || !this.#entries.has(key)) {
        this.#change({ key, session: "" }).catch(() => {});
      }
    }
  }

  #fault(error: unknown): void {
    if (error instanceof GongError && error.code === "going_away") return;
    this.#options.log.error("recovery.fault", { error: String(error) });
  }
}

function keyOf(pid: string): string {
  return PREFIX + createHash("sha256").update(pid).digest("base64url");
}

/** It is found by its user alone. */
function keepsakeOf(key: string, user: string | undefined): string {
  return createHash("sha256").update(JSON.stringify([key, user])).digest("base64url");
}

/** The least that a record takes, without its entry here. */
function sizeOf(value: string | undefined): number {
  return value === undefined || value === "" ? 0 : byteLength(value);
}

/** Whose the record is; undefined for what is none. */
function sessionOf(value: string): string | undefined {
  try {
    const { session, state } = JSON.parse(value);
    return typeof session === "string" && typeof state === "string" ? session : undefined;
  } catch {
    return undefined;
  }
}
