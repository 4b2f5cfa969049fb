/** What clients of each door see when Redis goes away, and comes back with all that it had, with a part of it, or with nothing. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { ERRORS } from "../../lib/errors.ts";
import { persist } from "../prove/kill.ts";
import { startCluster } from "../support/cluster.ts";
import { Commander } from "../support/commands.ts";
import { DoorClient } from "../support/doors/door_client.ts";
import { HTTP_DOORS } from "../support/doors/mod.ts";
import { openPoll } from "../support/doors/poll.ts";
import { openStomp } from "../support/doors/stomp.ts";
import { openJson, openPlain } from "../support/doors/websocket.ts";
import { type OpenWire, Refused } from "../support/doors/wire.ts";
import { inFolder } from "../support/folder.ts";
import { type Redis, redisTest, startRedis } from "../support/redis.ts";
import { until } from "../support/until.ts";

/** Doors that have no word for what is lost: they end. */
const ENDING: readonly OpenWire[] = [openPlain, openStomp];
const DOORS: readonly OpenWire[] = [...ENDING, openJson, ...HTTP_DOORS.map(({ open }) => open)];
const ARGS = ["--broker-wait", "1"];

interface Node {
  readonly url: string;
}

/** Two nodes, and clients of every door on each of them in turn. */
async function open(stack: AsyncDisposableStack, redis: Redis) {
  const { nodes } = stack.use(await startCluster({ redis, args: ARGS }));
  const clients = await Promise.all(DOORS.map(async (open, index) => {
    return stack.use(await DoorClient.open(open, nodes[index % 2]!, { channels: ["a"] }));
  }));
  return { nodes: [nodes[0]!, nodes[1]!] as const, clients };
}

/** Publishes until it is acknowledged. */
function say(node: Node, data: string) {
  return persist(() => node.url, { channel: "a", data, id: data }, () => {});
}

async function hear(clients: readonly DoorClient[], expected: readonly string[]): Promise<void> {
  for (const client of clients) {
    const heard = await client.take(expected.length);
    assertEquals(heard.map(({ data }) => "text" in data ? data.text : data), [...expected]);
  }
}

async function readiness({ url }: Node): Promise<[status: number, isReady: boolean, isDegraded: boolean]> {
  const response = await fetch(`${url}/ready`);
  const { ready, degraded } = await response.json();
  return [response.status, ready, degraded !== undefined];
}

/** Each node stays in service, says that it has no Redis, and acknowledges nothing. */
async function assertAway(nodes: readonly Node[]): Promise<void> {
  for (const node of nodes) {
    await until(async () => (await readiness(node))[2], () => "it does not say that it is degraded");
    assertEquals(await readiness(node), [200, true, true]);
    const response = await fetch(`${node.url}/api/publish`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ channel: "a", data: "away" }),
    });
    assertEquals([response.status, (await response.json()).code], [503, "overloaded"]);
    assert(Number(response.headers.get("retry-after")) >= 1);
  }
}

async function untilBack(nodes: readonly Node[]): Promise<void> {
  for (const node of nodes) await until(async () => !(await readiness(node))[2], () => "it is still degraded");
}

redisTest(
  "while Redis stands still publishing is refused and clients of every door stay, and then miss nothing",
  async () => {
    await using stack = new AsyncDisposableStack();
    const redis = stack.use(await startRedis());
    const { nodes, clients } = await open(stack, redis);
    await using json = await Commander.open(nodes[0]);
    await say(nodes[0], "before");
    await hear(clients, ["before"]);
    redis.pause();
    try {
      await assertAway(nodes);
      assertEquals((await json.command({ publish: { channel: "a", data: "away" } })).error.code, "overloaded");
      assertEquals((await json.command({ subscribe: { channel: "new" } })).error.code, "overloaded");
      const refused = await assertRejects(() => openPoll(nodes[0], { channels: ["new"] }), Refused);
      assertEquals(refused.status, 503);
    } finally {
      redis.resume();
    }
    await untilBack(nodes);
    for (const [index, node] of nodes.entries()) await say(node, `after ${index}`);
    await hear(clients, ["after 0", "after 1"]);
    assert(clients.every(({ recovered }) => recovered));
    assertEquals("ok" in await json.command({ subscribe: { channel: "new" } }), true);
  },
);

for (const kept of [0, 3]) {
  redisTest(
    `Redis comes back with ${kept} of 5 publications: clients of every door are told, and no number is used twice`,
    () =>
      inFolder(async (dir) => {
        await using stack = new AsyncDisposableStack();
        const redis = stack.use(await startRedis({ dir }));
        const { nodes, clients } = await open(stack, redis);
        /** What was said where. */
        const numbers = new Map<string, string>();
        const number = async (node: Node, data: string) => {
          const { epoch, offset } = await say(node, data);
          assertEquals(numbers.has(`${epoch}:${offset}`), false, `${epoch}:${offset} for ${data}`);
          numbers.set(`${epoch}:${offset}`, data);
          return { epoch, offset };
        };
        const early = ["1", "2", "3", "4", "5"];
        for (const data of early) {
          await number(nodes[0], data);
          if (data === String(kept)) await redis.command("SAVE");
        }
        await hear(clients, early);
        const cursors = clients.map(({ cursor }) => cursor);
        await redis.kill();
        await assertAway(nodes);
        stack.use(await startRedis({ dir, port: redis.port }));
        const after = await number(nodes[0], "after");
        assertEquals(after.offset, kept + 1);
        for (const [index, client] of clients.entries()) {
          const door = DOORS[index]!;
          if (ENDING.includes(door)) {
            assertEquals((await client.end()).close, ERRORS.lost.close);
            continue;
          }
          // Who asks only now is told to begin behind it.
          if (door === openPoll) await client.until("subscribed");
          else await hear([client], ["after"]);
          assertEquals(client.lost.get("a")?.epoch, after.epoch);
        }
        await untilBack(nodes);
        // Where it was is nowhere any more, on the other node as well.
        for (const [index, since] of cursors.entries()) {
          if (since === undefined || DOORS[index] === openPlain) continue;
          const wish = { channels: ["a"], since };
          await using again = await DoorClient.open(DOORS[index]!, nodes[(index + 1) % 2]!, wish);
          await number(nodes[1], `later ${index}`);
          await hear([again], [`later ${index}`]);
          assertEquals(again.recovered, false);
        }
      }),
  );
}
