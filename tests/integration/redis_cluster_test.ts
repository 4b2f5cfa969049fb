/** Nodes whose Redis is a cluster. */
import { assert, assertEquals } from "@std/assert";
import { persist } from "../prove/kill.ts";
import { startCluster } from "../support/cluster.ts";
import { Commander, type Line } from "../support/commands.ts";
import { DoorClient } from "../support/doors/door_client.ts";
import { openPoll } from "../support/doors/poll.ts";
import { openSse } from "../support/doors/sse.ts";
import { openJson } from "../support/doors/websocket.ts";
import type { Heard } from "../support/doors/wire.ts";
import type { Gong } from "../support/gong.ts";
import { RawStomp } from "../support/raw_stomp.ts";
import { redisTest } from "../support/redis.ts";
import { startRedisCluster } from "../support/redis_cluster.ts";
import { until } from "../support/until.ts";

/** One at each primary. */
const CHANNELS = ["a", "b", "c"];
const DOORS = [openJson, openSse, openPoll];

function textOf({ data }: Heard): string {
  return "text" in data ? data.text : "";
}

function say(node: Gong, channel: string, data: string) {
  return persist(() => node.url, { channel, data, id: `${channel} ${data}` }, () => {});
}

async function post(node: Gong, path: string, body: unknown): Promise<{ status: number; body: Line }> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${node.url}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  return { status: response.status, body: await response.json() };
}

async function readiness({ url }: Gong): Promise<Line> {
  return await (await fetch(`${url}/ready`)).json();
}

redisTest(
  "two nodes on a Redis Cluster are one server: channels, resuming, queues, and a schedule",
  async () => {
    await using redis = await startRedisCluster();
    await using cluster = await startCluster({ redis: redis.primaries[0]!, url: redis.url });
    const [one, two] = cluster.nodes as [Gong, Gong];
    assertEquals(new Set(CHANNELS.map((channel) => redis.primaryOf(`{${channel}}`))).size, 3);
    let cursor: string | undefined;
    {
      await using client = await DoorClient.open(openSse, two, { channels: CHANNELS });
      for (const channel of CHANNELS) await say(one, channel, "1");
      assertEquals((await client.take(3)).map(({ channel }) => channel).toSorted(), CHANNELS);
      cursor = client.cursor;
    }
    for (const channel of CHANNELS) await say(two, channel, "2");
    await using again = await DoorClient.open(openJson, one, { channels: CHANNELS, since: cursor! });
    assertEquals((await again.take(3)).map(textOf), ["2", "2", "2"]);
    assertEquals(again.recovered, true);
    // Many at once, over all primaries.
    const publications = CHANNELS.flatMap((channel) => ["3", "4"].map((data) => ({ channel, data })));
    const { body: { results } } = await post(one, "/api/publish", { publications });
    assertEquals(results.map(({ positions }: Line) => positions[0].offset), [3, 4, 3, 4, 3, 4]);
    for (const queue of CHANNELS) {
      const consumer = await RawStomp.connect(two.port);
      consumer.send("SUBSCRIBE", { id: "1", destination: `/queue/${queue}`, ack: "client-individual", receipt: "s" });
      await consumer.receipt("s");
      const producer = await RawStomp.connect(one.port);
      producer.send("SEND", { destination: `/queue/${queue}`, receipt: "p" }, queue);
      await producer.receipt("p");
      await producer.drop();
      const { headers, body } = await consumer.next();
      assertEquals(new TextDecoder().decode(body), queue);
      consumer.send("ACK", { id: headers.get("ack")!, receipt: "a" });
      await consumer.receipt("a");
      await consumer.drop();
    }
    await using ticks = await Commander.open(two, "channel=ticks");
    assertEquals(
      (await post(one, "/api/schedules", { id: "tick", every: 1, channel: "ticks", data: "tick" })).status,
      201,
    );
    for (let n = 1; n <= 3; n++) assertEquals((await ticks.publication()).offset, n);
    await one.kill();
    for (let n = 4; n <= 6; n++) assertEquals((await ticks.publication()).offset, n);
    const history = await (await fetch(`${two.url}/api/history?channel=ticks&limit=100`)).json();
    const ids = history.publications.map(({ messageId, id }: Line) => messageId ?? id);
    assertEquals(new Set(ids).size, ids.length, "no time is published twice");
  },
);

redisTest(
  "what is not at one server of a Redis Cluster is refused as one step, and nothing of it happens",
  async () => {
    await using redis = await startRedisCluster();
    await using cluster = await startCluster({ nodes: 1, redis: redis.primaries[0]!, url: redis.url });
    const [node] = cluster.nodes as [Gong];
    const several = await post(node, "/api/schedules", { id: "x", in: 1, channels: CHANNELS, data: "x" });
    assertEquals([several.status, several.body.code], [400, "bad_request"]);
    for (const topics of [["a", "a"], CHANNELS]) {
      const client = await RawStomp.connect(node.port);
      client.send("BEGIN", { transaction: "t" });
      for (const topic of topics) client.send("SEND", { destination: `/topic/${topic}`, transaction: "t" }, "1");
      client.send("COMMIT", { transaction: "t", receipt: "c" });
      if (topics === CHANNELS) assertEquals((await client.next()).headers.get("code"), "bad_request");
      else await client.receipt("c");
      await client.drop();
    }
    for (const [index, channel] of CHANNELS.entries()) {
      assertEquals((await say(node, channel, "next")).offset, index === 0 ? 3 : 1);
    }
  },
);

redisTest(
  "a primary is killed: nodes are degraded, the rest goes on, and clients are told what is another numbering",
  async () => {
    await using stack = new AsyncDisposableStack();
    const redis = stack.use(await startRedisCluster({ hasReplicas: true }));
    const args = ["--broker-wait", "1"];
    const { nodes } = stack.use(await startCluster({ redis: redis.primaries[0]!, url: redis.url, args }));
    const [one, two] = nodes as [Gong, Gong];
    const clients = await Promise.all([one, two].flatMap((node) => {
      return DOORS.map(async (open) => stack.use(await DoorClient.open(open, node, { channels: ["a"] })));
    }));
    await using elsewhere = await Commander.open(two, "channel=b");
    const before = await say(one, "a", "before");
    for (const client of clients) assertEquals((await client.take(1)).map(textOf), ["before"]);
    const primary = redis.primaryOf("{a}");
    await primary.kill();
    for (const node of [one, two]) {
      await until(
        async () => (await readiness(node)).degraded !== undefined,
        () => "it does not say that it is degraded",
      );
    }
    const { ready, degraded } = await readiness(one);
    assert(ready && JSON.stringify(degraded).includes(`127.0.0.1:${primary.port}`), JSON.stringify(degraded));
    assertEquals((await say(one, "b", "1")).offset, 1);
    assertEquals((await elsewhere.publication()).data, "1");
    const after = await say(one, "a", "after");
    assert(after.epoch !== before.epoch);
    for (const client of clients) {
      const { position, recovered } = await client.until("subscribed");
      assertEquals([position.epoch, recovered], [after.epoch, false]);
    }
    assertEquals((await say(two, "a", "later")).offset, after.offset + 1);
    for (const client of clients) {
      const [first] = (await client.take(1)).map(textOf);
      // Who was told only after it begins behind it.
      if (first === "after") assertEquals((await client.take(1)).map(textOf), ["later"]);
      else assertEquals(first, "later");
    }
    for (const node of [one, two]) await until(async () => (await readiness(node)).degraded === undefined);
  },
);
