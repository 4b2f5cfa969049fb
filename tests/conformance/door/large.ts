/**
 * A resume of far more than may be queued to one session.
 *
 * @module
 */
import { setTimeout as delay } from "node:timers/promises";
import { assertEquals } from "@std/assert";
import type { Heard } from "../../support/doors/wire.ts";
import { numbered, publish } from "../../support/publish.ts";
import { assertHeard, before, type Case } from "./case.ts";

/** Publications read between two pauses of a slow reader, and how long each is, in milliseconds. */
const SLOW = { count: 1000, pause: 40 };

export const LARGE: readonly Case[] = [
  {
    title: "a resume of 10,000 publications arrives whole, also by who reads slowly while more is published",
    async run(context) {
      const { gong, channel, published } = context.servers.large;
      const wish = { channels: [channel], since: before(published[0]!) };
      const [quick, slow] = await Promise.all([context.connect(gong, wish), context.connect(gong, wish)]);
      assertEquals([quick.recovered, slow.recovered], [true, true]);
      async function readSlowly(count: number): Promise<Heard[]> {
        const heard: Heard[] = [];
        while (heard.length < count) {
          await delay(SLOW.pause);
          heard.push(...await slow.take(Math.min(SLOW.count, count - heard.length)));
        }
        return heard;
      }
      const first = published.length;
      const [heard, more] = await Promise.all([
        readSlowly(first),
        publish(gong, numbered([channel], 100, "live "), { batch: 5 }),
      ]);
      published.push(...more);
      assertHeard(context, [...heard, ...await slow.take(more.length)], published);
      assertHeard(context, await quick.take(published.length), published);
    },
  },
];
