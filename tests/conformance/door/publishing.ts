/**
 * Who may publish what, by a door that can and by the API, and whose it is said to be.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { ask } from "../../support/doors/http.ts";
import type { Gong } from "../../support/gong.ts";
import { publish } from "../../support/publish.ts";
import type { Case } from "./case.ts";
import { EVERYBODY, headersOf, isUser, USERS, type Who } from "./people.ts";
import { counting, readRefusal } from "./refused.ts";
import { KEYS } from "./servers.ts";

/** Beginnings of channels that everybody hears, and who may publish there; everybody else may not. */
const TABLE: readonly (readonly [prefix: string, allowed: readonly Who[]])[] = [
  ["all:", EVERYBODY],
  ["guild:", ["publish", "admin", ...USERS]],
  ["hall:", ["publish", "admin", "named", "greedy"]],
  ["stage:", ["publish", "admin"]],
];

/** Text that says of itself whose it is. */
const CLAIM = '{"user":"somebody","from":"1-else"}';

function userOf(who: Who): string | undefined {
  return isUser(who) ? who : undefined;
}

/** The status that the API answers with. */
async function post(gong: Gong, who: Who, body: Record<string, unknown>): Promise<number> {
  const headers = { "content-type": "application/json", ...headersOf(who) };
  const response = await ask(gong, "/api/publish", { method: "POST", headers, body: JSON.stringify(body) });
  await response.body?.cancel();
  return response.status;
}

export const PUBLISHING: readonly Case[] = [
  {
    title: "who may publish is heard with the own name, and everybody else is refused, which is counted once",
    needs: ({ publishes }) => publishes === true,
    async run(context) {
      const { servers: { ruled: gong }, features } = context;
      // Where there is no answer, it is the session that ends.
      const isAnswered = features.tellsLoss && features.refusals !== "ending";
      for (const [prefix, allowed] of TABLE) {
        const channel = context.channel(prefix);
        const listener = await context.connect(gong, { channels: [channel] });
        for (const who of EVERYBODY) {
          const title = `${who} to ${channel}`;
          await using client = await context.connect(gong, { channels: [channel], headers: headersOf(who) });
          if (!allowed.includes(who)) {
            const counted = await counting(context, gong, async () => {
              await client.publish(channel, CLAIM);
              const said = await client.end().catch(readRefusal);
              assertEquals(said, isAnswered ? { answer: "forbidden" } : { close: 4403 }, title);
            });
            assertEquals(counted, { [isAnswered ? "refused forbidden" : "closed forbidden"]: 1 }, title);
            continue;
          }
          await client.publish(channel, CLAIM);
          const { data, user } = await listener.next();
          assertEquals(data, { text: CLAIM }, title);
          if (features.tells.includes("channel")) assertEquals(user, userOf(who), title);
        }
        // Nothing that was refused has come.
        await publish(gong, [{ channel, data: "end" }], { key: KEYS.publish });
        assertEquals((await listener.next()).data, { text: "end" });
      }
    },
  },
  {
    title: "what the API publishes is under the same rights, and is heard with the name of the user",
    async run(context) {
      const { servers: { ruled: gong }, features } = context;
      for (const [prefix, allowed] of TABLE) {
        const channel = context.channel(prefix);
        const listener = await context.connect(gong, { channels: [channel] });
        for (const who of EVERYBODY) {
          const title = `${who} to ${channel}`;
          if (!allowed.includes(who)) {
            const code = who === "nobody" ? "unauthorized" : "forbidden";
            const counted = await counting(context, gong, async () => {
              assertEquals(await post(gong, who, { channel, data: CLAIM }), who === "nobody" ? 401 : 403, title);
            });
            assertEquals(counted, { [`refused ${code}`]: 1 }, title);
            continue;
          }
          assertEquals(await post(gong, who, { channel, data: CLAIM }), 200, title);
          assertEquals(await post(gong, who, { channel, data: CLAIM, user: "somebody" }), 400, title);
          const { data, user } = await listener.next();
          assertEquals(data, { text: CLAIM }, title);
          if (features.tells.includes("channel")) assertEquals(user, userOf(who), title);
        }
        await publish(gong, [{ channel, data: "end" }], { key: KEYS.publish });
        assertEquals((await listener.next()).data, { text: "end" });
      }
    },
  },
];
