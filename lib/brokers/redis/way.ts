/**
 * How keys are reached, whether all of them are at one primary or each slot of them at its own.
 *
 * @module
 */
import type { RedisAddress } from "../../config/redis_address.ts";
import type { Command, Listener, RedisServer, Reply, ServerOptions } from "./server.ts";

/** What a {@linkcode RedisWay} is made with. */
export interface WayOptions extends Pick<ServerOptions, "ca" | "wait" | "onAway" | "onListening"> {
  readonly address: RedisAddress;
  /** `USER:PASSWORD` for Sentinels. Default: none. */
  readonly sentinelUser?: string | undefined;
}

/** Primaries, and which of them is asked. */
export interface RedisWay {
  /** Who is asked, as `HOST:PORT`; of several each. */
  readonly host: string;
  /** Why something of it cannot be used, if so. */
  readonly reason: string | undefined;
  /**
   * Resolves when all of it is there.
   *
   * @param patience in milliseconds
   * @throws {Error} what kept it from that
   */
  open(patience: number): Promise<void>;
  /** From now on it stays there by itself. */
  begin(): void;
  /** Each primary that there is now, and a key beginning with the prefix that is there. */
  primaries(prefix: string): Iterable<{ readonly server: RedisServer; readonly key: string }>;
  /** Calls a function, where the key is. What was sent is never sent again by itself. @throws {Error} */
  call(key: string, command: Command): Promise<Reply>;
  /** Hears what is announced on the channel, from when this resolves. @throws {Error} when it cannot now */
  subscribe(channel: string, listener: Listener): Promise<void>;
  unsubscribe(channel: string): Promise<void>;
  close(): void;
}
