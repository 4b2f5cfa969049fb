/** One node of two has no way to Redis, or half of one; the other goes on. */
import { assert, assertEquals } from "@std/assert";
import { persist } from "../prove/kill.ts";
import { startCluster, untilNodes } from "../support/cluster.ts";
import { Commander } from "../support/commands.ts";
import type { Gong } from "../support/gong.ts";
import { redisTest, startRedis } from "../support/redis.ts";
import { type Direction, TcpProxy } from "../support/tcp_proxy.ts";
import { until } from "../support/until.ts";

const LEASE = 2;
const ARGS = ["--broker-wait", "1", "--lease", `${LEASE}`, "--rule", "a presence=joins"];

/** Two nodes, the second one behind a proxy. */
async function open(stack: AsyncDisposableStack) {
  const redis = stack.use(await startRedis());
  const proxy = stack.use(new TcpProxy(redis));
  const urls = [redis.url, proxy.url.replace("http", "redis")];
  const { nodes } = stack.use(await startCluster({ redis, url: (node) => urls[node]!, args: ARGS }));
  const [near, far] = nodes as [Gong, Gong];
  return { redis, proxy, near, far };
}

async function ask(gong: Gong, target: string) {
  return await (await fetch(`${gong.url}${target}`)).json();
}

async function present(gong: Gong): Promise<number> {
  return (await ask(gong, "/api/presence?channel=a")).count;
}

async function isDegraded(gong: Gong): Promise<boolean> {
  return (await ask(gong, "/ready")).degraded !== undefined;
}

function say(gong: Gong, data: string) {
  return persist(() => gong.url, { channel: "a", data, id: data }, () => {});
}

async function hear(client: Commander, data: readonly string[]): Promise<void> {
  for (const expected of data) assertEquals((await client.publication("a")).data, expected);
}

const WAYS: readonly { readonly title: string; readonly directions: readonly Direction[]; readonly cut: boolean }[] = [
  { title: "no way to Redis", directions: ["up", "down"], cut: true },
  { title: "a way to Redis on which nothing comes back", directions: ["down"], cut: true },
  { title: "a way to Redis on which nothing comes back", directions: ["down"], cut: false },
  { title: "a way to Redis on which nothing arrives", directions: ["up"], cut: false },
];

for (const { title, directions, cut } of WAYS) {
  redisTest(
    `a node with ${title} keeps its clients, is taken for gone, and misses nothing when ` +
      (cut ? "that way has ended" : "everything goes on"),
    async () => {
      await using stack = new AsyncDisposableStack();
      const { proxy, near, far } = await open(stack);
      const here = stack.use(await Commander.open(near, "channel=a&channel=$presence/a&user=here"));
      const there = stack.use(await Commander.open(far, "channel=a&user=there"));
      await say(far, "before");
      await hear(here, ["before"]);
      await hear(there, ["before"]);
      await until(async () => await present(near) === 2 && await present(far) === 2);
      proxy.hold(directions);
      // What is under way has to be refused, and may be done all the same.
      const under = await fetch(`${far.url}/api/publish`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ channel: "a", data: "under way", id: "under way" }),
      });
      assertEquals([under.status, (await under.json()).code], [503, "overloaded"]);
      await until(() => isDegraded(far), () => "it does not say that it is degraded");
      await say(near, "meanwhile");
      if (directions.includes("up")) await hear(here, ["meanwhile"]);
      else await hear(here, ["under way", "meanwhile"]);
      await until(async () => await present(near) === 1, () => "who is there is still present here");
      assert("ok" in await there.command({ ping: {} }));
      if (cut) proxy.cut();
      proxy.release();
      await until(async () => !await isDegraded(far), () => "it is still degraded");
      const { offset, repeated } = await say(far, "under way");
      // Held back and then let go it arrived by itself, before or after it was asked for again.
      if (!directions.includes("up")) assertEquals([offset, repeated], [2, true]);
      else assertEquals(offset, 3);
      const all = directions.includes("up") ? ["meanwhile", "under way"] : ["under way", "meanwhile"];
      await hear(there, all);
      await say(far, "after");
      await hear(there, ["after"]);
      await hear(here, directions.includes("up") ? ["under way", "after"] : ["after"]);
      await untilNodes(near, 2);
      await until(async () => await present(near) === 2 && await present(far) === 2, () => "presence is not right");
      for (const { left } of [here, there]) assert(left.every(({ recovered }) => recovered !== false));
    },
  );
}

redisTest(
  "two nodes with slow ways to Redis, of which each is cut over and over, give everybody everything, once",
  async () => {
    await using stack = new AsyncDisposableStack();
    const redis = stack.use(await startRedis());
    const proxies = [0, 1].map(() => stack.use(new TcpProxy(redis)));
    for (const proxy of proxies) proxy.lag = () => Math.random() * 20;
    const urls = proxies.map(({ url }) => url.replace("http", "redis"));
    const { nodes } = stack.use(
      await startCluster({ redis, url: (node) => urls[node]!, args: ["--broker-wait", "1"] }),
    );
    const clients = await Promise.all(
      nodes.flatMap((node) => [0, 1].map(async () => stack.use(await Commander.open(node, "channel=a")))),
    );
    const count = 80;
    const said: { offset: number; data: string }[] = [];
    await Promise.all(nodes.map(async (node, publisher) => {
      for (let n = 0; n < count; n++) {
        const data = `${publisher}-${n}`;
        const { offset } = await say(node, data);
        said.push({ offset, data });
        if (n % 20 === 10 * publisher) proxies[publisher]!.cut();
      }
    }));
    said.sort((one, other) => one.offset - other.offset);
    for (const client of clients) {
      const heard = [];
      for (let n = 0; n < said.length; n++) {
        const { offset, data } = await client.publication("a");
        heard.push({ offset, data });
      }
      assertEquals(heard, said);
    }
  },
);
