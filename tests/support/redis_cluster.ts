/**
 * A Redis Cluster: three primaries, and a replica of each where one is wanted.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import { slotOf, SLOTS } from "../../lib/brokers/redis/slot.ts";
import { freePort, type Redis, startRedis } from "./redis.ts";
import { until } from "./until.ts";

/** Settings of {@linkcode startRedisCluster}. */
export interface RedisClusterOptions {
  /** Whether each primary has a replica. */
  readonly hasReplicas?: boolean;
  /** Further arguments of each server. */
  readonly args?: readonly string[];
  /** What makes each speak TLS, on a port of its own, which is the one that it names. */
  readonly tls?: readonly string[];
}

/** Servers of one cluster. */
export interface RedisCluster extends AsyncDisposable {
  /** For `--broker`; with TLS, if they speak that. */
  readonly url: string;
  readonly tlsUrl: string;
  readonly primaries: readonly Redis[];
  /** In the order of their primaries. */
  readonly replicas: readonly Redis[];
  /** Which primary had the key at the start. */
  primaryOf(key: string): Redis;
  /** A command of one key, there. */
  command(...args: (string | Buffer)[]): Promise<unknown>;
  /** Starts another primary, which has no slots. */
  add(): Promise<Redis>;
  /** Moves a slot with everything in it; calls `midway` when some of it is on either side. */
  move(slot: number, from: Redis, to: Redis, midway?: () => Promise<void>): Promise<void>;
}

const PRIMARIES = 3;
/** Large enough for a machine that has much else to do. */
const NODE_TIMEOUT = "3000";

let shared: Promise<RedisCluster> | undefined;

/** One for all tests of a file, which keep to prefixes of their own. It ends with the process. */
export function sharedRedisCluster(): Promise<RedisCluster> {
  return shared ??= startRedisCluster().then((cluster) => {
    globalThis.addEventListener("unload", () => cluster.primaries.forEach(({ pid }) => Deno.kill(pid, "SIGKILL")));
    return cluster;
  });
}

/** Starts all of them; resolves when each takes commands and replicas have what their primaries have. */
export async function startRedisCluster(options: RedisClusterOptions = {}): Promise<RedisCluster> {
  await using stack = new AsyncDisposableStack();
  const start = async () => stack.use(await startServer(options));
  const primaries = await Promise.all(Array.from({ length: PRIMARIES }, start));
  const replicas = options.hasReplicas ? await Promise.all(primaries.map(start)) : [];
  const firsts = primaries.map((_, index) => Math.ceil(index * SLOTS / PRIMARIES));
  for (const [index, { command }] of primaries.entries()) {
    await command("CLUSTER", "SET-CONFIG-EPOCH", String(index + 1));
    const last = (firsts[index + 1] ?? SLOTS) - 1;
    await command("CLUSTER", "ADDSLOTSRANGE", String(firsts[index]), String(last));
  }
  await meet([...primaries, ...replicas]);
  for (const [index, replica] of replicas.entries()) {
    const id = String(await primaries[index]!.command("CLUSTER", "MYID"));
    await until(async () => String(await replica.command("CLUSTER", "NODES")).includes(id), undefined, 30_000);
    await replica.command("CLUSTER", "REPLICATE", id);
    await untilInfo(replica, "master_link_status:up", "replication");
  }
  for (const server of [...primaries, ...replicas]) await untilKnown(server, primaries.length + replicas.length);
  const all = stack.move();
  const primaryOf = (key: string) => {
    const slot = slotOf(key);
    return primaries[firsts.findLastIndex((first) => first <= slot)]!;
  };
  return {
    url: `redis+cluster://${primaries.map(({ port }) => `127.0.0.1:${port}`).join()}`,
    tlsUrl: `rediss+cluster://${(await Promise.all(primaries.map(portOf))).map((port) => `127.0.0.1:${port}`).join()}`,
    primaries,
    replicas,
    primaryOf,
    command: (...args) => primaryOf(String(args[1])).command(...args),
    async add() {
      const server = all.use(await startServer(options));
      await meet([primaries[0]!, server]);
      for (const one of [...primaries, server]) await untilKnown(one, primaries.length + replicas.length + 1);
      return server;
    },
    move: moveSlot,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

async function startServer({ args = [], tls }: RedisClusterOptions): Promise<Redis> {
  const cluster = ["--cluster-enabled", "yes", "--cluster-port", String(freePort())];
  const timing = ["--cluster-node-timeout", NODE_TIMEOUT, "--repl-diskless-sync-delay", "0"];
  const tlsPort = String(freePort());
  const secured = tls ? ["--tls-port", tlsPort, "--cluster-announce-port", tlsPort, ...tls] : [];
  const coverage = ["--cluster-require-full-coverage", "no"];
  return await startRedis({ args: [...cluster, ...timing, ...secured, ...coverage, ...args] });
}

/** Has all others know the first. */
async function meet([first, ...others]: readonly Redis[]): Promise<void> {
  const bus = await settingOf(first!, "cluster-port");
  for (const { command } of others) await command("CLUSTER", "MEET", "127.0.0.1", await portOf(first!), bus);
}

/** The one that others know it by. */
async function portOf(server: Redis): Promise<string> {
  const port = await settingOf(server, "tls-port");
  return port === "0" ? String(server.port) : port;
}

async function settingOf({ command }: Redis, name: string): Promise<string> {
  return (await command("CONFIG", "GET", name) as Record<string, string>)[name]!;
}

async function untilKnown(server: Redis, count: number): Promise<void> {
  await untilInfo(server, `cluster_known_nodes:${count}\r\n`);
  await untilInfo(server, "cluster_state:ok");
}

/** Waits until it says so of the cluster, or in a part of what it says of itself. */
export async function untilInfo({ command }: Redis, expected: string, part?: string): Promise<void> {
  const ask = part === undefined ? ["CLUSTER", "INFO"] : ["INFO", part];
  let info = "";
  await until(async () => (info = String(await command(...ask))).includes(expected), () => info, 30_000);
}

async function moveSlot(slot: number, from: Redis, to: Redis, midway?: () => Promise<void>): Promise<void> {
  const [source, target] = await Promise.all(
    [from, to].map(async ({ command }) => String(await command("CLUSTER", "MYID"))),
  );
  await to.command("CLUSTER", "SETSLOT", String(slot), "IMPORTING", source!);
  await from.command("CLUSTER", "SETSLOT", String(slot), "MIGRATING", target!);
  const keys = await from.command("CLUSTER", "GETKEYSINSLOT", String(slot), "1000") as string[];
  for (const [index, key] of keys.entries()) {
    if (index === 1) await midway?.();
    await from.command("MIGRATE", "127.0.0.1", String(to.port), key, "0", "5000");
  }
  if (keys.length < 2) await midway?.();
  for (const { command } of [to, from]) await command("CLUSTER", "SETSLOT", String(slot), "NODE", target!);
}
