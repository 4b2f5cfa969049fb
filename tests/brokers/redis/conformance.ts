/**
 * What is asked of every broker, asked of one on Redis, in whichever form that is.
 *
 * @module
 */
import { createRedisBroker, type RedisBrokerOptions } from "../../../lib/brokers/redis.ts";
import type { Announce, Broker } from "../../../lib/types.ts";
import { testBroker } from "../../conformance/broker.ts";
import type { BrokerBounds } from "../../conformance/broker/support.ts";
import { type Redis, redisTest } from "../../support/redis.ts";

/** One form of Redis. */
export interface RedisForm {
  /** Shared by all tests of a file. */
  readonly start: () => Promise<Pick<Redis, "url" | "command">>;
  /** What is in the braces of the keys of its queues. */
  readonly books: readonly string[];
  readonly atomic: boolean;
}

/** Tests brokers on it, each with a prefix of its own. */
export function testRedisBroker(name: string, { start, books, atomic }: RedisForm): void {
  const prefixes = new WeakMap<Broker, string>();

  async function open(
    announce: Announce,
    bounds: BrokerBounds & Partial<RedisBrokerOptions>,
    prefix = `${crypto.randomUUID()}:`,
  ): Promise<Broker> {
    const { url } = await start();
    const broker = createRedisBroker(announce, { ...bounds, broker: url, brokerPrefix: prefix, lease: 3600 });
    prefixes.set(broker, prefix);
    await broker.start!();
    return broker;
  }

  /** As when nothing was heard of any node for long. */
  async function endLeases(prefix: string): Promise<void> {
    const { command } = await start();
    for (const book of books) {
      const key = `${prefix}{${book}}:o`;
      for (const owner of await command("ZRANGE", key, "0", "-1") as string[]) await command("ZADD", key, "0", owner);
    }
  }

  testBroker(name, open, {
    atomic,
    queues: true,
    remembers: true,
    clock: false,
    bytes: false,
    forgets: false,
    counts: false,
    register: redisTest,
    async reopen(broker, how, announce, bounds) {
      const prefix = prefixes.get(broker)!;
      if (how === "killed") await endLeases(prefix);
      return await open(announce, bounds, prefix);
    },
  });
}
