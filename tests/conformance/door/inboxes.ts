/**
 * What is pushed to a user: every session of the user hears it, and nobody else.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { Commander } from "../../support/commands.ts";
import { ask } from "../../support/doors/http.ts";
import type { Gong } from "../../support/gong.ts";
import { publish, type Published } from "../../support/publish.ts";
import { until } from "../../support/until.ts";
import { assertHeard, type Case, type Context, cursorAfter, hears } from "./case.ts";
import { bearer, headersOf, tokenOf } from "./people.ts";
import { KEYS } from "./servers.ts";

/** Pushes a text to each of the users. */
export async function push(gong: Gong, users: readonly string[], data: string): Promise<Published[]> {
  const response = await ask(gong, "/api/publish", {
    method: "POST",
    headers: { "content-type": "application/json", "x-api-key": KEYS.publish },
    body: JSON.stringify({ users, data }),
  });
  const text = await response.text();
  assertEquals(response.status, 200, text);
  const { positions } = JSON.parse(text) as { positions: { channel: string; epoch: string; offset: number }[] };
  return positions.map(({ channel, epoch, offset }) => ({ channel, data, position: { epoch, offset } }));
}

/** Waits until so many sessions of the user are there. A poll is one while it waits. */
export async function untilThere(gong: Gong, user: string, count: number): Promise<void> {
  let last = 0;
  await until(
    async () => {
      const response = await ask(gong, `/api/users/${encodeURIComponent(user)}`, { headers: headersOf("admin") });
      last = (await response.json()).count ?? 0;
      return last === count;
    },
    () => `${last} sessions of ${user}, not ${count}`,
  );
}

/** Pushes texts one after the other. */
async function pushAll(gong: Gong, user: string, texts: readonly string[]): Promise<Published[]> {
  const pushed: Published[] = [];
  for (const text of texts) pushed.push(...await push(gong, [user], text));
  return pushed;
}

/** A user that only this case has. */
function newUser(context: Context): string {
  return context.channel("user/é ");
}

export const INBOXES: readonly Case[] = [
  {
    title: "a push to a user comes to every session of the user, and to nobody else",
    async run(context) {
      const { servers: { ruled: gong } } = context;
      const [user, other] = [newUser(context), newUser(context)];
      const channel = context.channel("all:");
      const wish = { channels: [channel], headers: bearer({ sub: user }) };
      const own = [await context.connect(gong, wish), await context.connect(gong, wish)];
      const stranger = await context.connect(gong, { ...wish, headers: bearer({ sub: other, channels: ["$user/*"] }) });
      const nobody = await context.connect(gong, { channels: [channel] });
      await using beside = await Commander.open(gong, `token=${tokenOf({ sub: user })}`);
      // They listen from here on.
      const coming = [...own, stranger, nobody].map((client) => client.next());
      await untilThere(gong, user, 3);
      await untilThere(gong, other, 1);
      const pushed = await push(gong, [user], "to the user");
      for (const heard of await Promise.all(coming.slice(0, 2))) assertHeard(context, [heard], pushed);
      assertEquals((await beside.publication()).data, "to the user");
      // What comes to the others is what was published after it.
      const end = await publish(gong, [{ channel, data: "to everybody" }], { key: KEYS.publish });
      for (const heard of await Promise.all(coming.slice(2))) assertHeard(context, [heard], end);
    },
  },
  {
    title: "who comes back with the cursor gets what was pushed meanwhile, once and in its order",
    async run(context) {
      const { servers: { ruled: gong } } = context;
      const user = newUser(context);
      const channel = context.channel("all:");
      const headers = bearer({ sub: user });
      const first = await pushAll(gong, user, ["1", "2"]);
      const start = await publish(gong, [{ channel, data: "start" }], { key: KEYS.publish });
      const since = cursorAfter(start, first.slice(0, 1));
      const client = await context.connect(gong, { channels: [channel], since, headers });
      await hears(context, client, first.slice(1));
      // Of a wire that tells no position, who has published knows it.
      const cursor = client.cursor ?? cursorAfter(start, first);
      client.drop();
      const missed = await pushAll(gong, user, ["3", "4", "5"]);
      const back = await context.connect(gong, { channels: [channel], since: cursor, headers });
      await hears(context, back, missed);
      await hears(context, back, await publish(gong, [{ channel, data: "end" }], { key: KEYS.publish }));
    },
  },
  {
    title: "a user who names no channel hears what is pushed",
    // There is always one that the plain door hears.
    needs: ({ bareSignals }) => !bareSignals,
    async run(context) {
      const { servers: { ruled: gong } } = context;
      const user = newUser(context);
      const client = await context.connect(gong, { channels: [], headers: bearer({ sub: user }) });
      const coming = client.next();
      await untilThere(gong, user, 1);
      const pushed = await push(gong, [user], "to the user");
      assertHeard(context, [await coming], pushed);
    },
  },
];
