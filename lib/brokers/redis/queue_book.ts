/**
 * Queues in Redis, as this node knows them.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import { GongError } from "../../errors.ts";
import type { PageLimit, QueuedMessage, Refusal, Settling } from "../../types.ts";
import type { QueueLimits } from "../ledger/queue_book.ts";
import type { RedisConnection, Reply } from "./connection.ts";
import { decodePayload } from "./payload.ts";

/** What {@linkcode RedisQueues} are made of. */
export interface RedisQueuesOptions {
  readonly connection: Pick<RedisConnection, "call" | "subscribe" | "prefix">;
  readonly limits: QueueLimits;
  readonly newEpoch: () => string;
  /** There may be something in these queues. */
  readonly onQueued: (queues: readonly string[]) => void;
  /** Something in Redis is not what it should be. */
  readonly onFault: (error: unknown) => void;
  /**
   * How long this node may be silent before what it has claimed goes to others, in seconds. Default 10. A third of it is how
   * often queues are looked at.
   */
  readonly lease?: number;
}

const LEASE = 10;
/** What is claimed in one call: Redis does nothing else meanwhile. */
const MOST: Required<PageLimit> = { count: 1000, bytes: 4 << 20 };

type Totals = ReturnType<RedisQueues["told"]>;
type Claimed = readonly [offset: number, time: number, redelivered: number, payload: Buffer];

/**
 * Claims are those of an owner, which is this start of this node. When its lease is over they go to others, and what
 * it settles of them later is passed over.
 */
export class RedisQueues {
  readonly #options: RedisQueuesOptions;
  readonly #owner = crypto.randomUUID();
  readonly #lease: number;
  /** What is known to be this node's. */
  readonly #held = new Map<string, Set<number>>();
  /** Claims of one queue come one after the other. */
  readonly #claiming = new Map<string, Promise<unknown>>();
  /** Queues of which something may have been claimed that nobody knows of. */
  readonly #uncertain = new Set<string>();
  /** The claims from this one on count. */
  #generation = 1;
  #keeping: Promise<void> | undefined;
  #listening: Promise<void> | undefined;
  /** It needs a lease from then on. */
  #hasClaimed = false;
  #looking: ReturnType<typeof setInterval> | undefined;
  #totals = { queues: 0, messages: 0, bytes: 0, claimed: 0 };

  constructor(options: RedisQueuesOptions) {
    this.#options = options;
    this.#lease = Math.ceil((options.lease ?? LEASE) * 1000);
  }

  /** The key of the book. */
  get key(): string {
    return `${this.#options.connection.prefix}{$queues}`;
  }

  /** What all queues hold, as Redis said it last. */
  get totals(): Totals {
    return this.#totals;
  }

  /** @throws {GongError} `overloaded` */
  async start(): Promise<void> {
    await this.#look();
    this.#looking = setInterval(() => this.look(), this.#lease / 3);
  }

  /** What nobody has said of queues is found, and so is what nodes had that are no more. */
  look(): void {
    // It is done again after a while.
    this.#look().catch(() => {});
  }

