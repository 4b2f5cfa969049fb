/**
 * What Redis is asked while nothing is published.
 *
 * @module
 */
import { setTimeout as delay } from "node:timers/promises";
import { createClient } from "@redis/client";
import { functionName } from "../../../lib/brokers/redis/library.ts";
import type { Broker } from "../../../lib/types.ts";
import { type Redis, startRedis } from "../../support/redis.ts";
import { openNode } from "../../support/redis_broker.ts";
import { alternate, columns, ratioOf, type Result, type Row, type Tell } from "../row.ts";
import { spending } from "./figures.ts";
import { hear, publishSo, type Way } from "./load.ts";

/** Channels that nobody publishes to. */
const SILENT = 10_000;
/** Times that each is looked at, and how far apart they are, in milliseconds. */
const CHECKS = 3;
const BETWEEN = 5000;
/** Publications that go before. */
const WARM_UP = 4000;
const RENEWALS = 300;

/** A look at a channel that is silent beside a publication. */
export async function measureSilent(_row: Row, rounds: number, tell: Tell): Promise<Result> {
  await using redis = await startRedis();
  await using other = await openNode(redis.url);
  const way: Way = { drafts: 1, channels: 1, nodes: 0 };
  await publishSo(other.broker, way, WARM_UP);
  const coming: number[] = [];
  const results = await alternate(rounds, tell, {
    beside: () => spending(redis, () => publishSo(other.broker, way, SILENT)),
    async gong() {
      await using node = await openNode(redis.url);
      const come = await spending(redis, () => hear(node.broker, "h", SILENT));
      coming.push(come.microseconds / SILENT);
      // From here on all of them are silent.
      await delay(BETWEEN);
      const looks = await spending(redis, () => delay(CHECKS * BETWEEN));
      return { ...looks, microseconds: looks.microseconds / CHECKS };
    },
    figure: ({ microseconds }) => Number((microseconds / SILENT).toFixed(2)),
    faults: () => undefined,
  });
  const [looks] = results.measured;
  const seconds = CHECKS * BETWEEN / 1000;
  const table = columns([
    [`${SILENT} channels`, ""],
    ["calls a second", (looks!.calls / seconds).toFixed(1)],
    ["bytes sent a look", (looks!.sent / SILENT / CHECKS).toFixed(1)],
    ["µs of the thread until one is heard", coming.map((each) => each.toFixed(0)).join(" ")],
    ...await measureLooks(redis),
    ...await measureRenewals(redis, other.broker),
  ]);
  const ratio = ratioOf(results);
  return { ...results, comparison: `${ratio.toFixed(3)} ×`, passed: ratio <= 0.25, table };
}

/** What a look takes, by how many channels share a call: in a cluster only those of one slot do. */
async function measureLooks(redis: Redis): Promise<string[][]> {
  const client = createClient({ url: redis.url });
  await client.connect();
  const lines: string[][] = [];
  for (const channels of [1, 3, 500]) {
    const keys = Array.from({ length: channels }, (_, n) => [`gong:{h${n}}:m`, `gong:{h${n}}:s`]).flat();
    const args = Array.from({ length: channels }, () => ["candidate", "", "0"]).flat();
    const command = ["FCALL", functionName("positions"), String(keys.length), ...keys, ...args];
    const calls = Math.round(SILENT / channels);
    const { microseconds } = await spending(
      redis,
      () => Promise.all(Array.from({ length: calls }, () => client.sendCommand(command))),
    );
    lines.push([`µs of the thread a look, ${channels} in a call`, (microseconds / calls / channels).toFixed(1)]);
  }
  client.destroy();
  return lines;
}

/** What it takes to renew a lease where so many have one. */
async function measureRenewals(redis: Redis, { membership }: Broker): Promise<string[][]> {
  const lines: string[][] = [];
  const about = { address: "http://10.0.0.1:8999", version: "1", run: crypto.randomUUID() };
  let count = 0;
  for (const nodes of [10, 100, 1000]) {
    for (; count < nodes; count++) await membership!.join(about, 600);
    const { microseconds, sent } = await spending(redis, async () => {
      for (let n = 0; n < RENEWALS; n++) await membership!.renew({ node: 1, ...about }, 600);
    });
    const each = `${(microseconds / RENEWALS).toFixed(0)} µs, ${(sent / RENEWALS).toFixed(0)} bytes`;
    lines.push([`a renewed lease among ${nodes}`, each]);
  }
  return lines;
}
