import { setTimeout as delay } from "node:timers/promises";
import { assert, assertEquals } from "@std/assert";
import { ChannelKeys } from "../../lib/brokers/redis/keys.ts";
import { slotOf } from "../../lib/brokers/redis/slot.ts";
import type { Position } from "../../lib/types.ts";
import { type Random, seeded } from "../support/random.ts";
import type { Redis } from "../support/redis.ts";
import { type Node, openNode, publishSurely, text } from "../support/redis_broker.ts";
import { type RedisCluster, startRedisCluster } from "../support/redis_cluster.ts";
import { until } from "../support/until.ts";

/** How much of it. */
export interface RedisClusterSoakOptions {
  /** Which blows come, and when. Default 1. */
  readonly seed?: number;
  /** Default 25. */
  readonly blows?: number;
}

/** What there is to hit. */
interface Stage {
  readonly random: Random;
  readonly cluster: RedisCluster;
  readonly primaries: readonly Redis[];
  readonly replicas: readonly Redis[];
}

const CHANNELS = Array.from({ length: 30 }, (_, index) => `channel-${index}`);
const NODES = 3;
const PUBLISHERS = 6;
/** Longer than any call may take, in milliseconds: every wait is bounded by it. */
const LONGEST = 10_000;

const BLOWS: Readonly<Record<string, (stage: Stage) => Promise<void>>> = {
  async "connections are ended"({ random, primaries }) {
    await pick(random, primaries).command("CLIENT", "KILL", "TYPE", random.pick(["pubsub", "normal"]));
  },
  async "a replica takes over"({ random, replicas }) {
    if (replicas.length > 0) await pick(random, replicas).command("CLUSTER", "FAILOVER").catch(() => {});
  },
  async "a slot is moved"({ random, cluster, primaries }) {
    const slot = slotOf(new ChannelKeys("gong:", pick(random, CHANNELS)).announced);
    const from = await ownerOf(slot, primaries);
    const to = primaries.find((primary) => primary !== from);
    if (from && to) await cluster.move(slot, from, to);
  },
  async "a primary stands still"({ random, primaries }) {
    const primary = pick(random, primaries);
    primary.pause();
    await delay(500 + random.int(5000));
    primary.resume();
  },
  async "a primary forgets its functions"({ random, primaries }) {
    await pick(random, primaries).command("FUNCTION", "FLUSH");
  },
};

function pick<T>({ int }: Random, items: readonly T[]): T {
  return items[int(items.length)]!;
}

async function ownerOf(slot: number, primaries: readonly Redis[]): Promise<Redis | undefined> {
  const shards = await primaries[0]!.command("CLUSTER", "SLOTS") as [number, number, [string, number]][];
  const port = shards.find(([from, to]) => from <= slot && slot <= to)?.[2][1];
  return primaries.find((primary) => primary.port === port);
}

async function rolesOf(servers: readonly Redis[]): Promise<Pick<Stage, "primaries" | "replicas">> {
  const roles = await Promise.all(servers.map(async ({ command }) => String((await command("ROLE") as unknown[])[0])));
  return {
    primaries: servers.filter((_, index) => roles[index] === "master"),
    replicas: servers.filter((_, index) => roles[index] === "slave"),
  };
}

/** What is at which position of which channel, which nothing else is ever. */
class Places {
  readonly #seen = new Map<string, unknown>();

  note(channel: string, { epoch, offset }: Position, data: unknown): void {
    const place = `${channel}@${epoch}:${offset}`;
    if (!this.#seen.has(place)) this.#seen.set(place, data);
    assertEquals(this.#seen.get(place), data, `${place} is two things`);
  }
}

/**
 * A Redis Cluster whose slots and primaries change under load, and one of which is killed: no call hangs, no offset is
 * used twice in one epoch, each node hears each channel in order and in the end what the others do.
 */
export async function proveRedisCluster(options: RedisClusterSoakOptions = {}): Promise<string> {
  const { seed = 1, blows = 25 } = options;
  const random = seeded(seed);
  await using stack = new AsyncDisposableStack();
  const cluster = stack.use(await startRedisCluster({ hasReplicas: true }));
  const nodes: Node[] = [];
  for (let n = 0; n < NODES; n++) nodes.push(stack.use(await openNode(cluster.url, { brokerWait: 1 })));
  await Promise.all(nodes.flatMap(({ broker }) => CHANNELS.map((channel) => broker.subscribe(channel))));
  const places = new Places();
  let [taken, refused, longest, isOver] = [0, 0, 0, false];

  async function publish(publisher: number): Promise<void> {
    for (let n = 0; !isOver; n++) {
      const drafts = Array.from({ length: 1 + random.int(4) }, (_, index) => {
        const data = `${publisher} ${n} ${index}`;
        return { ...text(pick(random, CHANNELS), data), id: data };
      });
      const start = performance.now();
      const results = await nodes[publisher % NODES]!.broker.publish(drafts);
      longest = Math.max(longest, performance.now() - start);
      for (const [index, result] of results.entries()) {
        if ("error" in result) assertEquals(result.error.code, "overloaded");
        else places.note(drafts[index]!.channel, result, drafts[index]!.data);
        "error" in result ? refused++ : taken++;
      }
      await delay(10);
    }
  }

  const publishing = Promise.all(Array.from({ length: PUBLISHERS }, (_, publisher) => publish(publisher)));
  publishing.catch(() => isOver = true);
  const alive = new Set([...cluster.primaries, ...cluster.replicas]);
  for (let blow = 1; blow <= blows && !isOver; blow++) {
    await delay(random.int(2000));
    const stage = { random, cluster, ...await rolesOf([...alive]) };
    // In the middle of it one is killed for good.
    if (blow === Math.ceil(blows / 2) && stage.replicas.length > 0) {
      const [victim] = stage.primaries;
      alive.delete(victim!);
      await victim!.kill();
      await until(
        async () => (await rolesOf([...alive])).primaries.length === stage.primaries.length,
        undefined,
        30_000,
      );
    } else await BLOWS[pick(random, Object.keys(BLOWS))]!(stage);
  }
  await delay(2000);
  isOver = true;
  await publishing;
  assert(longest < LONGEST, `a call took ${Math.round(longest)} ms`);
  for (const channel of CHANNELS) {
    const data = `last of ${channel}`;
    places.note(channel, await publishSurely(nodes[0]!.broker, { ...text(channel, data), id: data }), data);
  }
  for (const node of nodes) await checkNode(node, places);
  return `${taken} acknowledged, ${refused} refused, the longest call ${Math.round(longest)} ms`;
}

async function checkNode({ announced, faults, away }: Node, places: Places): Promise<void> {
  const heard = () => CHANNELS.filter((channel) => announced.some(({ data }) => data === `last of ${channel}`)).length;
  await until(() => heard() === CHANNELS.length, () => `${heard()} channels are heard`, 30_000);
  assertEquals([faults, away.at(-1)], [[], undefined]);
  for (const channel of CHANNELS) {
    const over = new Set<string>();
    let last: Position | undefined;
    for (const publication of announced) {
      if (publication.channel !== channel) continue;
      if (!publication.expired) places.note(channel, publication, publication.data);
      const { epoch, offset } = publication;
      if (last?.epoch === epoch) assertEquals(offset, last.offset + 1, `${channel}: in order, and nothing is left out`);
      else if (last) over.add(last.epoch);
      assert(!over.has(epoch), `${channel}: an epoch that is over does not come back`);
      last = { epoch, offset };
    }
  }
}
