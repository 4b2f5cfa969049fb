/**
 * The broker of many nodes: channels are in one Redis, which numbers, keeps and announces.
 *
 * @module
 */
import { compileHistory, type HistorySettings } from "../channel_rules.ts";
import { GongError } from "../errors.ts";
import { queueOf } from "../reserved.ts";
import type {
  Announce,
  Broker,
  BrokerCapabilities,
  Draft,
  History,
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
import { RedisRecords } from "./redis/records.ts";

/** What a {@linkcode createRedisBroker} goes by, and what it tells. */
export interface RedisBrokerOptions extends Partial<HistorySettings> {
  /** As `--broker` has it. */
  readonly broker: string;
  /** What all keys begin with. Default `gong:`. */
  readonly brokerPrefix?: string;
  /** How long Redis may take to answer, in seconds, before it counts as away. Default 2. */
  readonly brokerWait?: number;
  /** PEM of those who sign its certificate, where the system does not know them. */
  readonly ca?: string;
  readonly onFault?: (error: unknown) => void;
  readonly onAway?: (reason: string | undefined) => void;
  readonly onMoved?: (channels: readonly string[]) => void;
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
  readonly #connection: RedisConnection;
  readonly #channels: RedisChannels;
  readonly #records: RedisRecords;
  /** Calls that come before wait for it. */
  readonly #started = Promise.withResolvers<void>();
  #state: "new" | "open" | "closed" = "new";

  constructor(announce: Announce, options: RedisBrokerOptions) {
    const { rule = [], historyCount = 1000, historyBytes = 1 << 20, historyAge = 600 } = options;
    const { onFault = () => {}, onAway = () => {}, onMoved = () => {}, newEpoch = randomEpoch } = options;
    this.#connection = new RedisConnection({
      url: options.broker,
      prefix: options.brokerPrefix ?? "gong:",
      ca: options.ca,
      wait: options.brokerWait ?? 2,
      ...{ onAway, onFault },
      onListening: () => this.#channels.catchUp().catch(() => {}),
    });
    this.capabilities = { atomic: !this.#connection.isCluster, queues: false, survives: "node" };
    this.membership = new RedisMembership(this.#connection, onFault);
    this.#records = new RedisRecords(this.#connection);
    this.#channels = new RedisChannels({
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
    const atomic = (options.atomic ?? false) || records.length > 0;
    try {
      if (this.#state !== "open") await this.#opened();
      checkKeys(records);
      if (settled.length > 0 || drafts.some(({ channel }) => queueOf(channel) !== undefined)) throw noQueues();
      if (drafts.length > 0) return await this.#channels.publish(drafts, { atomic, records });
    } catch (error) {
      if (drafts.length === 0) throw error;
      const refusal = GongError.from(error).toRefusal();
      return drafts.map(() => ({ error: refusal }));
    }
    await this.#records.change(records);
    return [];
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

  claim(): Promise<QueuedMessage[]> {
    return Promise.reject(noQueues());
  }

  settle(settlings: readonly Settling[]): Promise<void> {
    return settlings.length === 0 ? Promise.resolve() : Promise.reject(noQueues());
  }

  stats(): ReturnType<Broker["stats"]> {
    return { channels: this.#channels.size, queues: { queues: 0, messages: 0, bytes: 0, claimed: 0 } };
  }

  // deno-lint-ignore require-await -- so that a throw becomes a rejection
  async close(): Promise<void> {
    this.#state = "closed";
    this.#started.reject(new GongError("going_away"));
    this.#channels.close();
    this.#connection.close();
  }
}

function noQueues(): GongError {
  return new GongError("bad_request", "This broker has no queues.");
}
