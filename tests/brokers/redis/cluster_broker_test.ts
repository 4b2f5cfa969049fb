import { createRedisBroker, type RedisBrokerOptions } from "../../../lib/brokers/redis.ts";
import type { Announce, Broker } from "../../../lib/types.ts";
import { testBroker } from "../../conformance/broker.ts";
import { type BrokerBounds } from "../../conformance/broker/support.ts";
import { redisTest } from "../../support/redis.ts";
import { sharedRedisCluster } from "../../support/redis_cluster.ts";

/** Under which prefix a broker keeps what it has. */
const prefixes = new WeakMap<Broker, string>();

async function open(
  announce: Announce,
  bounds: BrokerBounds & Partial<RedisBrokerOptions>,
  prefix = `${crypto.randomUUID()}:`,
): Promise<Broker> {
  const { url } = await sharedRedisCluster();
  const broker = createRedisBroker(announce, { ...bounds, broker: url, brokerPrefix: prefix, lease: 3600 });
  prefixes.set(broker, prefix);
  await broker.start!();
  return broker;
}

/** As when nothing was heard of any node for long. */
async function endLeases(prefix: string): Promise<void> {
  const { command } = await sharedRedisCluster();
  for (let book = 0; book < 16; book++) {
    const key = `${prefix}{$queues:${book}}:o`;
    for (const owner of await command("ZRANGE", key, "0", "-1") as string[]) await command("ZADD", key, "0", owner);
  }
}

testBroker("redis cluster", open, {
  atomic: false,
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
