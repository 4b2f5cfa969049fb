import { setTimeout as delay } from "node:timers/promises";
import { assert, assertEquals } from "@std/assert";
import { type Gong, startGong } from "../support/gong.ts";
import { type Random, seeded } from "../support/random.ts";
import { startRedis } from "../support/redis.ts";
import { RoundRobin } from "../support/round_robin.ts";
import { Counter, heardAll } from "../support/socketio/counts.ts";
import { connectSocket, type SocketClient, WAYS } from "../support/socketio/mod.ts";

/** How many, and for how long. */
export interface ClusterSocketIoOptions {
  /** Default 30. */
  readonly clients?: number;
  /** Default 12. */
  readonly blows?: number;
  /** Default: another one in each run. */
  readonly seed?: number;
}

/** Nodes. */
const NODES = 3;
const ARGS = [
  ...["--isolates", "2", "--lease", "4", "--drain", "4s", "--ping", "4s", "--ping-timeout", "8s"],
  ...["--history-count", "100000", "--history-bytes", "64MiB", "--api-rate", "100000", "--request-rate", "100000"],
];

/** What there is to hit. */
interface Stage {
  readonly random: Random;
  readonly args: readonly string[];
  readonly nodes: Gong[];
  readonly front: RoundRobin;
  readonly clients: readonly SocketClient[];
}

const BLOWS = [
  async function stopNode({ random, args, nodes, front }) {
    const index = random.int(NODES);
    const { port } = nodes[index]!;
    // Requests reach it to its end, and nobody until the next one is there.
    await nodes[index]!.stop();
    nodes[index] = await startGong([...args, "--port", String(port)]);
    front.nodes = [...nodes];
  },
  async function cutConnections({ random, front }) {
    for (let n = random.int(4); n >= 0; n--) {
      front.cut();
      await delay(random.int(300));
    }
  },
  async function dropClients({ random, clients }) {
    await Promise.all(clients.filter(() => random.int(3) === 0).map((client) => client.drop()));
    await delay(random.int(500));
  },
] as const satisfies readonly ((stage: Stage) => Promise<void>)[];

/**
 * Clients of Socket.IO over nodes that end one after the other and come again, each request to the next node: whoever comes
 * back is recovered, and hears everything once and in order.
 */
export async function proveClusterSocketIo(options: ClusterSocketIoOptions = {}): Promise<string> {
  const { clients: count = 30, blows = 12, seed = Date.now() } = options;
  const random = seeded(seed);
  await using redis = await startRedis();
  const args = [...ARGS, "--broker", redis.url];
  const nodes = await Promise.all(Array.from({ length: NODES }, () => startGong(args)));
  await using front = new RoundRobin(nodes);
  const clients = await Promise.all(Array.from({ length: count }, (_, n) => {
    const { transports } = WAYS[n % WAYS.length]!;
    return connectSocket(front, { transports, namespace: "/chat", auth: { user: `user ${n}`, rooms: ["room"] } });
  }));
  const counter = new Counter(front, "chat");
  try {
    for (let n = 0; n < blows; n++) {
      await random.pick(BLOWS)({ random, args, nodes, front, clients });
      await counter.more(20);
    }
    const last = await counter.stop();
    for (const client of clients) {
      await heardAll(client, last);
      assertEquals(client.connects, client.connects.map((_, index) => index > 0), `seed ${seed}: ${client.ends}`);
      assertEquals(new Set(client.ids).size, 1, "its id is the same");
    }
    const drops = clients.reduce((sum, { connects }) => sum + connects.length - 1, 0);
    assert(drops > count, `${drops} have come back`);
    return `${last} messages to ${count} clients, ${drops} came back, seed ${seed}`;
  } finally {
    await counter.stop();
    for (const client of clients) client.socket.disconnect();
    await Promise.all(nodes.map((node) => node.kill()));
  }
}
