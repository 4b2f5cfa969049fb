/**
 * The way to Redis: calls of the library's functions, and what is announced on its channels.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createClient, RESP_TYPES } from "@redis/client";
import { GongError } from "../../errors.ts";
import { functionName, LIBRARY } from "./library.ts";

/** What Redis answers: a text or bytes, a whole number, nothing, or a list of those. */
export type Reply = Buffer | number | null | readonly Reply[];

/** What a {@linkcode RedisConnection} is made with. */
export interface ConnectionOptions {
  /** `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]`, or with `rediss:` over TLS. */
  readonly url: string;
  /** What all keys and channels begin with. */
  readonly prefix: string;
  /** What is announced is heard again: whatever was announced before may be missing. */
  readonly onListening: () => void;
  /** Redis cannot be reached, for this reason, or can be again. */
  readonly onAway: (reason: string | undefined) => void;
}

/** A connection for calls and one for what is announced. Both come back by themselves. */
export class RedisConnection {
  readonly prefix: string;
  /** Keys of different slots cannot be in one call. */
  readonly isCluster = false;
  readonly #caller;
  readonly #listener;

  constructor(options: ConnectionOptions) {
    this.prefix = options.prefix;
    const client = createClient({
      url: options.url,
      disableOfflineQueue: true,
      commandOptions: { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } },
    });
    client.on("error", (error: Error) => options.onAway(error.message));
    client.on("ready", () => options.onAway(undefined));
    this.#caller = client;
    this.#listener = client.duplicate();
    this.#listener.on("error", (error: Error) => options.onAway(error.message));
    this.#listener.on("ready", () => options.onListening());
  }

  async start(): Promise<void> {
    await Promise.all([this.#caller.connect(), this.#listener.connect()]);
  }

  /**
   * Calls a function of the library, in the order of the calls.
   *
   * @param keys of one slot
   * @throws {GongError} `overloaded` when Redis is away, has no room, or does not answer in time: then it may have been done
   */
  async call(name: string, keys: readonly string[], args: readonly (string | Uint8Array)[]): Promise<Reply> {
    const command = ["FCALL", functionName(name), String(keys.length), ...keys, ...args.map(toArgument)];
    try {
      try {
        return await this.#caller.sendCommand<Reply>(command);
      } catch (error) {
        if (!(error instanceof Error) || !/Function not found/i.test(error.message)) throw error;
        await this.#caller.sendCommand(["FUNCTION", "LOAD", "REPLACE", LIBRARY]);
        return await this.#caller.sendCommand<Reply>(command);
      }
    } catch (error) {
      throw new GongError("overloaded", "The broker cannot be reached now.", { retryAfter: 1, cause: error });
    }
  }

  /** Hears what is announced on the channel, from when this resolves. */
  async subscribe(channel: string, listener: (message: Buffer) => void): Promise<void> {
    await this.#listener.sSubscribe(channel, (message: Buffer) => listener(message), true);
  }

  async unsubscribe(channel: string): Promise<void> {
    await this.#listener.sUnsubscribe(channel);
  }

  close(): void {
    this.#caller.destroy();
    this.#listener.destroy();
  }
}

function toArgument(value: string | Uint8Array): string | Buffer {
  return typeof value === "string" ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}
