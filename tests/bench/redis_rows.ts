/**
 * Gong on Redis: how much it publishes beside a bare loop, and what it takes to cross from node to node.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createClient } from "@redis/client";
import { createRedisBroker } from "../../lib/brokers/redis.ts";
import { functionName } from "../../lib/brokers/redis/library.ts";
import { Intake } from "../../lib/hub/intake.ts";
import type { Draft } from "../../lib/types.ts";
import { connect } from "../support/client.ts";
import { startCluster } from "../support/cluster.ts";
import { startGong } from "../support/gong.ts";
import { startRedis } from "../support/redis.ts";
import { publishArguments } from "../support/redis_broker.ts";
import { alternate, columns, ratioOf, type Result, type Row, type Tell } from "./row.ts";

/** Publishers, each of which publishes again as soon as it is answered, and how long, in milliseconds. */
const PUBLISHERS = 100;
const PUBLISHING = 4000;
const SIZE = 200;
/** Publications whose way is measured, and how far apart they are, in milliseconds. */
const SENT = 1000;
const APART = 4;

/** The rows that concern Redis. */
export const REDIS_ROWS: readonly Row[] = [
  {
    name: "redis-publish",
    what: `acknowledged publications/s with history, ${PUBLISHERS} publishers`,
    beside: "@redis/client, the same function, a call each",
    settings: [],
    bar: "at least 0.5 × the bare loop",
    measure: measurePublish,
  },
  {
    name: "cluster-latency",
    what: "ms from publishing to hearing, JSON door, p50",
    beside: "one node, memory",
    settings: ["--isolates", "1", "--message-rate", "1000000"],
    bar: "at most 5 ms more",
    measure: measureLatency,
  },
];

async function measurePublish(_row: Row, rounds: number, tell: Tell): Promise<Result> {
  await using redis = await startRedis();
  const broker = createRedisBroker(() => {}, { broker: redis.url });
  await broker.start!();
  const client = createClient({ url: redis.url });
  await client.connect();
  // As the hub does it: what comes while a call is under way goes with the next.
  const intake = new Intake(broker, { bytes: 1 << 30, wait: 10, open: () => true });
  const draft: Draft = { channel: "a", data: "x".repeat(SIZE), contentType: "text/plain" };
  const keys = ["gong:{b}:m", "gong:{b}:s", "gong:{b}"];
  const args = publishArguments([draft]).map((arg) => Buffer.from(arg));
  const command = ["FCALL", functionName("publish"), "3", ...keys, ...args];
  try {
    const results = await alternate(rounds, tell, {
      beside: () => publishing(async () => void await client.sendCommand(command)),
      gong: () =>
        publishing(async () => {
          const [result] = await intake.publish([draft]);
          if (!result || "error" in result) throw new Error("a publication was refused");
        }),
      figure: (each) => each,
      faults: () => undefined,
    });
    const ratio = ratioOf(results);
    return { ...results, comparison: `${ratio.toFixed(2)} ×`, passed: ratio >= 0.5 };
  } finally {
    client.destroy();
    intake.close();
    await broker.close();
  }
}

/** How many a second. */
async function publishing(publish: () => Promise<void>): Promise<number> {
  const begun = performance.now();
  let count = 0;
  await Promise.all(Array.from({ length: PUBLISHERS }, async () => {
    for (; performance.now() - begun < PUBLISHING; count++) await publish();
  }));
  return Math.round(count / (performance.now() - begun) * 1000);
}

/** Of some ways, in milliseconds. */
interface Latency {
  readonly p50: number;
  readonly p99: number;
}

async function measureLatency({ settings }: Row, rounds: number, tell: Tell): Promise<Result> {
  await using memory = await startGong(settings);
  await using cluster = await startCluster({ args: settings });
  const [one, two] = cluster.nodes;
  const alone: Latency[] = [];
  for (const way of [[memory, memory], [one!, one!], [one!, two!]] as const) await latency(way[0].ws, way[1].ws);
  const results = await alternate(rounds, tell, {
    beside: () => latency(memory.ws, memory.ws),
    gong: async () => {
      alone.push(await latency(one!.ws, one!.ws));
      return await latency(one!.ws, two!.ws);
    },
    figure: ({ p50 }) => Number(p50.toFixed(2)),
    faults: () => undefined,
  });
  const crossing = results.measured;
  const more = Math.max(...results.gong.map((own, round) => own - results.beside[round]!));
  const line = (name: string, all: readonly Latency[]) => [
    name,
    all.map(({ p50 }) => p50.toFixed(2)).join(" "),
    all.map(({ p99 }) => p99.toFixed(2)).join(" "),
  ];
  const table = columns([
    ["", "p50, ms", "p99, ms"],
    line("one node, Redis", alone),
    line("two nodes, Redis", crossing),
  ]);
  return { ...results, comparison: `at most ${more.toFixed(2)} ms more`, passed: more <= 5, table };
}

async function latency(publisher: string, subscriber: string): Promise<Latency> {
  const channel = `c${crypto.randomUUID()}`;
  await using hearing = await connect(`${subscriber}/push?format=json&channel=${channel}`);
  await using publishing = await connect(`${publisher}/push?format=json`);
  while (!(await hearing.nextText()).includes('"subscribed"'));
  const times: number[] = [];
  for (let n = 0; n < SENT; n++) {
    const begun = performance.now();
    publishing.send(JSON.stringify({ publish: { channel, data: n } }));
    await hearing.next();
    times.push(performance.now() - begun);
    await new Promise((resolve) => setTimeout(resolve, APART));
  }
  times.sort((a, b) => a - b);
  return { p50: times[Math.floor(SENT / 2)]!, p99: times[Math.floor(SENT * 0.99)]! };
}
