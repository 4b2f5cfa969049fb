/**
 * What the operator does with sessions: every door says it in its own form.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { DoorClient } from "../../support/doors/door_client.ts";
import { ask } from "../../support/doors/http.ts";
import type { Gong } from "../../support/gong.ts";
import { publish } from "../../support/publish.ts";
import { type Case, type Context, hears } from "./case.ts";
import { untilThere } from "./inboxes.ts";
import { bearer, headersOf } from "./people.ts";
import { counting, readRefusal, type Said } from "./refused.ts";
import { KEYS } from "./servers.ts";

/** Gives an order; how many sessions it was for. */
async function order(gong: Gong, path: string, body: Record<string, unknown>): Promise<number> {
  const response = await ask(gong, path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headersOf("admin") },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  assertEquals(response.status, 200, text);
  return JSON.parse(text).count;
}

/** The session of the user, as the operator finds it. */
async function sessionOf(gong: Gong, user: string): Promise<string> {
  const response = await ask(gong, `/api/users/${user}`, { headers: headersOf("admin") });
  return (await response.json()).sessions[0].id;
}

/** How the server ends it, in the words of its wire. */
async function endOf(client: DoorClient): Promise<unknown> {
  return await client.end().catch(readRefusal);
}

/** What a door says at the end of a session that its client may not go on with. */
function forbidden({ features: { asks, refusals } }: Context): Said | { readonly code: string; readonly retry: false } {
  if (refusals !== "problem") return { close: 4403 };
  return asks ? { status: 403, code: "forbidden" } : { code: "forbidden", retry: false };
}

/** By what the sessions are named in an order, beside the channel. */
const SELECTORS = ["user", "session", "channel"] as const;

/** A session of a new user that is there, two channels, and how an order names it. */
async function begin(context: Context, by: typeof SELECTORS[number]) {
  const { servers: { ruled: gong } } = context;
  const user = context.channel();
  const [channel, other] = [context.channel("all:"), context.channel("all:")];
  const client = await context.connect(gong, { channels: [channel, other], headers: bearer({ sub: user }) });
  return {
    ...{ gong, channel, other, client },
    /** To be called when the client listens: a poll is a session while it waits. */
    async select(): Promise<Record<string, string>> {
      await untilThere(gong, user, 1);
      return { [by]: by === "user" ? user : by === "session" ? await sessionOf(gong, user) : channel };
    },
  };
}

export const ORDERS: readonly Case[] = [
  {
    title: "a session that the operator closes is told that it is forbidden, and counted once",
    async run(context) {
      for (const by of SELECTORS) {
        const { gong, client, select } = await begin(context, by);
        const ending = endOf(client);
        const selector = await select();
        const counted = await counting(context, gong, async () => {
          assertEquals(await order(gong, "/api/disconnect", selector), 1);
          const { cursor: _, ...end } = await ending as { cursor?: string };
          assertEquals(end, forbidden(context), by);
        });
        assertEquals(counted, { "closed forbidden": 1 });
      }
    },
  },
  {
    title: "a channel that the operator takes away is heard no more, which is said, and the others are",
    // Where there is no word for it, the session ends.
    needs: ({ asks, tellsLoss, endsUnsubscribed }) => tellsLoss && !asks && !endsUnsubscribed,
    async run(context) {
      for (const by of SELECTORS) {
        const { gong, channel, other, client, select } = await begin(context, by);
        const selector = await select();
        const counted = await counting(context, gong, async () => {
          assertEquals(await order(gong, "/api/unsubscribe", { channel, ...selector }), 1);
          assertEquals((await client.until("unsubscribed")).channel, channel);
        });
        assertEquals(counted, {});
        await publish(gong, [{ channel, data: "unheard" }], { key: KEYS.publish });
        await hears(context, client, await publish(gong, [{ channel: other, data: "heard" }], { key: KEYS.publish }));
      }
    },
  },
  {
    title: "a session that has no word for a channel that is taken away ends with it, and is counted once",
    needs: ({ asks, tellsLoss, endsUnsubscribed }) => asks || !tellsLoss || endsUnsubscribed === true,
    async run(context) {
      for (const by of SELECTORS) {
        const { gong, channel, client, select } = await begin(context, by);
        const ending = endOf(client);
        const selector = await select();
        const counted = await counting(context, gong, async () => {
          assertEquals(await order(gong, "/api/unsubscribe", { channel, ...selector }), 1);
          assertEquals(await ending, forbidden(context), by);
        });
        assertEquals(counted, { "closed forbidden": 1 });
      }
    },
  },
];
