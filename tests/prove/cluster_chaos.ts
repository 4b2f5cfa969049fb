import { setTimeout as delay } from "node:timers/promises";
import { startCluster, untilNodes } from "../support/cluster.ts";
import type { Gong } from "../support/gong.ts";
import { type Random, seeded } from "../support/random.ts";
import { type Redis, startRedis } from "../support/redis.ts";
import { TcpProxy } from "../support/tcp_proxy.ts";
import { ClusterCrowd, type CrowdOptions } from "./cluster_crowd.ts";
import { ROOMY } from "./cluster_soak.ts";

/** How much of it. */
export interface ChaosOptions extends Partial<Omit<CrowdOptions, "pick">> {
  /** Which blows come, and when. Default 1. */
  readonly seed?: number;
  /** Default 40. */
  readonly blows?: number;
  /** Publications that are acknowledged after each blow, at least. Default 100. */
  readonly between?: number;
}

/** What there is to hit. */
interface Stage {
  readonly random: Random;
  readonly redis: Redis;
  /** The way of each node to Redis. */
  readonly ways: Map<Gong, TcpProxy>;
  /** Starts a node. */
  readonly add: () => Promise<Gong>;
  /** Any node that there is. */
  readonly pick: () => Gong;
}

/** Seconds of a lease: shorter than some of what stands still. */
const LEASE = 2;

const BLOWS: Readonly<Record<string, (stage: Stage) => Promise<void>>> = {
  async "a node is killed, and another one comes"({ ways, pick, add }) {
    const node = pick();
    ways.delete(node);
    await node.kill();
    await add();
  },
  async "a node is stopped, and another one comes"({ ways, pick, add }) {
    const node = pick();
    ways.delete(node);
    await Promise.all([node.stop(), add()]);
  },
  async "a node stands still"({ random, pick }) {
    const node = pick();
    signal(node, "SIGSTOP");
    await delay(random.int(2 * LEASE * 1000));
    signal(node, "SIGCONT");
  },
  async "Redis stands still"({ random, redis }) {
    redis.pause();
    await delay(random.int(3000));
    redis.resume();
  },
  async "Redis ends connections"({ random, redis }) {
    await redis.command("CLIENT", "KILL", "TYPE", random.pick(["pubsub", "normal"]));
  },
  async "the connections of a node are cut"({ random, ways, pick }) {
    for (let n = random.int(5); n >= 0; n--) {
      ways.get(pick())!.cut();
      await delay(random.int(200));
    }
  },
  async "a node has no way to Redis, or half of one"({ random, ways, pick }) {
    const way = ways.get(pick())!;
    way.hold(random.pick([["up"], ["down"], ["up", "down"]]));
    await delay(random.int(2 * LEASE * 1000));
    if (random.int(2) === 0) way.cut();
    way.release();
  },
  async "a node has a slow way to Redis"({ random, ways, pick }) {
    const way = ways.get(pick())!;
    way.lag = () => random.int(50);
    await delay(random.int(2000));
    way.lag = () => 0;
  },
  async "Redis forgets its functions"({ redis }) {
    // Its own connection may be one of those that are ended.
    await redis.command("FUNCTION", "FLUSH").catch(() => {});
  },
};

/**
 * Three nodes on one Redis under a steady stream, and whatever can happen to them and to what is between them, by chance, two
 * at a time. Redis keeps what it has: so every subscriber has every acknowledged offset in the end, once and in order.
 */
export async function proveChaos(options: ChaosOptions = {}): Promise<string> {
  const { subscribers = 300, channels = 6, publishers = 6, rest = 10 } = options;
  const { seed = 1, blows = 40, between = 100 } = options;
  const random = seeded(seed);
  await using stack = new AsyncDisposableStack();
  const redis = stack.use(await startRedis());
  const proxies: TcpProxy[] = [];
  const way = (node: number) => proxies[node] ??= stack.use(new TcpProxy(redis));
  const cluster = stack.use(
    await startCluster({
      ...{ nodes: 3, redis, url: (node) => way(node).url.replace("http", "redis") },
      args: [...ROOMY, "--lease", `${LEASE}`],
    }),
  );
  const ways = new Map(cluster.nodes.map((node, index) => [node, way(index)]));
  const pick = () => random.pick([...ways.keys()] as [Gong, ...Gong[]]);
  const stage: Stage = {
    ...{ random, redis, ways, pick },
    async add() {
      const index = cluster.nodes.length;
      const node = await cluster.add();
      ways.set(node, way(index));
      return node;
    },
  };
  const crowd = stack.use(new ClusterCrowd({ pick, subscribers, channels, publishers, rest }));
  const told: string[] = [];
  try {
    await crowd.start();
    for (let blow = 0; blow < blows; blow++) {
      const names = [0, 1].map(() => random.pick(Object.keys(BLOWS) as [string, ...string[]]));
      told.push(names.join(" + "));
      await Promise.all(Array.from(new Set(names), (name) => BLOWS[name]!(stage)));
      await crowd.untilMore(between);
    }
    for (const node of ways.keys()) await untilNodes(node, ways.size);
    return `${blows} double blows: ${await crowd.finish()}`;
  } catch (cause) {
    throw new Error(`seed ${seed}, after: ${told.join("; ")}`, { cause });
  } finally {
    redis.resume();
  }
}

/** It may have ended by another blow. */
function signal(node: Gong, name: Deno.Signal): void {
  try {
    node.signal(name);
  } catch {
    // It has.
  }
}
