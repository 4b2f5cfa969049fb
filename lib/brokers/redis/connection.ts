/**
 * The way to Redis: calls of the library's functions, and what is announced on its channels.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { GongError } from "../../errors.ts";
import { BrokerSetupError } from "../setup_error.ts";
import { AwayError, type ClientOptions, RedisClient } from "./client.ts";
import { functionName, LIBRARY } from "./library.ts";
import { parseAddress, type RedisAddress, urlOf } from "../../config/redis_address.ts";
import { Sentinels } from "./sentinels.ts";
import { checkSetup } from "./setup.ts";

/** What Redis answers: a text or bytes, a whole number, nothing, or a list of those. */
export type Reply = Buffer | number | null | readonly Reply[];

/** What a {@linkcode RedisConnection} is made with. */
export interface ConnectionOptions extends Pick<ClientOptions, "ca" | "wait" | "onAway"> {
  /** As {@linkcode parseAddress} takes it. */
  readonly url: string;
  /** `USER:PASSWORD` for Sentinels. Default: none. */
  readonly sentinelUser?: string | undefined;
  /** What all keys and channels begin with. */
  readonly prefix: string;
  /** What is announced is heard again: whatever was announced before may be missing. */
  readonly onListening: () => void;
  /** Redis has refused what it should not. */
  readonly onFault: (error: unknown) => void;
}

/** How long Redis may be away when the server starts, in milliseconds. */
const START = 10_000;
/** How often another server is looked for, at most, when this one is no primary, in milliseconds. */
const LOOK_FOR_PRIMARY = 1000;
/** What Redis says when it cannot take anything for the moment. */
const PASSING = /^(OOM|LOADING|MASTERDOWN|CLUSTERDOWN|NOREPLICAS|MISCONF|BUSY|READONLY|TRYAGAIN)\b/;

