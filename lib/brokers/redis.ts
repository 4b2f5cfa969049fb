/**
 * The broker of many nodes: channels are in one Redis, which numbers, keeps and announces.
 *
 * @module
 */
import { compileHistory, type HistorySettings } from "../channel_rules.ts";
import { GongError } from "../errors.ts";
import type {
  Announce,
  Broker,
  BrokerCapabilities,
  Draft,
  History,
  Keepsakes,
  Membership,
  PageLimit,
  PublishOptions,
  PublishResult,
  QueuedMessage,
  RecordChange,
  Settling,
  Start,
} from "../types.ts";
import { checkKeys, randomEpoch } from "./ledger.ts";
import { RedisChannels } from "./redis/channels.ts";
import { RedisConnection } from "./redis/connection.ts";
import { RedisMembership } from "./redis/membership.ts";
import { RedisQueues } from "./redis/queues.ts";
import { RedisKeepsakes } from "./redis/keepsakes.ts";
import { RedisRecords } from "./redis/records.ts";

/** What a {@linkcode createRedisBroker} goes by, and what it tells. */
export interface RedisBrokerOptions extends Partial<HistorySettings> {
  /** As `--broker` has it. */
  readonly broker: string;
  /** What all keys begin with. Default `gong:`. */
  readonly brokerPrefix?: string;
  /** How long Redis may take to answer, in seconds, before it counts as away. Default 2. */
  readonly brokerWait?: number;
  /** `USER:PASSWORD` for Sentinels. Default: none. */
  readonly sentinelUser?: string;
  /** PEM of those who sign its certificate, where the system does not know them. */
  readonly ca?: string;
  readonly onFault?: (error: unknown) => void;
  readonly onAway?: (reason: string | undefined) => void;
  readonly onMoved?: (channels: readonly string[]) => void;
  /** There may be something in these queues, of which this node has not heard in another way. */
  readonly onQueued?: (queues: readonly string[]) => void;
  readonly queueCount?: number;
  readonly queueBytes?: number;
  readonly queueBudget?: number;
  readonly maxQueues?: number;
  /** As {@linkcode RedisQueuesOptions.lease}. */
  readonly lease?: number;
  /** A new random epoch. */
  readonly newEpoch?: () => string;
  /** As {@linkcode RedisChannelsOptions.silence}. */
  readonly silence?: number;
}

/** Keeps channels in Redis: what is acknowledged survives the end of every node. It begins with {@linkcode Broker.start}. */
export function createRedisBroker(announce: Announce, options: RedisBrokerOptions): Broker {
  return new RedisBroker(announce, options);
}

class RedisBroker implements Broker {
  readonly capabilities: BrokerCapabilities;
  readonly membership: Membership;
  readonly keepsakes: Keepsakes;
  readonly #connection: RedisConnection;
  readonly #channels: RedisChannels;
  readonly #records: RedisRecords;
  readonly #queues: RedisQueues;
  /** Calls that come before wait for it. */
  readonly #started = Promise.withResolvers<void>();
  #state: "new" | "open" | "closed" = "new";

