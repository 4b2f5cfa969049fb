/**
 * Nodes on one Redis, as clients and operators see them.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { type Cluster, startCluster, untilNodes } from "../support/cluster.ts";
import { Commander, type Line } from "../support/commands.ts";
import type { Gong } from "../support/gong.ts";
import { redisTest, startRedis } from "../support/redis.ts";
import { connectSocket, type SocketClient } from "../support/socketio/mod.ts";
import { until } from "../support/until.ts";

async function post(gong: Pick<Gong, "url">, body: unknown): Promise<Response> {
  const headers = { "content-type": "application/json" };
  return await fetch(`${gong.url}/api/publish`, { method: "POST", headers, body: JSON.stringify(body) });
}

/** Publishes until it is taken. */
async function publishSurely(gong: Pick<Gong, "url">, channel: string, data: string): Promise<Line> {
  let answer: Line;
  await until(async () => {
    const response = await post(gong, { channel, data, id: data });
    answer = await response.json();
    return response.ok;
  }, () => JSON.stringify(answer));
  return answer.positions[0];
}

async function presenceOf({ url }: Pick<Gong, "url">, channel: string): Promise<Line> {
  return await (await fetch(`${url}/api/presence?channel=${channel}`)).json();
}

/** One Redis, whose port and folder stay while it comes and goes. */
async function startLasting() {
  const dir = await Deno.makeTempDir({ prefix: "gong-redis-" });
  let redis = await startRedis({ dir });
  return {
    get current() {
      return redis;
    },
    async restart() {
      redis = await startRedis({ dir, port: redis.port });
    },
    async [Symbol.asyncDispose]() {
      await redis.kill();
      await Deno.remove(dir, { recursive: true });
    },
  };
}

redisTest("a node is killed: its sessions are gone within one lease, and their leaving is told of once", async () => {
  const lease = 4;
  await using cluster = await startCluster({
    nodes: 3,
    args: ["--rule", "room:* presence=joins", "--lease", `${lease}`],
  });
  const [one, two, three] = cluster.nodes as [Gong, Gong, Gong];
  await using watcher = await Commander.open(one, "channel=room:1&channel=$presence/room:1&user=ann");
  const ghosts = await Promise.all([1, 2, 3].map((n) => Commander.open(two, `channel=room:1&user=u${n}`)));
  await using other = await Commander.open(three, "channel=room:1&user=ann");
  for (const node of cluster.nodes) {
    await until(async () => (await presenceOf(node, "room:1")).count === 5, () => node.output());
  }
  assertEquals((await presenceOf(three, "room:1")).users, 4);
  const start = performance.now();
  await two.kill();
  for (const node of [one, three]) {
    let seen: Line;
    await until(
      async () => {
        seen = await presenceOf(node, "room:1");
        return seen.count === 2;
      },
      () => JSON.stringify(seen),
      (lease + 2) * 1000,
    );
    assertEquals(seen.users, 1);
  }
  // Two seconds more than the lease, for a machine that stood still.
  assert(performance.now() - start < (lease + 2) * 1000);
  const left: string[] = [];
  while (left.length < 3) {
    const { data } = await watcher.publication("$presence/room:1");
    left.push(...data.left.map(({ session }: Line) => session));
  }
  assertEquals(left.sort(), ghosts.map(({ session }) => session).sort());
  // What comes next is about somebody else.
  await other[Symbol.asyncDispose]();
  for (;;) {
    const { data } = await watcher.publication("$presence/room:1");
    if (data.left.length === 0) continue;
    assertEquals(data.left.map(({ session }: Line) => session), [other.session]);
    break;
  }
});

redisTest("a node ends: who listens elsewhere is told that its sessions have left, at once and once", async () => {
  await using cluster = await startCluster({ args: ["--rule", "room:* presence=joins", "--lease", "60"] });
  const [one, two] = cluster.nodes as [Gong, Gong];
  await using watcher = await Commander.open(one, "channel=$presence/room:1");
  const leaving = await Promise.all([1, 2, 3].map((n) => Commander.open(two, `channel=room:1&user=u${n}`)));
  const sessions = leaving.map(({ session }) => session).sort();
  for (const [kind, act] of [["joined", () => {}], ["left", () => two.stop()]] as const) {
    await act();
    const told: string[] = [];
    while (told.length < 3) {
      const { data } = await watcher.publication("$presence/room:1");
      told.push(...data[kind].map(({ session }: Line) => session));
    }
    assertEquals(told.sort(), sessions, kind);
  }
  assertEquals((await presenceOf(one, "room:1")).count, 0);
  await untilNodes(one, 1);
});

