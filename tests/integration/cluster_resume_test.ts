/** A client that comes back by another node, because its own one was killed or because it likes to. */
import { assert, assertEquals } from "@std/assert";
import { startCluster } from "../support/cluster.ts";
import { DoorClient } from "../support/doors/door_client.ts";
import { openIframe } from "../support/doors/iframe.ts";
import { HTTP_DOORS } from "../support/doors/mod.ts";
import { openStream } from "../support/doors/ndjson.ts";
import { openPoll } from "../support/doors/poll.ts";
import { openSse, openSseJson } from "../support/doors/sse.ts";
import { openStomp } from "../support/doors/stomp.ts";
import { openJson, openPlain } from "../support/doors/websocket.ts";
import type { Heard, OpenWire } from "../support/doors/wire.ts";
import type { Gong } from "../support/gong.ts";
import { numbered, publish, type Published } from "../support/publish.ts";
import { redisTest } from "../support/redis.ts";

const CHANNELS = ["a", "b"];
const DOORS: readonly OpenWire[] = [openPlain, openStomp, openJson, ...HTTP_DOORS.map(({ open }) => open)];

function textOf({ data }: Heard): string {
  return "text" in data ? data.text : "";
}

function textsOf(published: readonly Pick<Published, "data">[]): string[] {
  return published.map(({ data }) => String(data));
}

redisTest(
  "clients of every door whose node is killed go on by another one where they were, with what was said meanwhile",
  async () => {
    await using cluster = await startCluster({ nodes: 3 });
    const [first, second, third] = cluster.nodes as [Gong, Gong, Gong];
    const clients = await Promise.all(DOORS.map((open) => DoorClient.open(open, first, { channels: CHANNELS })));
    const early = await publish(third, numbered(CHANNELS, 6, "early "));
    for (const client of clients) {
      assertEquals((await client.take(6)).map(textOf).toSorted(), textsOf(early).toSorted());
    }
    // A wire that tells no position: its client knows it from elsewhere.
    const known = early.slice(-2).map(({ channel, position }) => `${channel}@${position.epoch}:${position.offset}`);
    const cursors = clients.map(({ cursor }) => cursor ?? known.join());
    await first.kill();
    const unheard = await publish(second, numbered(CHANNELS, 4, "unheard "));
    const again = await Promise.all(DOORS.map((open, index) => {
      return DoorClient.open(open, [second, third][index % 2]!, { channels: CHANNELS, since: cursors[index]! });
    }));
    const later = await publish(third, numbered(CHANNELS, 4, "later "));
    for (const client of again) {
      assertEquals(client.recovered, true);
      assertEquals((await client.take(8)).map(textOf).toSorted(), textsOf([...unheard, ...later]).toSorted());
    }
    for (const client of [...clients, ...again]) await client[Symbol.asyncDispose]();
  },
);

redisTest("an event stream goes on by another node from the Last-Event-ID that a browser sends", async () => {
  await using cluster = await startCluster();
  const [one, other] = cluster.nodes;
  let since: string | undefined;
  {
    await using client = await DoorClient.open(openSse, one!, { channels: CHANNELS });
    await publish(other!, numbered(CHANNELS, 2, "early "));
    await client.take(2);
    since = client.cursor;
  }
  const unheard = await publish(one!, numbered(CHANNELS, 4, "unheard "));
  // Its address is what it was, and begins nowhere.
  const headers = { "last-event-id": since! };
  await using again = await DoorClient.open(openSse, other!, { channels: CHANNELS, headers });
  assertEquals((await again.take(4)).map(textOf).toSorted(), textsOf(unheard).toSorted());
  assertEquals(again.recovered, true);
});

redisTest(
  "a client that hops from door to door and from node to node hears 3,000 publications, each once",
  async () => {
    const count = 3000;
    const doors = [openJson, openSse, openStream, openPoll, openIframe, openSseJson];
    await using cluster = await startCluster({
      nodes: 3,
      args: ["--history-count", String(count), "--history-bytes", "16MiB"],
    });
    const { nodes } = cluster;
    const start = await publish(nodes[0]!, CHANNELS.map((channel) => ({ channel, data: "start" })));
    let since = start.map(({ channel, position }) => `${channel}@${position.epoch}:${position.offset}`).join();
    // One publisher a channel, each of which goes from node to node as well.
    let isDone = false;
    const publishing = Promise.all(CHANNELS.map(async (channel) => {
      const sent = numbered([channel], count / CHANNELS.length);
      for (let at = 0; at < sent.length; at += 10) await publish(nodes[at / 10 % 3]!, sent.slice(at, at + 10));
      return sent;
    })).finally(() => isDone = true);
    const heard: string[] = [];
    let hopsMeanwhile = 0;
    for (let hop = 0; heard.length < count; hop++) {
      const node = nodes[hop % nodes.length]!;
      // With as many doors as nodes each node would have its own doors.
      const door = doors[(hop + Math.floor(hop / doors.length)) % doors.length]!;
      await using client = await DoorClient.open(door, node, { channels: CHANNELS, since });
      assertEquals(client.recovered, true);
      heard.push(...(await client.take(Math.min(100, count - heard.length))).map(textOf));
      since = client.cursor!;
      if (!isDone) hopsMeanwhile++;
    }
    const published = await publishing;
    for (const [index, channel] of CHANNELS.entries()) {
      assertEquals(
        heard.filter((text) => text.startsWith(`${channel} `)),
        published[index]!.map(({ data }) => String(data)),
      );
    }
    assert(hopsMeanwhile > doors.length, `${hopsMeanwhile} hops while it was published`);
  },
);
