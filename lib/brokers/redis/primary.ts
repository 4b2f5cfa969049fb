/**
 * The one primary that has all keys: always the same server, or the one that Sentinels name.
 *
 * @module
 */
import { hostsOf, type RedisAddress, urlOf } from "../../config/redis_address.ts";
import { Sentinels } from "./sentinels.ts";
import { type Command, type Listener, RedisServer, type Reply } from "./server.ts";
import type { RedisWay, WayOptions } from "./way.ts";

/** How often another server is looked for, at most, when this one is no primary, in milliseconds. */
const LOOK_FOR_PRIMARY = 1000;

/** One primary. */
export class RedisPrimary implements RedisWay {
  readonly #address: RedisAddress;
  readonly #server: RedisServer;
  readonly #sentinels: Sentinels | undefined;
  #hasBegun = false;
  /** When another primary was last looked for, by `performance.now()`. */
  #lookedFor = -Infinity;

  constructor({ address, sentinelUser = "", ...options }: WayOptions) {
    this.#address = address;
    const [{ host, port } = { host: "", port: 0 }] = address.hosts;
    this.#server = new RedisServer({ ...options, url: urlOf(address, host, port) });
    this.#sentinels = address.name === undefined ? undefined : new Sentinels({
      ...{ address, ca: options.ca, user: sentinelUser },
      onPrimary: (url) => {
        if (this.#hasBegun) this.#server.renew(url);
      },
    });
  }

  get host(): string {
    const known = this.#sentinels?.primary;
    return known === undefined ? hostsOf(this.#address) : new URL(known).host;
  }

  get reason(): string | undefined {
    return this.#server.reason;
  }

  async open(patience: number): Promise<void> {
    await this.#server.open(patience, await this.#sentinels?.open(patience));
  }

  begin(): void {
    this.#hasBegun = true;
  }

  primaries(prefix: string): ReturnType<RedisWay["primaries"]> {
    return [{ server: this.#server, key: `${prefix}{$setup}` }];
  }

  async call(_key: string, command: Command): Promise<Reply> {
    try {
      return await this.#server.call(command);
    } catch (error) {
      if (error instanceof Error && error.message.startsWith("READONLY")) this.#lookForPrimary();
      throw error;
    }
  }

  async subscribe(channel: string, listener: Listener): Promise<void> {
    await this.#server.subscribe(channel, listener);
  }

  async unsubscribe(channel: string): Promise<void> {
    await this.#server.unsubscribe(channel);
  }

  close(): void {
    this.#sentinels?.close();
    this.#server.close();
  }

  /** Behind the same name there may be another one. */
  #lookForPrimary(): void {
    if (performance.now() - this.#lookedFor < LOOK_FOR_PRIMARY) return;
    this.#lookedFor = performance.now();
    this.#server.renewCaller(this.#sentinels?.primary);
  }
}
