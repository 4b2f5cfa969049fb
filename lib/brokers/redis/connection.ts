/**
 * The way to Redis: calls of the library's functions, and what is announced on its channels.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { GongError } from "../../errors.ts";
import { BrokerSetupError } from "../setup_error.ts";
import { AwayError, type ClientOptions } from "./client.ts";
import { RedisCluster } from "./cluster.ts";
import { functionName } from "./library.ts";
import { parseAddress } from "../../config/redis_address.ts";
import { RedisPrimary } from "./primary.ts";
import type { Command, Listener, RedisServer, Reply } from "./server.ts";
import { checkSetup } from "./setup.ts";
import { slotOf } from "./slot.ts";
import type { RedisWay } from "./way.ts";

/** What a {@linkcode RedisConnection} is made with. */
export interface ConnectionOptions extends Pick<ClientOptions, "ca" | "wait" | "onAway"> {
  /** As {@linkcode parseAddress} takes it. */
  readonly url: string;
  /** `USER:PASSWORD` for Sentinels. Default: none. */
  readonly sentinelUser?: string | undefined;
  /** What all keys and channels begin with. */
  readonly prefix: string;
  /** What is announced on these channels is heard again: whatever was announced before may be missing. */
  readonly onListening: (channels: readonly string[]) => void;
  /** Redis has refused what it should not. */
  readonly onFault: (error: unknown) => void;
}

/** How long Redis may be away when the server starts, in milliseconds. */
const START = 10_000;
/** What Redis says when it cannot take anything for the moment. */
const PASSING = /^(OOM|LOADING|MASTERDOWN|CLUSTERDOWN|NOREPLICAS|MISCONF|BUSY|READONLY|TRYAGAIN|MOVED|ASK)\b/;

/** A connection for calls and one for what is announced, to each primary. All come back by themselves. */
export class RedisConnection {
  readonly prefix: string;
  /** Not all keys can be in one call: only those of the same {@linkcode slotOf}. */
  readonly isCluster: boolean;
  readonly #options: ConnectionOptions;
  readonly #way: RedisWay;
  #isAway = false;
  /** It can be used: from now on is told when it cannot. */
  #isStarted = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.prefix = options.prefix;
    const address = parseAddress(options.url);
    this.isCluster = address.isCluster;
    const { ca, wait, sentinelUser } = options;
    const Way = address.isCluster ? RedisCluster : RedisPrimary;
    this.#way = new Way({
      ...{ address, ca, wait, sentinelUser },
      onAway: () => this.#look(),
      onListening: (channels) => {
        if (this.#isStarted) options.onListening(channels);
      },
    });
  }

  /** @throws {BrokerSetupError} when Redis cannot be reached, or not be used as it is set up */
  async start(): Promise<void> {
    try {
      await this.#way.open(START);
      await Promise.all(Array.from(this.#way.primaries(this.prefix), ({ server, key }) => this.#check(server, key)));
      this.#way.begin();
      this.#isStarted = true;
      this.#look();
    } catch (error) {
      this.close();
      if (error instanceof BrokerSetupError) throw error;
      throw new BrokerSetupError(`Redis at ${this.#way.host}${explain(error as Error)}`, { cause: error });
    }
  }

  /**
   * Calls a function of the library, in the order of the calls. What was sent is never sent again by itself.
   *
   * @param keys of one slot
   * @throws {GongError} `overloaded` when Redis is away, has no room, or does not answer in time: then it may have been done
   */
  async call(name: string, keys: readonly string[], args: readonly (string | Uint8Array)[]): Promise<Reply> {
    try {
      return await this.#way.call(keys[0]!, toCommand(name, keys, args));
    } catch (error) {
      throw this.#refusal(error);
    }
  }

  /** Keys of the same number may be in one call. */
  slotOf(key: string): number {
    return this.isCluster ? slotOf(key) : 0;
  }

  /** Hears what is announced on the channel, from when this resolves. @throws {GongError} `overloaded` when it cannot now */
  async subscribe(channel: string, listener: Listener): Promise<void> {
    try {
      await this.#way.subscribe(channel, listener);
    } catch (error) {
      throw this.#refusal(error);
    }
  }

  /** Hears it no more. What comes meanwhile is nobody's. */
  async unsubscribe(channel: string): Promise<void> {
    await this.#way.unsubscribe(channel);
  }

  close(): void {
    this.#way.close();
  }

  async #check(server: RedisServer, key: string): Promise<void> {
    await checkSetup({
      ...{ key, isCluster: this.isCluster },
      send: (command) => server.send(command),
      load: () => server.load(),
      call: (name, keys, args) => server.call(toCommand(name, keys, args)),
      listen: (channel) => server.tryListening(channel),
    });
  }

  #refusal(error: unknown): GongError {
    if (error instanceof GongError) return error;
    const message = error instanceof Error ? error.message : String(error);
    const isPassing = error instanceof AwayError || PASSING.test(message) || !/^[A-Z]+ /.test(message);
    if (!isPassing) this.#options.onFault(error);
    return new GongError("overloaded", "The broker cannot take this now; try again.", { retryAfter: 1, cause: error });
  }

  #look(): void {
    if (!this.#isStarted) return;
    const { reason } = this.#way;
    const isAway = reason !== undefined;
    if (isAway === this.#isAway) return;
    this.#isAway = isAway;
    this.#options.onAway(reason);
  }
}

function toCommand(name: string, keys: readonly string[], args: readonly (string | Uint8Array)[]): Command {
  return ["FCALL", functionName(name), String(keys.length), ...keys, ...args.map(toArgument)];
}

function toArgument(value: string | Uint8Array): string | Buffer {
  return typeof value === "string" ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

/** What is to be said of Redis that cannot be used. */
function explain({ message }: Error): string {
  if (message.startsWith("NOAUTH")) return " wants a password";
  if (message.startsWith("WRONGPASS")) return " does not take this user and password";
  if (message.includes("cluster support disabled")) return " is no node of a Redis Cluster: name it with redis://HOST";
  if (/NOPERM.*cluster/i.test(message)) return `: the user lacks a right, for CLUSTER SLOTS: ${message}`;
  return `: ${message}`;
}