  constructor(announce: Announce, options: RedisBrokerOptions) {
    const { rule = [], historyCount = 1000, historyBytes = 1 << 20, historyAge = 600 } = options;
    const { queueCount = 100_000, queueBytes = 16 << 20, queueBudget = 64 << 20, maxQueues = 1000 } = options;
    const { onFault = () => {}, onAway = () => {}, onMoved = () => {}, newEpoch = randomEpoch } = options;
    const { onQueued = () => {} } = options;
    this.#connection = new RedisConnection({
      url: options.broker,
      prefix: options.brokerPrefix ?? "gong:",
      ca: options.ca,
      wait: options.brokerWait ?? 2,
      sentinelUser: options.sentinelUser,
      ...{ onAway, onFault },
      onListening: (channels) => {
        this.#channels.catchUp(channels).catch(() => {});
        this.#queues.look();
      },
    });
    this.capabilities = { atomic: !this.#connection.isCluster, queues: true, survives: "node" };
    this.membership = new RedisMembership(this.#connection, onFault);
    this.keepsakes = new RedisKeepsakes(this.#connection);
    this.#records = new RedisRecords(this.#connection);
    this.#queues = new RedisQueues({
      ...{ connection: this.#connection, onFault, onQueued, newEpoch },
      limits: { queueCount, queueBytes, queueBudget, maxQueues },
      ...(options.lease === undefined ? {} : { lease: options.lease }),
    });
    this.#channels = new RedisChannels({
      queues: this.#queues,
      ...{ connection: this.#connection, announce, onFault, onMoved, newEpoch },
      limitsOf: compileHistory({ rule, historyCount, historyBytes, historyAge }),
      recordsKey: this.#records.key,
      ...(options.silence === undefined ? {} : { silence: options.silence }),
    });
    // Nobody need be waiting.
    this.#started.promise.catch(() => {});
  }

  async start(): Promise<void> {
    try {
      await this.#connection.start();
      await this.#queues.start();
    } catch (error) {
      await this.close();
      throw error;
    }
    this.#state = "open";
    this.#started.resolve();
  }

  /** Resolves when it may be used. @throws {GongError} `going_away` when it was closed */
  async #opened(): Promise<void> {
    if (this.#state === "new") await this.#started.promise;
    if (this.#state === "closed") throw new GongError("going_away");
  }

  async publish(drafts: readonly Draft[], options: PublishOptions = {}): Promise<PublishResult[]> {
    const { records = [], settled = [] } = options;
    const atomic = (options.atomic ?? false) || records.length > 0 || settled.length > 0;
    try {
      if (this.#state !== "open") await this.#opened();
      checkKeys(records);
      if (drafts.length > 0) {
        const results = await this.#channels.publish(drafts, { atomic, records, settled });
        if (!results.some((result) => "error" in result)) this.#queues.settled(settled);
        return results;
      }
    } catch (error) {
      if (drafts.length === 0) throw error;
      const refusal = GongError.from(error).toRefusal();
      return drafts.map(() => ({ error: refusal }));
    }
    await this.#change(records, settled);
    return [];
  }

  async #change(records: readonly RecordChange[], settled: readonly Settling[]): Promise<void> {
    if (settled.length === 0) return await this.#records.change(records);
    if (records.length === 0) return await this.#queues.settle(settled);
    await this.#channels.change({ records, settled });
    this.#queues.settled(settled);
  }

  async read(channel: string, start?: Start, limit?: PageLimit): Promise<History> {
    if (this.#state !== "open") await this.#opened();
    return await this.#channels.read(channel, start, limit);
  }

  async subscribe(channel: string): Promise<void> {
    if (this.#state !== "open") await this.#opened();
    await this.#channels.subscribe(channel);
  }

  async unsubscribe(channel: string): Promise<void> {
    await this.#channels.unsubscribe(channel);
  }

  async records(prefix: string): Promise<ReadonlyMap<string, string>> {
    if (this.#state !== "open") await this.#opened();
    return await this.#records.find(prefix);
  }

  async record(changes: readonly RecordChange[]): Promise<void> {
    checkKeys(changes);
    if (this.#state !== "open") await this.#opened();
    await this.#records.change(changes);
  }

  async claim(queue: string, limit: PageLimit): Promise<QueuedMessage[]> {
    if (this.#state !== "open") await this.#opened();
    return await this.#queues.claim(queue, limit);
  }

  async settle(settlings: readonly Settling[]): Promise<void> {
    if (this.#state !== "open") await this.#opened();
    await this.#queues.settle(settlings);
  }

  stats(): ReturnType<Broker["stats"]> {
    return { channels: this.#channels.size, queues: this.#queues.totals };
  }

  async close(): Promise<void> {
    const wasOpen = this.#state === "open";
    this.#state = "closed";
    this.#started.reject(new GongError("going_away"));
    if (wasOpen) await this.#queues.release();
    this.#queues.close();
    this.#channels.close();
    this.#connection.close();
  }
}
