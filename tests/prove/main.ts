/**
 * `deno task prove`: the long soaks, a line of result each; exits 1 when one fails.
 *
 *     deno task prove [--only WORD]...
 *
 * @module
 */
import { parseFlags, UsageError } from "../../lib/flags.ts";
import { proveBurst } from "./burst.ts";
import { proveChaos } from "./cluster_chaos.ts";
import { proveCluster } from "./cluster_soak.ts";
import { proveClusterSocketIo } from "./cluster_socketio.ts";
import { proveCrowd } from "./crowd.ts";
import { proveEdge } from "./edges.ts";
import { proveFuzz } from "./fuzz.ts";
import { proveIdle } from "./idle.ts";
import { proveKill } from "./kill.ts";
import { provePresence } from "./presence.ts";
import { proveQueue, type QueueSoakOptions } from "./queue_soak.ts";
import { proveRedisCluster } from "./redis_cluster.ts";
import { proveSchedules } from "./schedules.ts";
import type { Soak } from "./soak.ts";
import { proveSocketIo } from "./socketio_soak.ts";
import { proveSilent, proveStalled } from "./stalled.ts";
import { proveStompFuzz } from "./stomp_fuzz.ts";
import { proveTransactions } from "./transactions.ts";

/** Every way to acknowledge, with as many messages as may be with one consumer, for every broker. */
const QUEUES: readonly QueueSoakOptions[] = (["memory", "sqlite"] as const).flatMap((broker) =>
  (["client-individual", "client"] as const).flatMap((ack) => [
    ...[1, 10, 100].map((prefetch) => ({ broker, ack, prefetch })),
    ...broker === "sqlite" ? [{ broker, ack, prefetch: 10, kills: 5 }] : [],
  ])
);

const SOAKS: readonly Soak[] = [
  { name: "burst, plain", run: () => proveBurst({ format: "plain", rounds: 5 }) },
  { name: "burst, json", run: () => proveBurst({ format: "json", rounds: 10 }) },
  { name: "burst, json, bus loses 30 %", run: () => proveBurst({ format: "json", rounds: 10, busDrop: 30 }) },
  { name: "burst, plain, bus loses everything", run: () => proveBurst({ format: "plain", rounds: 5, busDrop: 100 }) },
  { name: "burst, json, bus loses everything", run: () => proveBurst({ format: "json", rounds: 5, busDrop: 100 }) },
  {
    name: "steady, json, bus loses 30 %",
    run: () => proveBurst({ format: "json", subscribers: 200, rate: 500, count: 5000, busDrop: 30 }),
  },
  { name: "kill -9 under load, sqlite", run: () => proveKill() },
  { name: "a cluster, kill -9, Redis that stands still, cut connections", run: () => proveCluster() },
  ...[1, 2, 3].map((seed): Soak => ({ name: `a cluster, chaos ${seed}`, run: () => proveChaos({ seed }) })),
  ...[1, 2, 3].map((seed): Soak => ({
    name: `a Redis Cluster, chaos ${seed}`,
    run: () => proveRedisCluster({ seed }),
  })),
  { name: "schedules, kill -9, sqlite", run: () => proveSchedules() },
  { name: "an edge throws", run: () => proveEdge({ fault: "throws" }) },
  { name: "an edge exits", run: () => proveEdge({ fault: "exits" }) },
  { name: "an edge is terminated", run: () => proveEdge({ fault: "is terminated" }) },
  { name: "a crowd, and isolates that die", run: () => proveCrowd() },
  { name: "15,000 idle", run: () => proveIdle() },
  { name: "15,000 present", run: () => provePresence() },
  { name: "1 and 200 stalled", run: () => proveStalled({ stalled: [1, 200] }) },
  { name: "1 and 200 stalled, sse", run: () => proveStalled({ door: "sse", stalled: [1, 200] }) },
  { name: "200 silent", run: () => proveSilent({ stalled: 200 }) },
  ...QUEUES.map((options): Soak => ({ name: queueName(options), run: () => proveQueue(options) })),
  { name: "transactions", run: () => proveTransactions({ transactions: 9000 }) },
  { name: "transactions, kill -9, sqlite", run: () => proveTransactions({ broker: "sqlite", kills: 5 }) },
  { name: "socketio, 200 clients, no stickiness", run: () => proveSocketIo() },
  { name: "socketio, a cluster whose nodes end, no stickiness", run: () => proveClusterSocketIo() },
  { name: "fuzz", run: () => proveFuzz(5000) },
  { name: "fuzz, STOMP", run: () => proveStompFuzz({ frames: 300_000, seed: 2 }) },
];

function queueName({ broker, ack, prefetch, kills }: QueueSoakOptions): string {
  return `queue, ${broker}, ${ack}, ${prefetch} at once${kills === undefined ? "" : ", kill -9"}`;
}

const encoder = new TextEncoder();

function print(text: string): void {
  Deno.stdout.writeSync(encoder.encode(text));
}

async function main(args: readonly string[]): Promise<number> {
  const words = parseFlags(args, { list: ["only"] }).list.get("only");
  const soaks = SOAKS.filter(({ name }) => words === undefined || words.some((word) => name.includes(word)));
  if (soaks.length === 0) throw new UsageError(`--only: the soaks are ${SOAKS.map(({ name }) => name).join("; ")}`);
  let failed = 0;
  for (const { name, run } of soaks) {
    const start = performance.now();
    const result = await run().then((seen) => `PASS  ${name}: ${seen}`, (error) => {
      failed += 1;
      return `FAIL  ${name}: ${String(error?.message ?? error).replaceAll(/\s+/g, " ")}`;
    });
    print(`${result} (${Math.round((performance.now() - start) / 1000)} s)\n`);
  }
  print(`${soaks.length - failed} passed, ${failed} failed\n`);
  return failed === 0 ? 0 : 1;
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    Deno.exit(2);
  }
}
