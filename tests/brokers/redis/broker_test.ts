import { createRedisBroker, type RedisBrokerOptions } from "../../../lib/brokers/redis.ts";
import type { Announce, Broker } from "../../../lib/types.ts";
import { testBroker } from "../../conformance/broker.ts";
import { type BrokerBounds } from "../../conformance/broker/support.ts";
import { redisTest, sharedRedis } from "../../support/redis.ts";

/** Under which prefix a broker keeps what it has. */
const prefixes = new WeakMap<Broker, string>();

async function open(
  announce: Announce,
  bounds: BrokerBounds & Partial<RedisBrokerOptions>,
  prefix = `${crypto.randomUUID()}:`,
): Promise<Broker> {
  const { url } = await sharedRedis();
  const broker = createRedisBroker(announce, { ...bounds, broker: url, brokerPrefix: prefix });
  prefixes.set(broker, prefix);
  await broker.start!();
  return broker;
}

testBroker("redis", open, {
  atomic: true,
  queues: false,
  clock: false,
  bytes: false,
  forgets: false,
  counts: false,
  register: redisTest,
  reopen: (broker, _how, announce, bounds) => open(announce, bounds, prefixes.get(broker)),
});