redisTest("a node that stood still for longer than its lease is one of them again, with its sessions", async () => {
  await using cluster = await startCluster({ args: ["--rule", "room:* presence=on", "--lease", "1"] });
  const [one, two] = cluster.nodes as [Gong, Gong];
  await using client = await Commander.open(two, "channel=room:1&user=bob");
  await until(async () => (await presenceOf(one, "room:1")).count === 1);
  {
    using _paused = two.pause();
    await until(async () => (await presenceOf(one, "room:1")).count === 0);
  }
  await untilNodes(one, 2);
  await until(async () => (await presenceOf(one, "room:1")).count === 1);
  const { ok } = await client.command({ publish: { channel: "room:1", data: "still here" } });
  assertEquals((await client.publication()).offset, ok.offset);
});

redisTest(
  "Redis is away: clients stay, publishing is refused with a time, and everything goes on after it",
  async () => {
    await using redis = await startLasting();
    await redis.current.command("CONFIG", "SET", "appendonly", "yes");
    await using cluster = await startCluster({ redis: redis.current, args: ["--broker-wait", "0.5"] });
    const [one, two] = cluster.nodes as [Gong, Gong];
    await using client = await Commander.open(two, "channel=a");
    await publishSurely(one, "a", "1");
    assertEquals((await client.publication()).data, "1");
    await redis.current.kill();
    const ready = async ({ url }: Gong) => {
      const response = await fetch(`${url}/ready`);
      return { status: response.status, ...await response.json() };
    };
    await until(async () => (await ready(one)).degraded && (await ready(two)).degraded);
    assertEquals([(await ready(one)).status, (await ready(one)).ready], [200, true]);
    const refused = await post(one, { channel: "a", data: "2" });
    assertEquals([refused.status, refused.headers.get("retry-after")], [503, "1"]);
    await refused.body?.cancel();
    assertEquals((await client.command({ publish: { channel: "a", data: "2" } })).error.code, "overloaded");
    assert("ok" in await client.command({ ping: {} }), "it is still connected");
    await redis.restart();
    const position = await publishSurely(one, "a", "3");
    // Whether Redis had everything on its disk or not, nobody can know: the numbering is another one.
    const lost = await client.take(({ type }) => type === "lost" || type === "subscribed");
    assertEquals([lost.channel, lost.recovered ?? false], ["a", false]);
    const { data, epoch, offset } = await client.publication();
    assertEquals([data, epoch, offset], ["3", position.epoch, position.offset]);
    await until(async () => (await ready(one)).degraded === undefined && (await ready(two)).degraded === undefined);
  },
);

redisTest("a room of Socket.IO over three nodes: all others in it hear a message once, and nobody else", async () => {
  await using cluster = await startCluster({ nodes: 3 });
  const [one, two, three] = cluster.nodes as [Gong, Gong, Gong];
  await using stack = new AsyncDisposableStack();
  const connect = async (gong: Gong): Promise<SocketClient> => {
    return stack.use(await connectSocket(gong, { namespace: "/chat1", transports: ["websocket"] }));
  };
  const [first, second, third, outside] = [
    await connect(one),
    await connect(one),
    await connect(three),
    await connect(two),
  ];
  for (const client of [first, second, third]) await client.ask("join", "blue");
  await first.ask("to", "blue", "message", "hello, blue");
  const hello = ({ heard }: SocketClient) =>
    heard.filter(({ event }) => event === "message").map(({ args }) => args[0]);
  await until(() => hello(second).length > 0 && hello(third).length > 0, () => JSON.stringify(third.heard));
  // Behind it comes one for all of the namespace.
  await first.ask("message", "hello, all");
  await until(() => [second, third, outside].every((client) => hello(client).includes("hello, all")));
  for (const client of [second, third]) assertEquals(hello(client), ["hello, blue", "hello, all"]);
  assertEquals(hello(outside), ["hello, all"]);
});

