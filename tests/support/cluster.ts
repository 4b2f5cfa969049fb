/**
 * Several nodes on one Redis, as processes.
 *
 * @module
 */
import { type Gong, type GongOptions, startGong } from "./gong.ts";
import { type Redis, startRedis } from "./redis.ts";
import { until } from "./until.ts";

/** Settings of {@linkcode startCluster}. */
export interface ClusterOptions extends GongOptions {
  /** Default 2. */
  readonly nodes?: number;
  /** Of every node, after those that make it one. */
  readonly args?: readonly string[];
  /** Default: one of its own, which ends with the cluster. */
  readonly redis?: Redis;
  /** Where nodes reach it, when that is not where it listens; each its own way, by its number from 0. */
  readonly url?: string | ((node: number) => string);
}

/** Nodes, and the Redis that they share. */
export interface Cluster extends AsyncDisposable {
  readonly redis: Redis;
  readonly nodes: readonly Gong[];
  /** Starts another node. */
  add(): Promise<Gong>;
}

/** Starts the nodes, and resolves when each knows of all others. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const { nodes: count = 2, args = [], redis = await startRedis(), url = redis.url, ...rest } = options;
  const nodes: Gong[] = [];
  const argsOf = (node: number) => {
    return ["--isolates", "1", "--broker", typeof url === "string" ? url : url(node), ...args];
  };
  async function end(): Promise<void> {
    await Promise.all(nodes.map((node) => node.kill()));
    if (options.redis === undefined) await redis.kill();
  }
  try {
    nodes.push(...await Promise.all(Array.from({ length: count }, (_, node) => startGong(argsOf(node), rest))));
    for (const node of nodes) await untilNodes(node, count);
  } catch (error) {
    await end();
    throw error;
  }
  return {
    redis,
    nodes,
    async add() {
      const node = await startGong(argsOf(nodes.length), rest);
      nodes.push(node);
      return node;
    },
    [Symbol.asyncDispose]: end,
  };
}

/** Waits until the node knows of so many, itself among them. */
export async function untilNodes(node: Pick<Gong, "output">, count: number): Promise<void> {
  const events = (name: string) => node.output().split(`"event":"node.${name}"`).length - 1;
  const known = () => 1 + events("found") - events("gone");
  await until(() => known() === count, () => `${known()} nodes are known, not ${count}`, 30_000);
}
