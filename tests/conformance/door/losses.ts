/**
 * What cannot be resumed is said so, in the door's own words, and never given in part.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { ERRORS } from "../../../lib/errors.ts";
import type { Position } from "../../../lib/types.ts";
import type { DoorClient } from "../../support/doors/door_client.ts";
import { numbered, publish } from "../../support/publish.ts";
import { type Case, type Context, cursorAfter, hears, hearsNothingMore } from "./case.ts";

/** Whether it goes on: a wire without words for it is closed. */
async function wasTold(context: Context, client: DoorClient, lost: Record<string, Position>): Promise<boolean> {
  if (context.features.tellsLoss) {
    assertEquals(Object.fromEntries(client.lost), lost);
    return true;
  }
  assertEquals(await client.end(), { close: ERRORS.lost.close });
  return false;
}

export const LOSSES: readonly Case[] = [
  {
    title: "a position ahead of the channel, and one of an unknown epoch, are not recovered",
    async run(context) {
      const { servers: { open: gong } } = context;
      const channel = context.channel();
      const published = await publish(gong, numbered([channel], 3));
      const { epoch } = published[0]!.position;
      for (const since of [`${epoch}:4`, `${epoch}:999999999999999`, "never:1", "never:0"]) {
        const top = { epoch, offset: published.length };
        const client = await context.connect(gong, { channels: [channel], since: `${channel}@${since}` });
        if (!await wasTold(context, client, { [channel]: top })) continue;
        assertEquals(client.cursor, `${channel}@${epoch}:${top.offset}`);
        const more = await publish(gong, [{ channel, data: `live after ${since}` }]);
        await hears(context, client, more);
        published.push(...more);
      }
    },
  },
  {
    title: "a position of a channel that nobody has heard of is not recovered",
    async run(context) {
      const { servers: { open: gong } } = context;
      const channel = context.channel();
      const client = await context.connect(gong, { channels: [channel], since: `${channel}@never:3` });
      if (!context.features.tellsLoss) return assertEquals(await client.end(), { close: ERRORS.lost.close });
      assertEquals([...client.lost].map(([name, { offset }]) => [name, offset]), [[channel, 0]]);
      await hearsNothingMore(context, gong, client, [channel]);
    },
  },
  {
    title: "a history that is shorter than what was missed is not recovered, one that just has it is",
    async run(context) {
      const { servers: { guarded: gong, key } } = context;
      const channel = context.channel("open.");
      const published = await publish(gong, numbered([channel], 12), { key });
      const { epoch } = published[0]!.position;
      const wish = { channels: [channel] };
      const enough = await context.connect(gong, { ...wish, since: `${epoch}:7` });
      assertEquals(enough.recovered, true);
      await hears(context, enough, published.slice(7));
      const client = await context.connect(gong, { ...wish, since: `${epoch}:6` });
      if (await wasTold(context, client, { [channel]: { epoch, offset: 12 } })) {
        await hearsNothingMore(context, gong, client, [channel]);
      }
      const late = await context.connect(gong, { ...wish, history: 8 });
      assertEquals(late.recovered, true);
    },
  },
  {
    title: "of two channels one may be recovered and the other not",
    needs: ({ tellsLoss }) => tellsLoss,
    async run(context) {
      const { servers: { open: gong } } = context;
      const [whole, gone] = [context.channel(), context.channel()];
      const published = await publish(gong, numbered([whole, gone], 6));
      const [first] = published;
      const since = `${cursorAfter([first!], [])},${gone}@never:1`;
      const client = await context.connect(gong, { channels: [whole, gone], since });
      assert(await wasTold(context, client, { [gone]: published[5]!.position }));
      await hears(context, client, [published[2]!, published[4]!]);
      await hearsNothingMore(context, gong, client, [whole, gone]);
    },
  },
  {
    title: "a cursor of a server that is no more is not recovered, and the one that is told goes on",
    async run(context) {
      const { servers: { open, guarded, key } } = context;
      const channel = context.channel("open.");
      const there = await publish(open, numbered([channel], 3));
      await using earlier = await context.connect(open, { channels: [channel] });
      const since = earlier.cursor ?? cursorAfter(there, []);
      const here = await publish(guarded, numbered([channel], 4), { key });
      const client = await context.connect(guarded, { channels: [channel], since });
      if (!await wasTold(context, client, { [channel]: here[3]!.position })) return;
      const told = client.cursor!;
      client.drop();
      const missed = await publish(guarded, numbered([channel], 3, "missed "), { key });
      const again = await context.connect(guarded, { channels: [channel], since: told });
      assertEquals(again.recovered, true);
      await hears(context, again, missed);
    },
  },
];
