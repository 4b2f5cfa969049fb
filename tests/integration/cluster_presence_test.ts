/**
 * Who is present on the nodes of a cluster, as nodes are killed, stand still and end: what `$presence/CHANNEL` has had of it
 * in all, not only what one client has heard.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { type Cluster, startCluster, untilNodes } from "../support/cluster.ts";
import { Commander, type Line } from "../support/commands.ts";
import type { Gong } from "../support/gong.ts";
import { redisTest } from "../support/redis.ts";
import { until } from "../support/until.ts";

const LEASE = 4;
/** How long a node may take to answer, in milliseconds: one that stands still never does. */
const PATIENCE = 10_000;
const ARGS = ["--rule", "room:* presence=joins", "--lease", `${LEASE}`];

async function ask({ url }: Gong, path: string): Promise<Line> {
  return await (await fetch(`${url}${path}`, { signal: AbortSignal.timeout(PATIENCE) })).json();
}

/** Resolves when these nodes say that exactly these are there. */
async function untilPresent(nodes: readonly Gong[], sessions: readonly string[]): Promise<void> {
  for (const node of nodes) {
    let seen: Line;
    await until(async () => {
      seen = await ask(node, "/api/presence?channel=room:1&limit=100");
      return seen.count === sessions.length;
    }, () => `${seen.count} are there, not ${sessions.length}`);
    assertEquals(seen.present.map(({ session }: Line) => session).sort(), [...sessions].sort());
  }
}

/** How often everybody was said to have joined, and to have left. */
async function toldOf(node: Gong): Promise<{ joined: Record<string, number>; left: Record<string, number> }> {
  const channel = encodeURIComponent("$presence/room:1");
  const { publications } = await ask(node, `/api/history?channel=${channel}&limit=1000`);
  const told = { joined: {} as Record<string, number>, left: {} as Record<string, number> };
  for (const { data } of publications) {
    for (const kind of ["joined", "left"] as const) {
      for (const { session } of data[kind]) told[kind][session] = (told[kind][session] ?? 0) + 1;
    }
  }
  return told;
}

/** So many times each of them. */
function each(sessions: readonly string[], times: number): Record<string, number> {
  return Object.fromEntries(sessions.map((session) => [session, times]));
}

/** Resolves when it has been published of each of them so many times, and of nobody else. */
async function untilTold(node: Gong, kind: "joined" | "left", expected: Record<string, number>): Promise<void> {
  const sum = (told: Record<string, number>) => Object.values(told).reduce((sum, times) => sum + times, 0);
  let seen: Record<string, number> = {};
  await until(
    async () => sum(seen = (await toldOf(node))[kind]) >= sum(expected),
    () => `${kind}: ${sum(seen)}, not ${sum(expected)}`,
  );
  assertEquals(seen, expected);
}

/** Clients in `room:1`, so many on the node, which are told of as having joined. */
async function fill(stack: AsyncDisposableStack, node: Gong, count: number): Promise<Commander[]> {
  const open = () => Commander.open(node, "channel=room:1&user=ann");
  return (await Promise.all(Array.from({ length: count }, open))).map((client) => stack.use(client));
}

function sessionsOf(clients: readonly Commander[]): string[] {
  return clients.map(({ session }) => session);
}

/** Has one more come and go, and waits until that is told: what had to be told of before that has been. */
async function passBy(cluster: Cluster, node: Gong): Promise<void> {
  const before = Object.values((await toldOf(node)).left).length;
  const client = await Commander.open(node, "channel=room:1");
  await until(async () => client.session in (await toldOf(node)).joined);
  await client[Symbol.asyncDispose]();
  await until(async () => Object.values((await toldOf(node)).left).length > before, () => cluster.nodes[0]!.output());
}

redisTest("two of three nodes are killed at once: who was there is gone on the third, and told of once", async () => {
  await using stack = new AsyncDisposableStack();
  const cluster = stack.use(await startCluster({ nodes: 3, args: ARGS }));
  const [one, two, three] = cluster.nodes as [Gong, Gong, Gong];
  const here = sessionsOf(await fill(stack, one, 2));
  const there = sessionsOf([...await fill(stack, two, 5), ...await fill(stack, three, 5)]);
  await untilPresent(cluster.nodes, [...here, ...there]);
  await untilTold(one, "joined", each([...here, ...there], 1));
  await Promise.all([two.kill(), three.kill()]);
  await untilPresent([one], here);
  await untilTold(one, "left", each(there, 1));
  assertEquals((await ask(one, "/api/users/ann")).count, here.length);
});

redisTest("a node is killed, and both that are left say the same of it, once, also of who had just gone", async () => {
  await using stack = new AsyncDisposableStack();
  const cluster = stack.use(await startCluster({ nodes: 3, args: ARGS }));
  const [one, two, three] = cluster.nodes as [Gong, Gong, Gong];
  const clients = await fill(stack, two, 60);
  await untilPresent(cluster.nodes, sessionsOf(clients));
  await untilTold(one, "joined", each(sessionsOf(clients), 1));
  const going = clients.slice(0, 10);
  await Promise.all(going.map((client) => client[Symbol.asyncDispose]()));
  await untilPresent([one, three], sessionsOf(clients.slice(10)));
  // Most likely before it has come to saying so.
  await two.kill();
  await untilPresent([one, three], []);
  await until(async () => Object.keys((await toldOf(one)).left).length === 60);
  await passBy(cluster, three);
  const { left } = await toldOf(one);
  assertEquals(Object.keys(left).length, 61);
  // Of the others nobody can have heard twice; of these, if it was killed just as it had said it.
  for (const session of sessionsOf(clients.slice(10))) assertEquals(left[session], 1);
});