redisTest("a schedule that is made on one node fires once, also when that node is gone", async () => {
  await using cluster = await startCluster({ args: ["--lease", "2"] });
  const [one, two] = cluster.nodes as [Gong, Gong];
  await using client = await Commander.open(two, "channel=ticks");
  const response = await fetch(`${one.url}/api/schedules`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ id: "tick", every: 1, channel: "ticks", data: "tick" }),
  });
  assertEquals(response.status, 201, await response.text());
  const offsets = [(await client.publication()).offset, (await client.publication()).offset];
  assertEquals(offsets, [1, 2]);
  const listed = await (await fetch(`${two.url}/api/schedules`)).json();
  assertEquals(listed.schedules.map(({ id }: Line) => id), ["tick"]);
  await one.kill();
  for (let n = 3; n <= 6; n++) assertEquals((await client.publication()).offset, n);
  const history = await (await fetch(`${two.url}/api/history?channel=ticks&limit=100`)).json();
  const ids = history.publications.map(({ messageId, id }: Line) => messageId ?? id);
  assertEquals(new Set(ids).size, ids.length, "no time is published twice");
});

redisTest("a session of one node is closed from another, and an admin login holds on all", async () => {
  await using cluster: Cluster = await startCluster({
    dev: false,
    env: { GONG_API_KEY: "boss:admin:0123456789abcdef" },
  });
  const [one, two] = cluster.nodes as [Gong, Gong];
  const key = { "x-api-key": "0123456789abcdef" };
  const token = await fetch(`${one.url}/admin/login`, {
    method: "POST",
    headers: { "content-type": "application/json", origin: one.url },
    body: JSON.stringify({ key: "0123456789abcdef" }),
  });
  await token.body?.cancel();
  const cookie = token.headers.get("set-cookie")?.split(";")[0];
  assert(cookie, `${token.status}`);
  const stats = async (node: Gong) => {
    const response = await fetch(`${node.url}/api/stats`, { headers: { cookie, origin: node.url } });
    await response.body?.cancel();
    return response.status;
  };
  assertEquals([await stats(one), await stats(two)], [200, 200]);
  const logout = await fetch(`${two.url}/admin/logout`, {
    method: "POST",
    headers: { "content-type": "application/json", cookie, origin: two.url },
    body: "{}",
  });
  assertEquals(logout.status, 204);
  await until(async () => await stats(one) === 401);
  await using client = await Commander.open(two, "channel=broadcast");
  const closed = await fetch(`${one.url}/api/sessions/${client.session}`, { method: "DELETE", headers: key });
  assert(closed.ok, `${closed.status} ${await closed.text()}`);
  await until(async () => (await (await fetch(`${one.url}/api/sessions`, { headers: key })).json()).total === 0);
});

redisTest("what became of a publication is added up over all nodes, whichever is asked", async () => {
  await using cluster = await startCluster({ nodes: 3 });
  const [one, two, three] = cluster.nodes as [Gong, Gong, Gong];
  await using _here = await Commander.open(one, "channel=news");
  await using there = await Commander.open(two, "channel=news");
  await using _beside = await Commander.open(two, "channel=news");
  const publish = (node: Gong) => post(node, { channel: "news", data: "x", id: "x", trace: true });
  const [{ epoch, offset }] = (await (await publish(one)).json()).positions;
  await there.publication("news");
  // It is given it from history, by a node that has not heard it.
  await using late = await Commander.open(three, `channel=news&since=news@${epoch}:${offset - 1}`);
  await late.publication("news");
  assertEquals((await (await publish(three)).json()).positions[0].repeated, true);
  for (const node of cluster.nodes) {
    let noted: Line;
    await until(async () => {
      noted = (await (await fetch(`${node.url}/api/publications/x`)).json()).publications;
      return noted.every(({ queued }: Line) => queued === 4);
    }, () => JSON.stringify(noted));
    assertEquals(noted!.map(({ time: _, ...rest }: Line) => rest), [
      { channel: "news", epoch, offset, queued: 4, dropped: {} },
      { channel: "news", epoch, offset, repeated: true, queued: 4, dropped: {} },
    ]);
  }
  const published = cluster.nodes.map(async ({ url }) => (await (await fetch(`${url}/api/stats`)).json()));
  assertEquals((await Promise.all(published)).map((stats) => stats.gong_published_total), [1, 0, 0]);
});
