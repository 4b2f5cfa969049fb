/** Nodes whose Redis has a replica, and Sentinels that put it in the primary's place. */
import { assert, assertEquals } from "@std/assert";
import { persist } from "../prove/kill.ts";
import { startCluster } from "../support/cluster.ts";
import { DoorClient } from "../support/doors/door_client.ts";
import { openPoll } from "../support/doors/poll.ts";
import { openSse } from "../support/doors/sse.ts";
import { openJson } from "../support/doors/websocket.ts";
import type { Gong } from "../support/gong.ts";
import { redisTest, startRedis } from "../support/redis.ts";
import { startWatched } from "../support/redis_sentinel.ts";
import { until } from "../support/until.ts";

const DOORS = [openJson, openSse, openPoll];

redisTest(
  "the primary is killed, and comes back as a replica: clients are told, and everything goes on in one numbering",
  async () => {
    await using stack = new AsyncDisposableStack();
    const redis = stack.use(await startWatched());
    const { nodes } = stack.use(
      await startCluster({ redis: redis.primary, url: redis.url, args: ["--broker-wait", "1"] }),
    );
    const [one, other] = nodes as [Gong, Gong];
    const clients = await Promise.all([one, other].flatMap((node) => {
      return DOORS.map(async (open) => stack.use(await DoorClient.open(open, node, { channels: ["a"] })));
    }));
    const numbers = new Map<string, string>();
    const say = async (node: Gong, data: string) => {
      const { epoch, offset } = await persist(() => node.url, { channel: "a", data, id: data }, () => {});
      assertEquals(numbers.has(`${epoch}:${offset}`), false, `${epoch}:${offset} for ${data}`);
      numbers.set(`${epoch}:${offset}`, data);
      return { epoch, offset };
    };
    const hear = async (client: DoorClient, expected: readonly string[]) => {
      const heard = await client.take(expected.length);
      assertEquals(heard.map(({ data }) => "text" in data ? data.text : data), [...expected]);
    };
    const before = await say(one, "before");
    for (const client of clients) await hear(client, ["before"]);
    // What is acknowledged may be lost with the primary when it has not come to the replica; its number is not used again.
    await until(async () => await redis.replica.command("HGET", "gong:{a}:m", "o") === "1");
    redis.replica.pause();
    await say(other, "known to the primary alone");
    for (const client of clients) await hear(client, ["known to the primary alone"]);
    await redis.primary.kill();
    redis.replica.resume();
    const after = await say(one, "after");
    assert(after.epoch !== before.epoch);
    for (const [index, client] of clients.entries()) {
      // Who asks only now is told to begin behind it.
      if (DOORS[index % DOORS.length] === openPoll) await client.until("subscribed");
      else await hear(client, ["after"]);
      assertEquals(client.lost.get("a")?.epoch, after.epoch);
    }
    // For a while it takes itself for the primary, with nothing in it.
    await using again = await startRedis({ port: redis.primary.port });
    const later: string[] = [];
    await until(
      async () => {
        const data = `later ${later.length}`;
        assertEquals(await say(nodes[later.length % 2]!, data), {
          epoch: after.epoch,
          offset: after.offset + later.length + 1,
        });
        later.push(data);
        // Sentinels cut the connections of who becomes a replica.
        const info = await again.command("INFO", "replication").catch(String);
        return String(info).includes("role:slave");
      },
      () => "it is no replica",
      60_000,
    );
    for (const client of clients) await hear(client, later);
  },
);