redisTest(
  "a node stands still for longer than its lease, twice: it is told of as gone and as back each time",
  async () => {
    await using stack = new AsyncDisposableStack();
    const cluster = stack.use(await startCluster({ nodes: 3, args: ARGS }));
    const [one, two, three] = cluster.nodes as [Gong, Gong, Gong];
    const here = sessionsOf(await fill(stack, one, 2));
    const clients = await fill(stack, two, 5);
    const there = sessionsOf(clients);
    await untilPresent(cluster.nodes, [...here, ...there]);
    await untilTold(one, "joined", each([...here, ...there], 1));
    for (const times of [1, 2]) {
      {
        using _paused = two.pause();
        await untilPresent([one, three], here);
        await untilTold(three, "left", each(there, times));
      }
      await untilPresent(cluster.nodes, [...here, ...there]);
      await untilTold(one, "joined", { ...each(here, 1), ...each(there, 1 + times) });
      for (const node of [one, three]) await untilNodes(node, 3);
    }
    for (const client of clients) assertEquals(Object.keys(await client.command({ ping: {} })), ["ok"]);
  },
);

/** What becomes of the lease of a node that stands still, and may be all that Redis knows of nodes. */
const LOSSES: Record<string, (cluster: Cluster, node: number) => Promise<unknown>> = {
  "taken from it": async ({ redis }, node) => {
    await redis.command("ZREM", "gong:{$nodes}", `${node}`);
    await redis.command("HDEL", "gong:{$nodes}:i", `${node}`);
  },
  "over": ({ redis }, node) => redis.command("ZADD", "gong:{$nodes}", "XX", "1", `${node}`),
  "lost with those of all others": ({ redis }) => {
    return redis.command("DEL", "gong:{$nodes}", "gong:{$nodes}:i", "gong:{$nodes}:n");
  },
};

for (const [loss, lose] of Object.entries(LOSSES)) {
  redisTest(`a node whose lease was ${loss} takes it up again: all see who is there, and nobody else`, async () => {
    await using stack = new AsyncDisposableStack();
    const cluster = stack.use(await startCluster({ nodes: 3, args: ARGS }));
    const [one, two, three] = cluster.nodes as [Gong, Gong, Gong];
    const [stays, goes] = await fill(stack, one, 2) as [Commander, Commander];
    const [remains, leaves, ends] = await fill(stack, two, 3) as [Commander, Commander, Commander];
    await untilPresent(cluster.nodes, sessionsOf([stays, goes, remains, leaves, ends]));
    const { node } = JSON.parse(await two.line(/"node.joined"/));
    const gone: Promise<unknown>[] = [];
    let comes: Commander;
    {
      using _paused = two.pause();
      await lose(cluster, node);
      await untilPresent([one, three], sessionsOf([stays, goes]));
      // Of what happens meanwhile the node knows nothing, nor do the others of what happens to its clients.
      await goes[Symbol.asyncDispose]();
      [comes] = await fill(stack, three, 1) as [Commander];
      gone.push(leaves.command({ unsubscribe: { channel: "room:1" } }), ends[Symbol.asyncDispose]());
      await untilPresent([one, three], sessionsOf([stays, comes]));
    }
    await Promise.all(gone);
    await untilPresent(cluster.nodes, sessionsOf([stays, comes, remains]));
    for (const other of [one, three]) await untilNodes(other, 3);
    for (const other of cluster.nodes) {
      await until(async () => (await ask(other, "/api/users/ann")).count === 4);
      assertEquals((await ask(other, "/api/stats")).gong_present, 3);
    }
    assertEquals(await cluster.redis.command("ZCARD", "gong:{$nodes}"), 3);
    assertEquals(Object.keys(await remains.command({ ping: {} })), ["ok"]);
  });
}

redisTest("a node that ends has told of everybody itself, and the others add nothing to it", async () => {
  await using stack = new AsyncDisposableStack();
  const cluster = stack.use(await startCluster({ nodes: 3, args: ARGS }));
  const [one, two, three] = cluster.nodes as [Gong, Gong, Gong];
  const clients = sessionsOf(await fill(stack, two, 60));
  await untilPresent(cluster.nodes, clients);
  await untilTold(one, "joined", each(clients, 1));
  assertEquals(await two.stop(), 0);
  await untilPresent([one, three], []);
  await untilTold(one, "left", each(clients, 1));
  for (const node of [one, three]) await untilNodes(node, 2);
  await passBy(cluster, three);
  assertEquals(Object.values((await toldOf(one)).left).length, 61);
  assertEquals(new Set(Object.values((await toldOf(one)).left)), new Set([1]));
});
