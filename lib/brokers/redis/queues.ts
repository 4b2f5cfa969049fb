/**
 * Queues in Redis: in one book, or where not all keys are at one server in several, each with some of the queues.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import { GongError } from "../../errors.ts";
import type { PageLimit, QueuedMessage, Refusal, Settling } from "../../types.ts";
import type { QueueLimits } from "../ledger/queue_book.ts";
import type { RedisConnection } from "./connection.ts";
import { type QueueBookOptions, type QueueTotals, RedisQueueBook } from "./queue_book.ts";
import { slotOf } from "./slot.ts";

/** What {@linkcode RedisQueues} are made of. */
export interface RedisQueuesOptions extends Pick<QueueBookOptions, "newEpoch" | "onQueued" | "onFault" | "lease"> {
  readonly connection: Pick<RedisConnection, "call" | "subscribe" | "prefix" | "isCluster">;
  /** Of all of them. Where there are several books, what nodes put into others at the same moment is not known. */
  readonly limits: QueueLimits;
}

/** Books in a cluster. Another number is another place for most queues. */
const BOOKS = 16;

/** All queues. */
export class RedisQueues {
  readonly #books: readonly RedisQueueBook[];

  constructor({ limits, connection, ...options }: RedisQueuesOptions) {
    const { prefix, isCluster } = connection;
    const names = isCluster ? Array.from({ length: BOOKS }, (_, number) => `$queues:${number}`) : ["$queues"];
    const owner = crypto.randomUUID();
    this.#books = names.map((name): RedisQueueBook => {
      const book: RedisQueueBook = new RedisQueueBook({
        ...options,
        ...{ connection, owner, key: `${prefix}{${name}}` },
        limits: (): QueueLimits => this.#left(limits, book),
      });
      return book;
    });
  }

  /** What all queues hold, as Redis said it last. */
  get totals(): QueueTotals {
    return sum(this.#books);
  }

  /** The book that the queue is in. */
  bookOf(queue: string): RedisQueueBook {
    return this.#books[slotOf(queue) % this.#books.length]!;
  }

  /** @throws {GongError} `overloaded` */
  async start(): Promise<void> {
    await Promise.all(this.#books.map((book) => book.start()));
  }

  /** As {@linkcode RedisQueueBook.look}. */
  look(): void {
    for (const book of this.#books) book.look();
  }

  /** As {@linkcode RedisQueueBook.claim}. @throws {GongError} `overloaded` */
  async claim(queue: string, limit: PageLimit): Promise<QueuedMessage[]> {
    return await this.bookOf(queue).claim(queue, limit);
  }

  /** As {@linkcode Broker.settle}, each book by itself: to settle again is of no harm. @throws {GongError} `overloaded` */
  async settle(settlings: readonly Settling[]): Promise<void> {
    const outcomes = await Promise.allSettled(this.#byBook(settlings).map(([book, own]) => book.settle(own)));
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  }

  /** As {@linkcode RedisQueueBook.settled}. */
  settled(settlings: readonly Settling[]): void {
    for (const [book, own] of this.#byBook(settlings)) book.settled(own);
  }

  /** As {@linkcode RedisQueueBook.release}. */
  async release(): Promise<void> {
    await Promise.all(this.#books.map((book) => book.release()));
  }

  close(): void {
    for (const book of this.#books) book.close();
  }

  #byBook(settlings: readonly Settling[]): [RedisQueueBook, Settling[]][] {
    return [...Map.groupBy(settlings, ({ queue }) => this.bookOf(queue))];
  }

  /** What is left for a book of what all of them may have. */
  #left({ queueBudget, maxQueues, ...limits }: QueueLimits, book: RedisQueueBook): QueueLimits {
    const { bytes, queues } = sum(this.#books.filter((other) => other !== book));
    return { ...limits, queueBudget: Math.max(0, queueBudget - bytes), maxQueues: Math.max(0, maxQueues - queues) };
  }
}

/** What `publish` has said of a draft for a queue. */
export function refusalOf(reply: Buffer): Refusal {
  const [why, name] = reply.toString().split(" ");
  if (why === "many") {
    return new GongError("overloaded", "There are too many queues.", { retryAfter: 60 }).toRefusal();
  }
  const message = why === "full" ? `The queue ${name} is full.` : "There is no room for more in queues.";
  return new GongError("overloaded", message, { retryAfter: 5 }).toRefusal();
}

function sum(books: readonly RedisQueueBook[]): QueueTotals {
  const all = { queues: 0, messages: 0, bytes: 0, claimed: 0 };
  for (const { totals } of books) {
    all.queues += totals.queues;
    all.messages += totals.messages;
    all.bytes += totals.bytes;
    all.claimed += totals.claimed;
  }
  return all;
}