  /** As {@linkcode Broker.claim}, and not more than Redis gives at once. @throws {GongError} `overloaded` */
  claim(queue: string, { count = Infinity, bytes = Infinity }: PageLimit): Promise<QueuedMessage[]> {
    const before = this.#claiming.get(queue) ?? Promise.resolve();
    const claimed = before.catch(() => {}).then(async () => {
      if (count < 1) return [];
      await this.#listen();
      await this.#keep();
      return await this.#claim(queue, { count: Math.min(count, MOST.count), bytes: Math.min(bytes, MOST.bytes) });
    });
    this.#claiming.set(queue, claimed);
    const forget = () => {
      if (this.#claiming.get(queue) === claimed) this.#claiming.delete(queue);
    };
    claimed.then(forget, forget);
    return claimed;
  }

  /** As {@linkcode Broker.settle}. @throws {GongError} `overloaded` */
  async settle(settlings: readonly Settling[]): Promise<void> {
    const args = toSettlingArguments(settlings);
    if (args.length === 0) return;
    this.told(await this.#call("settle", args));
    this.settled(settlings);
  }

  /** That is done, by `publish`. */
  settled(settlings: readonly Settling[]): void {
    for (const { queue, offsets } of settlings) {
      const held = this.#held.get(queue);
      for (const offset of offsets) held?.delete(offset);
      if (held?.size === 0) this.#held.delete(queue);
    }
  }

  /** What `publish` takes for queues, and how many of it are settled. */
  toArguments(settled: readonly Settling[]): { count: number; args: string[] } {
    const { newEpoch, limits: { queueCount, queueBytes, queueBudget, maxQueues } } = this.#options;
    const bounds = [queueCount, queueBytes, queueBudget, maxQueues].map(String);
    const settlings = toSettlingArguments(settled);
    return { count: settlings.length / 3, args: [this.#owner, newEpoch(), ...bounds, ...settlings] };
  }

  /** Takes what Redis has said all queues hold. */
  told(reply: Reply): { queues: number; messages: number; bytes: number; claimed: number } {
    const [queues = 0, messages = 0, bytes = 0, claimed = 0] = reply as readonly number[];
    return this.#totals = { queues, messages, bytes, claimed };
  }

  /** What `publish` has said of a draft for a queue. */
  refusalOf(reply: Buffer): Refusal {
    const [why, name] = reply.toString().split(" ");
    if (why === "many") {
      return new GongError("overloaded", "There are too many queues.", { retryAfter: 60 }).toRefusal();
    }
    const message = why === "full" ? `The queue ${name} is full.` : "There is no room for more in queues.";
    return new GongError("overloaded", message, { retryAfter: 5 }).toRefusal();
  }

  /** What this node has goes back. Where Redis cannot be told, its lease will be over. */
  async release(): Promise<void> {
    clearInterval(this.#looking);
    if (!this.#hasClaimed) return;
    await Promise.allSettled(this.#claiming.values());
    await this.#call("release", [], 0).catch(() => {});
  }

  close(): void {
    clearInterval(this.#looking);
  }

  async #look(): Promise<void> {
    const [totals, names] = await this.#call(
      "queues",
      [String(this.#lease)],
      this.#hasClaimed ? this.#lease : 0,
    ) as readonly Reply[];
    this.told(totals!);
    const queues = (names as readonly Buffer[]).map(String);
    if (queues.length > 0) this.#options.onQueued(queues);
  }

  async #claim(queue: string, { count, bytes }: Required<PageLimit>): Promise<QueuedMessage[]> {
    let reply: Reply;
    this.#hasClaimed = true;
    try {
      reply = await this.#call("claim", [String(this.#generation), queue, String(count), String(bytes)]);
    } catch (error) {
      // It may have been done, or be done still.
      this.#uncertain.add(queue);
      this.#generation++;
      throw error;
    }
    const [totals, epoch, messages] = reply as [Reply, Buffer, readonly Claimed[]];
    this.told(totals);
    const held = this.#held.get(queue) ?? new Set();
    if (messages.length > 0) this.#held.set(queue, held);
    const read: QueuedMessage[] = [];
    for (const [offset, time, redelivered, payload] of messages) {
      held.add(offset);
      const position = { queue, epoch: epoch.toString(), offset };
      try {
        read.push({ ...decodePayload(payload), ...position, time, redelivered: redelivered === 1 });
      } catch (error) {
        // It stays claimed: a release that can read it is given it when this node ends.
        this.#options.onFault(error);
      }
    }
    return read;
  }

  /** What this node does not know that it has goes back, before anything else is claimed. */
  #keep(): Promise<void> {
    return this.#keeping ??= this.#keepAll().finally(() => this.#keeping = undefined);
  }

  async #keepAll(): Promise<void> {
    for (const queue of this.#uncertain) {
      this.#uncertain.delete(queue);
      try {
        const held = Array.from(this.#held.get(queue) ?? [], String);
        this.told(await this.#call("keep", [String(this.#generation), queue, ...held]));
      } catch (error) {
        this.#uncertain.add(queue);
        throw error;
      }
    }
  }

  /** Hears what others put into queues. Where that cannot be now, it is found by looking. */
  #listen(): Promise<void> {
    return this.#listening ??= this.#options.connection.subscribe(this.key, (message) => {
      const [owner, ...queues] = message.toString().split("\n");
      // What this node has put there it knows.
      if (owner !== this.#owner) this.#options.onQueued(queues);
    }).catch(() => {
      this.#listening = undefined;
    });
  }

  #call(name: string, args: readonly string[], lease = this.#lease): Promise<Reply> {
    const { connection, newEpoch } = this.#options;
    return connection.call(name, [this.key], [this.#owner, String(lease), newEpoch(), ...args]);
  }
}

/** As the functions take it. */
function toSettlingArguments(settlings: readonly Settling[]): string[] {
  return settlings.flatMap(({ queue, offsets, as }) => {
    return offsets.filter((offset) => Number.isSafeInteger(offset) && offset > 0)
      .flatMap((offset) => [queue, as === "done" ? "1" : "0", String(offset)]);
  });
}
