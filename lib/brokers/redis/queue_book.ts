/**
 * Queues that are kept together in Redis, as this node knows them.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import type { PageLimit, QueuedMessage, Settling } from "../../types.ts";
import type { QueueLimits } from "../ledger/queue_book.ts";
import type { RedisConnection } from "./connection.ts";
import { decodePayload } from "./payload.ts";
import type { Reply } from "./server.ts";

/** What a {@linkcode RedisQueueBook} is made of. */
export interface QueueBookOptions {
  readonly connection: Pick<RedisConnection, "call" | "subscribe">;
  /** Where it is; everything else of it is of the same slot, by what is in braces. */
  readonly key: string;
  /** This start of this node. */
  readonly owner: string;
  /** Those of these queues: of what all may have, what others have is not theirs. */
  readonly limits: () => QueueLimits;
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

/** How many queues have messages, these, their bytes, and how many are claimed. */
export interface QueueTotals {
  readonly queues: number;
  readonly messages: number;
  readonly bytes: number;
  readonly claimed: number;
}

type Claimed = readonly [offset: number, time: number, redelivered: number, payload: Buffer];

/**
 * Claims are those of an owner, which is this start of this node. When its lease is over they go to others, and what
 * it settles of them later is passed over.
 */
export class RedisQueueBook {
  /** Its own, and where it is announced: nothing is ever there, so that a slot on its way to another server is refused whole. */
  readonly keys: readonly [book: string, announced: string];
  readonly #options: QueueBookOptions;
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
  #totals: QueueTotals = { queues: 0, messages: 0, bytes: 0, claimed: 0 };

  constructor(options: QueueBookOptions) {
    this.#options = options;
    this.keys = [options.key, `${options.key}:a`];
    this.#lease = Math.ceil((options.lease ?? LEASE) * 1000);
  }

  /** What its queues hold, as Redis said it last. */
  get totals(): QueueTotals {
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
    const { newEpoch, limits, owner } = this.#options;
    const { queueCount, queueBytes, queueBudget, maxQueues } = limits();
    const bounds = [queueCount, queueBytes, queueBudget, maxQueues].map(String);
    const settlings = toSettlingArguments(settled);
    return { count: settlings.length / 3, args: [owner, newEpoch(), ...bounds, ...settlings] };
  }

  /** Takes what Redis has said its queues hold. */
  told(reply: Reply): void {
    const [queues = 0, messages = 0, bytes = 0, claimed = 0] = reply as readonly number[];
    this.#totals = { queues, messages, bytes, claimed };
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
    const { connection, owner, onQueued } = this.#options;
    return this.#listening ??= connection.subscribe(this.keys[1], (message) => {
      const [by, ...queues] = message.toString().split("\n");
      // What this node has put there it knows.
      if (by !== owner) onQueued(queues);
    }).catch(() => {
      this.#listening = undefined;
    });
  }

  #call(name: string, args: readonly string[], lease = this.#lease): Promise<Reply> {
    const { connection, newEpoch, owner } = this.#options;
    return connection.call(name, this.keys, [owner, String(lease), newEpoch(), ...args]);
  }
}

/** As the functions take it. */
function toSettlingArguments(settlings: readonly Settling[]): string[] {
  return settlings.flatMap(({ queue, offsets, as }) => {
    return offsets.filter((offset) => Number.isSafeInteger(offset) && offset > 0)
      .flatMap((offset) => [queue, as === "done" ? "1" : "0", String(offset)]);
  });
}
