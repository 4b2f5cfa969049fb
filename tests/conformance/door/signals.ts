/**
 * Messages to one session: they come once, as they are, with who they are from.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { encodeBase64 } from "@std/encoding/base64";
import { Commander } from "../../support/commands.ts";
import type { DoorClient } from "../../support/doors/door_client.ts";
import { ask } from "../../support/doors/http.ts";
import type { Heard, Signalled, Told } from "../../support/doors/wire.ts";
import type { Gong } from "../../support/gong.ts";
import { publish } from "../../support/publish.ts";
import { until } from "../../support/until.ts";
import type { Case, Context } from "./case.ts";

/** What is sent, and what a wire of JSON tells of it; a plain one has the text. */
const CONTENTS: readonly (readonly [sent: Record<string, unknown>, told: Told, text: Told])[] = [
  [{ data: "hello" }, { text: "hello" }, { text: "hello" }],
  [{ data: "one\ntwo </script> \u2028" }, { text: "one\ntwo </script> \u2028" }, { text: "one\ntwo </script> \u2028" }],
  [{ data: { a: [1, null] } }, { json: { a: [1, null] } }, { text: '{"a":[1,null]}' }],
  [
    { data: encodeBase64(Uint8Array.of(0, 255, 10)), encoding: "base64" },
    { bytes: Uint8Array.of(0, 255, 10) },
    { bytes: Uint8Array.of(0, 255, 10) },
  ],
];

/** The session that hears the channel; of a poll, as soon as it waits. */
async function sessionOf(gong: Gong, channel: string): Promise<string> {
  let found: string | undefined;
  await until(async () => {
    const response = await ask(gong, "/api/sessions?limit=500", {});
    const { sessions } = await response.json();
    found = sessions.find(({ channels }: { channels: string[] }) => channels.includes(channel))?.id;
    return found !== undefined;
  });
  return found!;
}

/** The next message to the client. */
async function nextSignal({ features }: Context, client: DoorClient): Promise<Signalled> {
  if (features.bareSignals) return { data: (await client.until("publication")).heard.data };
  return (await client.until("signal")).signal;
}

/** That nothing comes before what is published now. */
async function endsWith(context: Context, gong: Gong, client: DoorClient, channel: string): Promise<void> {
  const coming = context.features.bareSignals ? client.until("publication") : client.either("publication", "signal");
  await publish(gong, [{ channel, data: "end" }]);
  const item = await coming as { heard?: Heard };
  assertEquals(item.heard?.data, { text: "end" });
}

function assertSignal({ features }: Context, signal: Signalled, expected: Partial<Signalled>): void {
  const { data, from, user, reply } = features.bareSignals ? { data: expected.data } as typeof expected : expected;
  assertEquals([signal.data, signal.from, signal.user, signal.reply], [data, from, user, reply]);
}

export const SIGNALS: readonly Case[] = [
  {
    title: "a message of the API to the session comes once, as it is, between publications",
    async run(context) {
      const { servers: { open: gong } } = context;
      const channel = context.channel();
      const client = await context.connect(gong, { channels: [channel] });
      for (const [sent, told, text] of CONTENTS) {
        const coming = nextSignal(context, client);
        const sessions = [await sessionOf(gong, channel)];
        const response = await ask(gong, "/api/publish", {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ sessions, ...sent }),
        });
        assertEquals(await response.json(), { reached: 1 });
        assertSignal(context, await coming, { data: context.features.bareSignals ? text : told });
        await endsWith(context, gong, client, channel);
      }
    },
  },
  {
    title: "a message of another client comes once, and says who it is from",
    async run(context) {
      const { servers: { open: gong } } = context;
      const channel = context.channel();
      const client = await context.connect(gong, { channels: [channel] });
      await using known = await Commander.open(gong, `user=${encodeURIComponent('"é" 7')}`);
      await using unknown = await Commander.open(gong);
      for (const [sender, user] of [[known, '"é" 7'], [unknown, undefined]] as const) {
        for (const [sent, told, text] of CONTENTS) {
          const coming = nextSignal(context, client);
          const sessions = [await sessionOf(gong, channel)];
          assertEquals(await sender.command({ send: { sessions, ...sent } }), { ok: { reached: 1 } });
          const data = context.features.bareSignals ? text : told;
          assertSignal(context, await coming, { data, from: sender.session, user });
        }
        await endsWith(context, gong, client, channel);
      }
    },
  },
  {
    title: "a question comes with its reply, and whoever has that answers",
    needs: ({ bareSignals, acknowledges }) => !bareSignals && !acknowledges,
    async run(context) {
      const { servers: { open: gong } } = context;
      const channel = context.channel();
      const client = await context.connect(gong, { channels: [channel] });
      await using asker = await Commander.open(gong);
      await using helper = await Commander.open(gong, "user=8");
      const coming = nextSignal(context, client);
      const sessions = [await sessionOf(gong, channel)];
      const asking = asker.command({ ask: { sessions, data: "?" } });
      const signal = await coming;
      const { reply } = signal;
      assertSignal(context, signal, { data: { text: "?" }, from: asker.session, reply });
      assert(reply !== undefined && reply.length > 20, `reply: ${reply}`);
      assertEquals(await helper.command({ answer: { reply, data: { yes: true } } }), { ok: {} });
      assertEquals(await asking, { ok: { reached: 1, data: { yes: true }, from: helper.session, user: "8" } });
      await endsWith(context, gong, client, channel);
    },
  },
  {
    title: "messages that come at once come all, in their order",
    async run(context) {
      const { servers: { open: gong } } = context;
      const channel = context.channel();
      const client = await context.connect(gong, { channels: [channel] });
      await using sender = await Commander.open(gong);
      const coming = nextSignal(context, client);
      const sessions = [await sessionOf(gong, channel)];
      const sending = Array.from({ length: 5 }, (_, n) => sender.command({ send: { sessions, data: `${n}` } }));
      const reached = (await Promise.all(sending)).map(({ ok }) => ok.reached);
      // A poll may be over before the last of them.
      const count = reached.filter((reached) => reached === 1).length;
      assertEquals(reached, [1, 1, 1, 1, 1].fill(0, count));
      if (!context.features.asks) assertEquals(count, 5);
      const texts = [(await coming).data];
      while (texts.length < count) texts.push((await nextSignal(context, client)).data);
      assertEquals(texts, Array.from({ length: count }, (_, n) => ({ text: `${n}` })));
      await endsWith(context, gong, client, channel);
    },
  },
];
