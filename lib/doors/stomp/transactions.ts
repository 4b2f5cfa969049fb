/**
 * Transactions of one connection: what waits for its COMMIT.
 *
 * @module
 */
import type { Budget } from "../../budget.ts";
import { MESSAGE_OVERHEAD, sizeOf } from "../../bytes.ts";
import type { StompFrame } from "../../codecs/stomp.ts";
import { GongError } from "../../errors.ts";
import type { Draft, Settlement } from "../../types.ts";
import type { Taken } from "./taken.ts";

/** Open ones. */
const MOST = 16;
/** Frames in one. */
const MOST_FRAMES = 1000;
/** Bytes in all of a connection: so many, or four of the largest messages. */
const BYTES = 2 ** 20;
const MAX_NAME = 128;
/** How long one may be open, in milliseconds: what it holds is taken from others. */
const LONGEST = 60_000;

/** What is to happen in one step. */
export interface Transaction {
  readonly drafts: Draft[];
  readonly settled: { readonly taken: Taken; readonly as: Settlement }[];
  bytes: number;
  /** When it began, by the clock of the connections. */
  readonly since: number;
}

/** What {@linkcode Transactions} need. */
export interface TransactionsOptions {
  readonly maxMessage: number;
  /** Of what all connections of the edge have in theirs. */
  readonly budget: Budget;
  /** Milliseconds; only differences count. */
  readonly now: () => number;
}

/** Those that are open. */
export class Transactions {
  readonly #open = new Map<string, Transaction>();
  readonly #most: number;
  readonly #budget: Budget;
  readonly #now: () => number;
  #bytes = 0;

  constructor({ maxMessage, budget, now }: TransactionsOptions) {
    this.#most = Math.max(BYTES, 4 * maxMessage);
    this.#budget = budget;
    this.#now = now;
  }

  /** Those that are open. */
  get size(): number {
    return this.#open.size;
  }

  /** @throws {GongError} `timeout` when one is open for too long */
  check(): void {
    const [oldest] = this.#open.values();
    if (!oldest || this.#now() - oldest.since < LONGEST) return;
    throw new GongError("timeout", `A transaction may be open for ${LONGEST / 1000} s.`);
  }

  /** @throws {GongError} `conflict`: there is one of that name; `too_many` */
  begin(frame: StompFrame): void {
    const name = nameOf(frame);
    if (this.#open.has(name)) throw new GongError("conflict", "There is a transaction of that name.");
    if (this.#open.size >= MOST) throw new GongError("too_many", `At most ${MOST} transactions may be open.`);
    this.#open.set(name, { drafts: [], settled: [], bytes: 0, since: this.#now() });
  }

  /** The one that the frame belongs to, if it names one. @throws {GongError} `not_found` */
  of(frame: StompFrame): Transaction | undefined {
    return frame.headers.has("transaction") ? this.#get(nameOf(frame)) : undefined;
  }

  /** @throws {GongError} `too_large`, `overloaded` */
  publish(transaction: Transaction, draft: Draft): void {
    this.#take(transaction, sizeOf(draft));
    transaction.drafts.push(draft);
  }

  /** @throws {GongError} as {@linkcode publish} */
  settle(transaction: Transaction, taken: Taken, as: Settlement): void {
    this.#take(transaction, MESSAGE_OVERHEAD);
    transaction.settled.push({ taken, as });
  }

  /** It is no more. @throws {GongError} `not_found`; `bad_request`: the frame names none */
  end(frame: StompFrame): Transaction {
    const name = nameOf(frame);
    const transaction = this.#get(name);
    this.#open.delete(name);
    this.#give(transaction.bytes);
    return transaction;
  }

  /** The connection is gone. */
  clear(): void {
    this.#open.clear();
    this.#give(this.#bytes);
  }

  #get(name: string): Transaction {
    const transaction = this.#open.get(name);
    if (transaction) return transaction;
    throw new GongError("not_found", "There is no transaction of that name.");
  }

  #take(transaction: Transaction, bytes: number): void {
    if (transaction.drafts.length + transaction.settled.length >= MOST_FRAMES) {
      throw new GongError("too_large", `A transaction may have at most ${MOST_FRAMES} frames.`);
    }
    if (this.#bytes + bytes > this.#most) {
      throw new GongError("too_large", `Transactions may have at most ${this.#most} bytes in all.`);
    }
    if (!this.#budget.hasRoomFor(bytes)) {
      throw new GongError("overloaded", "Too much waits in transactions.", { retryAfter: 1 });
    }
    transaction.bytes += bytes;
    this.#bytes += bytes;
    this.#budget.take(bytes);
  }

  #give(bytes: number): void {
    this.#bytes -= bytes;
    this.#budget.give(bytes);
  }
}

function nameOf({ command, headers }: StompFrame): string {
  const name = headers.get("transaction");
  if (name === undefined || name === "") {
    throw new GongError("bad_request", `${command} needs the header \`transaction\`.`);
  }
  if (name.length <= MAX_NAME) return name;
  throw new GongError("bad_request", `\`transaction\` may have at most ${MAX_NAME} characters.`);
}