/** A connection for calls and one for what is announced. Both come back by themselves. */
export class RedisConnection {
  readonly prefix: string;
  /** Keys of different slots cannot be in one call. */
  readonly isCluster = false;
  readonly #options: ConnectionOptions;
  readonly #address: RedisAddress;
  readonly #caller: RedisClient;
  readonly #listener: RedisClient;
  readonly #sentinels: Sentinels | undefined;
  /** Calls wait for it while the library is put into a Redis that has none. */
  #loading: Promise<void> | undefined;
  /** Channels that are about to be heard no more. */
  readonly #leaving = new Map<string, Promise<void>>();
  #isAway = false;
  /** It can be used: from now on is told when it cannot. */
  #isStarted = false;
  /** One of them was made anew: something may have been missed. */
  #isBehind = false;
  /** When another primary was last looked for, by `performance.now()`. */
  #lookedFor = -Infinity;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.prefix = options.prefix;
    const { ca, wait } = options;
    const address = this.#address = parseAddress(options.url);
    const [{ host, port } = { host: "", port: 0 }] = address.hosts;
    const url = urlOf(address, host, port);
    const onAway = () => this.#look();
    const onReady = () => {
      this.#isBehind = true;
      this.#look();
    };
    this.#caller = new RedisClient({ url, ca, wait, onAway, onReady });
    this.#listener = new RedisClient({ url, ca, wait, onAway, onReady });
    this.#sentinels = address.name === undefined ? undefined : new Sentinels({
      ...{ address, ca, user: options.sentinelUser ?? "" },
      onPrimary: (url) => {
        if (!this.#isStarted) return;
        this.#caller.renew(url);
        this.#listener.renew(url);
      },
    });
  }

  /** @throws {BrokerSetupError} when Redis cannot be reached, or not be used as it is set up */
  async start(): Promise<void> {
    try {
      const url = await this.#sentinels?.open(START);
      await Promise.all([this.#caller.open(START, url), this.#listener.open(START, url)]);
      await checkSetup({
        send: (command) => this.#caller.send(command),
        load: () => this.#load(),
        call: (name, keys, args) => this.call(name, keys, args),
        listen: async (channel) => {
          await this.#listener.subscribe(channel, () => {});
          await this.#listener.unsubscribe(channel);
        },
        prefix: this.prefix,
      });
      this.#isStarted = true;
      this.#isBehind = false;
      this.#look();
    } catch (error) {
      this.close();
      if (error instanceof BrokerSetupError) throw error;
      const primary = this.#sentinels?.primary;
      const hosts = this.#address.hosts.map(({ host, port }) => `${host}:${port}`).join();
      const host = primary === undefined ? hosts : new URL(primary).host;
      const cause = error instanceof GongError ? error.cause : error;
      throw new BrokerSetupError(`Redis at ${host}${explain(cause as Error)}`, { cause: error });
    }
  }

  /**
   * Calls a function of the library, in the order of the calls. What was sent is never sent again by itself.
   *
   * @param keys of one slot
   * @throws {GongError} `overloaded` when Redis is away, has no room, or does not answer in time: then it may have been done
   */
  async call(name: string, keys: readonly string[], args: readonly (string | Uint8Array)[]): Promise<Reply> {
    const command = ["FCALL", functionName(name), String(keys.length), ...keys, ...args.map(toArgument)];
    try {
      if (this.#loading) await this.#loading;
      try {
        return await this.#caller.send<Reply>(command);
      } catch (error) {
        if (!isUnknownFunction(error)) throw error;
        this.#loading ??= this.#load().finally(() => this.#loading = undefined);
        await this.#loading;
        return await this.#caller.send<Reply>(command);
      }
    } catch (error) {
      throw this.#refusal(error);
    }
  }

  /** Hears what is announced on the channel, from when this resolves. @throws {GongError} `overloaded` when it cannot now */
  async subscribe(channel: string, listener: (message: Buffer) => void): Promise<void> {
    // The client would take one that is about to go for one that is there.
    while (this.#leaving.has(channel)) await this.#leaving.get(channel);
    try {
      await this.#listener.subscribe(channel, listener);
    } catch (error) {
      throw this.#refusal(error);
    }
  }

  /** Hears it no more. What comes meanwhile is nobody's. */
  async unsubscribe(channel: string): Promise<void> {
    const left = this.#listener.unsubscribe(channel).catch(() => {}).then(() => {
      if (this.#leaving.get(channel) === left) this.#leaving.delete(channel);
    });
    this.#leaving.set(channel, left);
    await left;
  }

  close(): void {
    this.#sentinels?.close();
    this.#caller.close();
    this.#listener.close();
  }

  async #load(): Promise<void> {
    await this.#caller.send(["FUNCTION", "LOAD", "REPLACE", LIBRARY]);
  }

  #refusal(error: unknown): GongError {
    if (error instanceof GongError) return error;
    const message = error instanceof Error ? error.message : String(error);
    // Behind the same name there may be another one that is the primary.
    if (message.startsWith("READONLY") && performance.now() - this.#lookedFor >= LOOK_FOR_PRIMARY) {
      this.#lookedFor = performance.now();
      this.#caller.renew(this.#sentinels?.primary);
    }
    const isPassing = error instanceof AwayError || PASSING.test(message) || !/^[A-Z]+ /.test(message);
    if (!isPassing) this.#options.onFault(error);
    return new GongError("overloaded", "The broker cannot take this now; try again.", { retryAfter: 1, cause: error });
  }

  #look(): void {
    if (!this.#isStarted) return;
    const reason = this.#caller.reason ?? this.#listener.reason;
    const isAway = reason !== undefined;
    if (isAway !== this.#isAway) {
      this.#isAway = isAway;
      this.#options.onAway(reason);
    }
    if (isAway || !this.#isBehind) return;
    this.#isBehind = false;
    this.#options.onListening();
  }
}

function toArgument(value: string | Uint8Array): string | Buffer {
  return typeof value === "string" ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

/** What is to be said of Redis that cannot be used. */
function explain({ message }: Error): string {
  if (message.startsWith("NOAUTH")) return " wants a password";
  if (message.startsWith("WRONGPASS")) return " does not take this user and password";
  return `: ${message}`;
}

function isUnknownFunction(error: unknown): boolean {
  return error instanceof Error && /Function not found|No functions registered/i.test(error.message);
}
