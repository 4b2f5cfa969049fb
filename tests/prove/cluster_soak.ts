import { setTimeout as delay } from "node:timers/promises";
import { assert, assertEquals } from "@std/assert";
import { startCluster, untilNodes } from "../support/cluster.ts";
import { ClusterCrowd, type CrowdOptions } from "./cluster_crowd.ts";

/** How many, and how long Redis stands still. */
export interface ClusterSoakOptions extends Partial<Omit<CrowdOptions, "pick">> {
  /** Publications that are acknowledged between two blows, at least. Default 500. */
  readonly between?: number;
  /** Seconds for which Redis stands still. Default 5. */
  readonly pause?: number;
}

/** What a node of a soak needs. */
export const ROOMY: readonly string[] = [
  ...["--history-count", "1000000", "--history-bytes", "1GiB", "--history-age", "1h", "--broker-wait", "1"],
  ...["--api-rate", "1000000", "--request-rate", "1000000", "--max-per-address", "100000", "--max-message", "1KiB"],
];

/**
 * Three nodes on one Redis under a steady stream: a node is killed, Redis stands still, the connections on which it
 * announces are cut. Every subscriber has every acknowledged offset in the end, once and in order.
 */
export async function proveCluster(options: ClusterSoakOptions = {}): Promise<string> {
  const { subscribers = 3000, channels = 10, publishers = 4, rest = 20, between = 500, pause = 5 } = options;
  await using cluster = await startCluster({ nodes: 3, args: ROOMY });
  const { redis } = cluster;
  const alive = [...cluster.nodes];
  const pick = () => alive[Math.floor(Math.random() * alive.length)]!;
  using crowd = new ClusterCrowd({ pick, subscribers, channels, publishers, rest });
  try {
    await crowd.start();
    await crowd.untilMore(between);
    const [killed] = alive.splice(1, 1);
    await killed!.kill();
    await crowd.untilMore(between);
    redis.pause();
    const refused = crowd.unanswered;
    await delay(pause * 1000);
    assert(crowd.unanswered > refused, "publishing is refused while Redis stands still");
    for (const node of alive) {
      const { status, ...response } = await readiness(node);
      assertEquals([status, response.ready, response.degraded?.length], [200, true, 1], JSON.stringify(response));
    }
    redis.resume();
    await crowd.untilMore(between);
    for (let cut = 0; cut < 3; cut++) {
      await redis.command("CLIENT", "KILL", "TYPE", "pubsub");
      await crowd.untilMore(between);
    }
    await untilNodes(alive[0]!, 2);
    return await crowd.finish();
  } finally {
    // It could not be ended otherwise.
    redis.resume();
  }
}

async function readiness({ url }: { readonly url: string }) {
  const response = await fetch(`${url}/ready`);
  const body: { ready: boolean; degraded?: string[] } = await response.json();
  return { status: response.status, ...body };
}
