/**
 * What channels and publications take of the memory of Redis.
 *
 * @module
 */
import { createClient } from "@redis/client";
import type { Broker } from "../../../lib/types.ts";
import { type Redis, startRedis } from "../../support/redis.ts";
import { openNode, text } from "../../support/redis_broker.ts";
import { alternate, columns, ratioOf, type Result, type Row, type Tell } from "../row.ts";
import { spending } from "./figures.ts";
import { hear, publish, SMALL } from "./load.ts";

/** Channels that have history, publications that each keeps, and the size of large ones. */
const CHANNELS = 1000;
const KEPT = 100;
const LARGE = 1024;
/** Channels that nobody publishes to. */
const SILENT = 10_000;

/** A kept publication beside an entry of a bare stream. */
export async function measureMemory(_row: Row, rounds: number, tell: Tell): Promise<Result> {
  await using redis = await startRedis();
  await using node = await openNode(redis.url);
  let round = 0;
  const keep = async (size: number) => {
    const prefix = `m${round++}-`;
    const { memory } = await spending(redis, () => fill(node.broker, prefix, size));
    const [stream, hash] = await Promise.all(
      ["s", "m"].map((part) => redis.command("MEMORY", "USAGE", `gong:{${prefix}0}:${part}`)),
    );
    await redis.command("FLUSHALL");
    return { each: memory / CHANNELS / KEPT, stream: Number(stream), hash: Number(hash) };
  };
  const bare = async () => {
    const { memory } = await spending(redis, () => fillBare(redis, SMALL));
    await redis.command("FLUSHALL");
    return { each: memory / CHANNELS / KEPT, stream: 0, hash: 0 };
  };
  await keep(SMALL);
  const results = await alternate(rounds, tell, {
    beside: bare,
    gong: () => keep(SMALL),
    figure: ({ each }) => Math.round(each),
    faults: () => undefined,
  });
  const [small] = results.measured;
  const large = await keep(LARGE);
  const silent = await spending(redis, () => hear(node.broker, "h", SILENT));
  const ratio = ratioOf(results);
  const line = (what: string, bytes: number) => [what, String(Math.round(bytes))];
  const table = columns([
    ["", "bytes"],
    line(`a kept publication of ${SMALL} B`, small!.each),
    line(`a kept publication of ${LARGE} B`, large.each),
    line(`the stream of a channel, ${KEPT} of ${SMALL} B`, small!.stream),
    line("the hash of a channel", small!.hash),
    line("a channel that one node hears and nobody has published to", silent.memory / SILENT),
    line("the same for the second node", await secondNode(redis)),
  ]);
  return { ...results, comparison: `${ratio.toFixed(2)} ×`, passed: ratio <= 2, table };
}

async function secondNode(redis: Redis): Promise<number> {
  await using node = await openNode(redis.url);
  return (await spending(redis, () => hear(node.broker, "h", SILENT))).memory / SILENT;
}

/** Publishes to each of the channels as often as it keeps. */
async function fill(broker: Broker, prefix: string, size: number): Promise<void> {
  const data = "x".repeat(size);
  for (let channel = 0; channel < CHANNELS; channel++) {
    await publish(broker, Array.from({ length: KEPT }, () => text(`${prefix}${channel}`, data)));
  }
}

async function fillBare(redis: Redis, size: number): Promise<void> {
  const client = createClient({ url: redis.url });
  await client.connect();
  const data = "x".repeat(size);
  for (let channel = 0; channel < CHANNELS; channel++) {
    await Promise.all(Array.from({ length: KEPT }, () => client.xAdd(`b${channel}`, "*", { p: data })));
  }
  client.destroy();
}
