/**
 * Who may hear what: the table of `lib/auth/rights.ts`, by every door.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { Commander } from "../../support/commands.ts";
import { ask } from "../../support/doors/http.ts";
import type { Gong } from "../../support/gong.ts";
import { publish } from "../../support/publish.ts";
import { until } from "../../support/until.ts";
import { before, type Case, type Context, hears } from "./case.ts";
import { EVERYBODY, headersOf, isUser, tokenOf, USERS, type Who } from "./people.ts";
import { isRefused } from "./refused.ts";
import { KEYS } from "./servers.ts";

/** Beginnings of channels, and who may hear them; everybody else may not. */
const ORDINARY: readonly (readonly [prefix: string, allowed: readonly Who[]])[] = [
  ["all:", EVERYBODY],
  ["members:", ["admin", ...USERS]],
  ["room:", ["admin", "named", "greedy"]],
  ["vault:", ["admin"]],
  // No rule is for it.
  ["other.", ["admin", "greedy"]],
];

/** Reserved names that nobody may hear, whatever a token names, and one that is for admins. */
const RESERVED: readonly (readonly [channel: string, allowed: readonly Who[]])[] = [
  ["$user/elsewhere", ["admin"]],
  ["$user/", []],
  ["$user/%6Eamed", []],
  ["$session/1-a", []],
  ["$presence/all:1", []],
  ["$presence/members:1", []],
  ["$presence/", []],
  ["$presence/vault:1", ["admin"]],
  ["$queue/jobs", []],
  ["$other", []],
];

/** That the channel may not be heard, whether it is asked for by its name or by a cursor. */
async function isUnheard(context: Context, channel: string, who: Who): Promise<void> {
  const { servers: { ruled: gong }, features } = context;
  const refusal = { code: "forbidden", by: "channel", isUser: isUser(who) } as const;
  const headers = headersOf(who);
  await isRefused(context, gong, { channels: [channel], headers }, refusal);
  // A command names a channel, whatever position it has.
  if (features.refusals === "late" || features.refusals === "ending") return;
  const since = `all:1@e:1,${channel}@e:1`;
  await isRefused(context, gong, { channels: ["all:1"], since, headers }, refusal);
}

/** Where the feed of joining and leaving begins, as soon as there is something in it. */
async function feedOf(gong: Gong, channel: string): Promise<string> {
  const feed = `$presence/${channel}`;
  let since = "";
  await until(async () => {
    const target = `/api/history?channel=${encodeURIComponent(feed)}`;
    const { epoch, publications } = await (await ask(gong, target, { headers: headersOf("admin") })).json();
    since = `${feed}@${epoch}:0`;
    return publications.length > 0;
  });
  return since;
}

export const RIGHTS: readonly Case[] = [
  {
    title: "who may hear a channel hears it, and everybody else is refused, which is counted once",
    async run(context) {
      const { servers: { ruled: gong } } = context;
      for (const [prefix, allowed] of ORDINARY) {
        const channel = context.channel(prefix);
        const published = await publish(gong, [{ channel, data: "heard" }], { key: KEYS.publish });
        for (const who of EVERYBODY) {
          if (!allowed.includes(who)) {
            await isUnheard(context, channel, who);
            continue;
          }
          const wish = { channels: [channel], since: before(published[0]!), headers: headersOf(who) };
          await using client = await context.connect(gong, wish);
          await hears(context, client, published);
        }
      }
    },
  },
  {
    title: "reserved channels are refused, whatever a token names",
    needs: ({ ordinaryOnly }) => !ordinaryOnly,
    async run(context) {
      const { servers: { ruled: gong } } = context;
      for (const [channel, allowed] of RESERVED) {
        for (const who of EVERYBODY) {
          if (!allowed.includes(who)) await isUnheard(context, channel, who);
          else (await context.connect(gong, { channels: [channel], headers: headersOf(who) })).drop();
        }
      }
    },
  },
  {
    title: "joining and leaving is heard by who may hear the channel",
    needs: ({ ordinaryOnly }) => !ordinaryOnly,
    async run(context) {
      const { servers: { ruled: gong } } = context;
      const channel = context.channel("room:");
      const token = tokenOf({ sub: "guest", channels: [channel] });
      await using _guest = await Commander.open(gong, `channel=${encodeURIComponent(channel)}&token=${token}`);
      const since = await feedOf(gong, channel);
      for (const who of EVERYBODY) {
        if (!["admin", "named", "greedy"].includes(who)) {
          await isUnheard(context, `$presence/${channel}`, who);
          continue;
        }
        const wish = { channels: [`$presence/${channel}`], since, headers: headersOf(who) };
        await using client = await context.connect(gong, wish);
        const { data } = await client.next();
        const told = "json" in data ? data.json : JSON.parse((data as { text: string }).text);
        assertEquals([told.count, told.joined.length], [1, 1]);
      }
    },
  },
  {
    title: "the feed of the admin page is for admins alone",
    needs: ({ ordinaryOnly }) => !ordinaryOnly,
    async run(context) {
      const { servers: { ruled: gong }, features } = context;
      for (const who of EVERYBODY) if (who !== "admin") await isUnheard(context, "$admin", who);
      const wish = { channels: ["$admin"], headers: headersOf("admin") };
      // What keeps no history cannot be polled.
      if (features.asks) return await isRefused(context, gong, wish, { code: "conflict", by: "channel" });
      const client = await context.connect(gong, wish);
      const { data } = await client.next();
      assert(JSON.stringify(data).includes("stats"));
    },
  },
];
