/**
 * Whoever was cut off goes on where it was: nothing lost, nothing doubled, nothing out of order.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { Gong } from "../../support/gong.ts";
import type { DoorClient } from "../../support/doors/door_client.ts";
import type { Heard } from "../../support/doors/wire.ts";
import { numbered, publish, type Published, type Sent } from "../../support/publish.ts";
import { assertHeard, type Case, type Context, cursorAfter, hearsNothingMore } from "./case.ts";

/** How a run is cut. */
interface Cut {
  readonly channels: number;
  readonly count: number;
  /** After so many heard each. */
  readonly after: readonly number[];
  /** Publications of one request. */
  readonly batch: number;
}

/** Listens while `count` are published, is cut off now and then, and resumes each time. */
async function cutOff(context: Context, gong: Gong, { channels: many, count, after, batch }: Cut): Promise<void> {
  const channels = Array.from({ length: many }, () => context.channel());
  const start = await publish(gong, channels.map((channel) => ({ channel, data: `start of ${channel}` })));
  let client = await context.connect(gong, { channels, since: cursorAfter(start, []) });
  const coming = publishOn(gong, numbered(channels, count), batch);
  const heard: Heard[] = [];
  for (const until of after) {
    heard.push(...await client.take(until - heard.length));
    const since = client.cursor ?? cursorAfter(start, await known(heard, coming));
    client.drop();
    client = await context.connect(gong, { channels, since });
    assertEquals(client.recovered, true, `from ${since}`);
  }
  heard.push(...await client.take(count - heard.length));
  assertHeard(context, heard, (await Promise.all(coming)).flat());
  await hearsNothingMore(context, gong, client, channels);
}

/** Publishes in requests one after the other, and gives each one's answer as soon as it is there. */
function publishOn(gong: Gong, sent: readonly Sent[], batch: number): Promise<Published[]>[] {
  const coming: Promise<Published[]>[] = [];
  for (let at = 0; at < sent.length; at += batch) {
    const previous = coming.at(-1) ?? Promise.resolve();
    coming.push(previous.then(() => publish(gong, sent.slice(at, at + batch))));
  }
  return coming;
}

/** What was heard, by its text: a wire without positions leaves it to the client to know them. */
async function known(heard: readonly Heard[], coming: readonly Promise<Published[]>[]): Promise<Published[]> {
  const texts = new Set(heard.map(({ data }) => "text" in data ? data.text : ""));
  const found: Published[] = [];
  for (const answer of coming) {
    if (found.length === texts.size) break;
    found.push(...(await answer).filter(({ data }) => texts.has(String(data))));
  }
  return found;
}

export const RESUMES: readonly Case[] = [
  {
    title: "a client that is cut off after each of 12 publications resumes with the rest",
    async run(context) {
      const { servers: { open: gong } } = context;
      const cuts = Array.from({ length: 13 }, (_, after) => after);
      await Promise.all(
        cuts.map((after) => cutOff(context, gong, { channels: 1, count: 12, after: [after], batch: 3 })),
      );
    },
  },
  {
    title: "a client of three channels that is cut off again and again resumes with the rest",
    async run(context) {
      const { servers: { open: gong } } = context;
      const after = [1, 2, 3, 5, 8, 13, 21, 34, 55];
      await cutOff(context, gong, { channels: 3, count: 60, after, batch: 4 });
    },
  },
  {
    title: "a client that is cut off in the middle of a burst resumes with the rest",
    async run(context) {
      const { servers: { open: gong } } = context;
      const cuts = [[1], [499], [10, 300], [700, 999]];
      await Promise.all(cuts.map((after) => cutOff(context, gong, { channels: 1, count: 1000, after, batch: 100 })));
    },
  },
  {
    title: "a client that is cut off resumes while the bus loses a third of the batches, or all",
    async run(context) {
      const runs = context.servers.lossy.flatMap((gong) => [[3], [7, 150], [299]].map((after) => ({ gong, after })));
      await Promise.all(
        runs.map(({ gong, after }) => cutOff(context, gong, { channels: 1, count: 300, after, batch: 10 })),
      );
      await Promise.all(context.servers.lossy.map((gong) => {
        return cutOff(context, gong, { channels: 3, count: 60, after: [20, 40], batch: 1 });
      }));
    },
  },
  {
    title: "a resume from the top brings nothing, and a bare position names the one channel",
    async run(context) {
      const { servers: { open: gong } } = context;
      const channel = context.channel();
      const published = await publish(gong, numbered([channel], 3));
      const { epoch } = published[0]!.position;
      for (const offset of [3, 2, 0]) {
        const client = await context.connect(gong, { channels: [channel], since: `${epoch}:${offset}` });
        const missed = published.slice(offset);
        assertHeard(context, await client.take(missed.length), missed);
        published.push(...await hearEnd(context, gong, client, channel));
      }
    },
  },
  {
    title: "what has a ttl of 0 is heard live, and passed over by who comes later; its offset stays",
    async run(context) {
      const { servers: { open: gong } } = context;
      const channel = context.channel();
      const [start] = await publish(gong, [{ channel, data: "start" }]);
      const live = await context.connect(gong, { channels: [channel] });
      const sent: Sent[] = [
        { channel, data: "1" },
        { channel, data: "2", ttl: 0 },
        { channel, data: "3", ttl: 1000 },
        { channel, data: "4", ttl: 0 },
      ];
      const published = await publish(gong, sent);
      if (!context.features.asks) assertHeard(context, await live.take(4), published);
      const kept = [published[0]!, published[2]!];
      for (const since of [cursorAfter([start!], []), cursorAfter(published.slice(0, 1), [])]) {
        const client = await context.connect(gong, { channels: [channel], since });
        assertEquals(client.recovered, true);
        const missed = since.endsWith(":1") ? kept : kept.slice(1);
        assertHeard(context, await client.take(missed.length), missed);
        kept.push(...await hearEnd(context, gong, client, channel));
      }
    },
  },
];

/** One more, which is heard next. */
async function hearEnd(context: Context, gong: Gong, client: DoorClient, channel: string): Promise<Published[]> {
  const end = await publish(gong, [{ channel, data: `end ${crypto.randomUUID()}` }]);
  assertHeard(context, await client.take(1), end);
  return end;
}
