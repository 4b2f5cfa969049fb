/**
 * One Redis that is a primary: a connection for calls and one for what is announced. Both come back by themselves.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import { type ClientOptions, isReply, RedisClient } from "./client.ts";
import { LIBRARY } from "./library.ts";

/** What Redis answers: a text or bytes, a whole number, nothing, or a list of those. */
export type Reply = Buffer | number | null | readonly Reply[];

/** A command and its arguments. */
export type Command = (string | Buffer)[];

/** Takes what is announced on a channel. */
export type Listener = (message: Buffer) => void;

/** What a {@linkcode RedisServer} is made with. */
export interface ServerOptions extends Pick<ClientOptions, "url" | "ca" | "wait" | "onMisplaced"> {
  /** {@linkcode RedisServer.reason} is another one, perhaps. */
  readonly onAway: () => void;
  /** These channels are heard again: whatever was announced there before may be missing. */
  readonly onListening: (channels: readonly string[]) => void;
}

/** A primary. */
export class RedisServer {
  readonly #options: ServerOptions;
  readonly #caller: RedisClient;
  readonly #listener: RedisClient;
  /** Calls wait for it while the library is put into a Redis that has none. */
  #loading: Promise<void> | undefined;
  /** Channels that are about to be heard no more. */
  readonly #leaving = new Map<string, Promise<void>>();
  /** Channels of which something may have been missed. */
  readonly #behind = new Set<string>();
  /** One of the two was made anew. */
  #isBehind = false;
  /** What it says when it takes nothing, as it knows too little of its cluster. */
  #down: string | undefined;

  constructor(options: ServerOptions) {
    this.#options = options;
    const { url, ca, wait, onMisplaced = () => {} } = options;
    const onAway = () => {
      options.onAway();
      this.#look();
    };
    // It may be another server by now.
    this.#caller = new RedisClient({ url, ca, wait, onAway, onReady: () => this.#fallBehind(this.#listener.channels) });
    this.#listener = new RedisClient({
      ...{ url, ca, wait, onAway, onMisplaced },
      onReady: (channels) => this.#fallBehind(channels),
    });
  }

  /** Why it cannot be used, if it cannot. */
  get reason(): string | undefined {
    return this.#caller.reason ?? this.#listener.reason ?? this.#down;
  }

  /** As {@linkcode RedisClient.open}. @throws {Error} */
  async open(patience: number, url?: string): Promise<void> {
    await Promise.all([this.#caller.open(patience, url), this.#listener.open(patience, url)]);
  }

  /** It comes as soon as it can, and stays by itself. */
  begin(): void {
    this.#caller.begin();
    this.#listener.begin();
  }

  /** Resolves when it can be called. @throws {AwayError} */
  ready(): Promise<void> {
    return this.#caller.ready();
  }

  /** Sends a command after those before it. @throws {Error} what Redis says, or that it cannot be asked */
  send<T = Reply>(command: Command): Promise<T> {
    return this.#caller.send<T>(command);
  }

  /** Calls a function of the library, which is put there if it is not there. @throws {Error} as {@linkcode send} */
  async call(command: Command): Promise<Reply> {
    if (this.#loading) await this.#loading;
    try {
      return await this.#try(command);
    } catch (error) {
      if (!isUnknownFunction(error)) throw error;
      await (this.#loading ??= this.load().finally(() => this.#loading = undefined));
      return await this.#try(command);
    }
  }

  async #try(command: Command): Promise<Reply> {
    try {
      const reply = await this.send(command);
      this.#setDown(undefined);
      return reply;
    } catch (error) {
      const { message } = error as Error;
      if (message.startsWith("CLUSTERDOWN The cluster")) this.#setDown(message);
      // It would have said so before anything else.
      else if (isReply(error as Error) && !message.startsWith("CLUSTERDOWN")) this.#setDown(undefined);
      throw error;
    }
  }

  #setDown(down: string | undefined): void {
    if (down === this.#down) return;
    this.#down = down;
    this.#options.onAway();
    this.#look();
  }

  /** Puts the library there. @throws {Error} */
  async load(): Promise<void> {
    await this.send(["FUNCTION", "LOAD", "REPLACE", LIBRARY]);
  }

  /** Hears what is announced on the channel, from when this resolves. @throws {Error} when it cannot now */
  async subscribe(channel: string, listener: Listener): Promise<void> {
    // The client would take one that is about to go for one that is there.
    while (this.#leaving.has(channel)) await this.#leaving.get(channel);
    await this.#listener.subscribe(channel, listener);
  }

  /** Hears it no more. What comes meanwhile is nobody's. */
  async unsubscribe(channel: string): Promise<void> {
    const left = this.#listener.unsubscribe(channel).catch(() => {}).then(() => {
      if (this.#leaving.get(channel) === left) this.#leaving.delete(channel);
    });
    this.#leaving.set(channel, left);
    await left;
  }

  /** Hears a channel, and no more. @throws {Error} what keeps it from either */
  async tryListening(channel: string): Promise<void> {
    await this.#listener.subscribe(channel, () => {});
    await this.#listener.unsubscribe(channel);
  }

  /** Hears these too, as soon as it can, and those that it could not before. */
  adopt(listeners: Iterable<readonly [channel: string, listener: Listener]>): void {
    void this.#listener.adopt(listeners);
  }

  /** As {@linkcode RedisClient.renew}. */
  renew(url?: string): void {
    this.#caller.renew(url);
    this.#listener.renew(url);
  }

  /** The connection for calls alone. */
  renewCaller(url?: string): void {
    this.#caller.renew(url);
  }

  close(): void {
    this.#caller.close();
    this.#listener.close();
  }

  #fallBehind(channels: Iterable<string>): void {
    this.#isBehind = true;
    for (const channel of channels) this.#behind.add(channel);
    this.#look();
  }

  #look(): void {
    if (!this.#isBehind || this.reason !== undefined) return;
    const channels = [...this.#behind];
    this.#behind.clear();
    this.#isBehind = false;
    this.#options.onListening(channels);
  }
}

function isUnknownFunction(error: unknown): boolean {
  return error instanceof Error && /Function not found|No functions registered/i.test(error.message);
}
