/**
 * Who somebody is: a token at each place where one may come in, and a name where there are none.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { Wish } from "../../support/doors/wire.ts";
import type { Gong } from "../../support/gong.ts";
import { publish } from "../../support/publish.ts";
import { signToken, unsigned } from "../../support/tokens.ts";
import { before, type Case, hears } from "./case.ts";
import { push } from "./inboxes.ts";
import { bearer, tokenOf } from "./people.ts";
import { isRefused } from "./refused.ts";
import { AUDIENCE, KEYS, PAGE } from "./servers.ts";

type Place = (gong: Gong, token: string) => Pick<Wish, "query" | "headers">;

const COOKIE = (token: string) => ({ cookie: `gong-token=${token}` });
/** Where a token may come in. */
const PLACES: Readonly<Record<string, Place>> = {
  header: (_, token) => ({ headers: { authorization: `Bearer ${token}` } }),
  query: (_, token) => ({ query: `token=${token}` }),
  "cookie, without a page": (_, token) => ({ headers: COOKIE(token) }),
  "cookie, from a page of ours": ({ url }, token) => ({ headers: { ...COOKIE(token), origin: url } }),
  "cookie, from a page of another origin": (_, token) => ({ headers: { ...COOKIE(token), origin: PAGE } }),
};

const NOW = Math.floor(Date.now() / 1000);
/** Tokens that are not accepted, by the check that they fail. */
const FAULTS: readonly (readonly [check: string, token: string])[] = [
  ["expired", tokenOf({ exp: NOW - 3600 })],
  ["signature", signToken({ aud: AUDIENCE }, "another-secret-that-is-long-enough-for-it")],
  ["audience", tokenOf({ aud: "mail" })],
  ["audience", signToken()],
  ["algorithm", unsigned({ aud: AUDIENCE })],
  ["claims", tokenOf({ sub: "" })],
];

export const IDENTITIES: readonly Case[] = [
  {
    title: "a token is taken wherever it may come in",
    async run(context) {
      const { servers: { ruled: gong } } = context;
      const channel = context.channel("room:");
      const published = await publish(gong, [{ channel, data: "heard" }], { key: KEYS.publish });
      for (const [place, show] of Object.entries(PLACES)) {
        const token = tokenOf({ sub: place, channels: [channel] });
        const wish = { channels: [channel], since: before(published[0]!), ...show(gong, token) };
        await using client = await context.connect(gong, wish);
        await hears(context, client, published);
        if (client.session !== undefined) assertEquals(client.user, place);
      }
    },
  },
  {
    title: "a token that is not accepted is refused wherever it comes in, and counted by what is wrong with it",
    async run(context) {
      const { servers: { ruled: gong } } = context;
      for (const show of Object.values(PLACES)) {
        for (const [check, token] of FAULTS) {
          const wish = { channels: ["all:1"], ...show(gong, token) };
          await isRefused(context, gong, wish, { code: "unauthorized", by: "token", check });
        }
      }
    },
  },
  {
    title: "a page that may not talk to the server has no use of a token, by cookie or otherwise",
    async run(context) {
      const { servers: { ruled: gong } } = context;
      const token = tokenOf({ channels: ["room:*"] });
      const origin = "https://evil.example";
      for (const headers of [COOKIE(token), bearer({}), COOKIE("nonsense"), {}]) {
        const wish = { channels: ["all:1"], headers: { ...headers, origin } };
        await isRefused(context, gong, wish, { code: "forbidden", by: "handshake" });
      }
    },
  },
  {
    title: "where no token can be accepted, one is refused, and what only a browser brings is not looked at",
    async run(context) {
      const { servers: { guarded: gong } } = context;
      const token = signToken();
      const refusal = { code: "unauthorized", by: "token", check: "key" } as const;
      const header = { channels: ["open.a"], headers: { authorization: `Bearer ${token}` } };
      await isRefused(context, gong, header, refusal);
      await isRefused(context, gong, { channels: ["open.a"], query: `token=${token}` }, refusal);
      const channel = context.channel("open.");
      const published = await publish(gong, [{ channel, data: "heard" }], { key: KEYS.publish });
      const wish = { channels: [channel], since: before(published[0]!), headers: COOKIE(token) };
      const client = await context.connect(gong, wish);
      await hears(context, client, published);
      assertEquals(client.user, undefined);
    },
  },
  {
    title: "two that say different things of who it is are refused",
    async run(context) {
      const { servers: { ruled, open } } = context;
      const query = `token=${tokenOf({ sub: "1" })}`;
      const wish = { channels: ["all:1"], query, headers: { "x-api-key": KEYS.admin } };
      await isRefused(context, ruled, wish, { code: "bad_request", by: "handshake" });
      await isRefused(context, ruled, { ...wish, headers: bearer({ sub: "2" }) }, {
        ...{ code: "bad_request", by: "handshake" },
      });
      await isRefused(context, open, { channels: ["a"], query: `user=1&${query}` }, {
        ...{ code: "bad_request", by: "handshake" },
      });
    },
  },
  {
    title: "a name in the query is refused, and with --dev says who it is",
    async run(context) {
      const { servers: { ruled, open } } = context;
      await isRefused(context, ruled, { channels: ["all:1"], query: "user=42" }, {
        ...{ code: "bad_request", by: "handshake" },
      });
      const user = context.channel("user ");
      const channel = context.channel();
      const [pushed] = await push(open, [user], "to the user");
      const query = `user=${encodeURIComponent(user)}`;
      const client = await context.connect(open, { channels: [channel], since: before(pushed!), query });
      await hears(context, client, [pushed!]);
      if (client.session !== undefined) assertEquals(client.user, user);
    },
  },
];
