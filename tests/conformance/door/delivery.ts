/**
 * What is published is what is heard, on every door.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { numbered, publish, type Sent } from "../../support/publish.ts";
import { openJson } from "../../support/doors/websocket.ts";
import { DoorClient } from "../../support/doors/door_client.ts";
import { before, type Case, cursorAfter, hears, hearsNothingMore } from "./case.ts";

const MAX_MESSAGE = 65_536;
const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, byte) => byte);

/** Everything that some wire might take for something else. */
const CONTENTS: readonly Omit<Sent, "channel">[] = [
  { data: "hello" },
  { data: "" },
  { data: " spaces around " },
  { data: "\ufeffbyte order mark" },
  { data: "grüße 🎉 \u2028 \u2029 \u0085 \0 \u0001 \u007f \ud7ff\uffff" },
  { data: "one\r\ntwo\rthree\n\nfour\n" },
  { data: "\n" },
  { data: "\r\n\r\n" },
  { data: "data: x\nevent: $close\nid: 7\nretry: 1\n: comment\n\ndata: y" },
  { data: ": no comment" },
  { data: '{"type":"subscribed","channel":"x","recovered":false}' },
  { data: "</script><script>alert(1)</script><!--<script>" },
  { data: "\\u003c \\ \" ' ` ${x}" },
  { data: { n: [1, -2.5, null, true, "é\u2028</script>\n"], deep: { a: {} } } },
  { data: "a string", contentType: "application/json".replace("json", "x-text") },
  { data: '"a string of JSON"', contentType: "application/json" },
  { data: '{"a":1}', contentType: "application/json" },
  { data: 7 },
  { data: null },
  { data: false },
  { data: [] },
  { data: "<b>", contentType: "text/html; charset=utf-8" },
  { data: ALL_BYTES },
  { data: new Uint8Array() },
  { data: ALL_BYTES, contentType: "image/png" },
  { data: "with a name", event: "greeting" },
  { data: "with an odd name", event: "größe: data: x" },
  { data: "with everything", event: "e", id: "order-7", tags: { lang: "de", "a/b": "1 2" } },
  { data: "with an id", id: "é".repeat(32) },
  { data: "x".repeat(MAX_MESSAGE) },
  { data: "\0".repeat(MAX_MESSAGE) },
  { data: "é\n".repeat(MAX_MESSAGE / 4) },
  { data: ALL_BYTES.slice(0, 1) },
  { data: Uint8Array.from({ length: MAX_MESSAGE }, (_, n) => n * 7) },
  { data: "last" },
];

export const DELIVERY: readonly Case[] = [
  {
    title: "what is published is heard as it is, in its order, live and from history",
    async run(context) {
      const { servers: { open: gong } } = context;
      const channel = context.channel();
      const [live, other] = await Promise.all([1, 2].map(() => context.connect(gong, { channels: [channel] })));
      const sent = CONTENTS.map((content): Sent => ({ channel, ...content }));
      const [published] = await Promise.all([
        // Six times the largest message has to fit into one body.
        publish(gong, sent, { batch: 1 }),
      ]);
      await hears(context, live!, published);
      await hears(context, other!, published);
      const late = await context.connect(gong, { channels: [channel], since: before(published[0]!) });
      await hears(context, late, published);
      for (const client of [live!, other!, late]) assertEquals(client.recovered, true);
      const end = [{ channel, data: "end" }];
      const ended = await publish(gong, end);
      for (const client of [live!, other!, late]) await hears(context, client, ended);
    },
  },
  {
    title: "who waits already hears what comes",
    async run(context) {
      const { servers: { open: gong } } = context;
      const channel = context.channel();
      const client = await context.connect(gong, { channels: [channel] });
      for (let n = 0; n < 3; n++) {
        const coming = client.take(2);
        const published = await publish(gong, numbered([channel], 2, `${n} `));
        const heard = await coming;
        assertEquals(heard.length, published.length);
        await hearsNothingMore(context, gong, client, [channel]);
      }
    },
  },
  {
    title: "several channels are heard, each in its order, and no other",
    async run(context) {
      const { servers: { open: gong } } = context;
      const channels = [1, 2, 3].map(() => context.channel());
      const client = await context.connect(gong, { channels });
      const foreign = context.channel();
      const published = await publish(gong, numbered([...channels, foreign], 60), { batch: 7 });
      await hears(context, client, published.filter(({ channel }) => channel !== foreign));
      await hearsNothingMore(context, gong, client, channels);
    },
  },
  {
    title: "a burst is heard whole by everybody",
    async run(context) {
      const { servers: { open: gong } } = context;
      const channel = context.channel();
      const clients = await Promise.all(
        Array.from({ length: 10 }, () => context.connect(gong, { channels: [channel] })),
      );
      const published = await publish(gong, numbered([channel], 1000), { batch: 250 });
      await Promise.all(clients.map((client) => hears(context, client, published)));
    },
  },
  {
    title: "history=N begins so many before the top, or with what there is",
    async run(context) {
      const { servers: { open: gong } } = context;
      const channel = context.channel();
      const published = await publish(gong, numbered([channel], 5));
      const counts = [0, 1, 3, 5, 6, 10_000];
      const clients = await Promise.all(
        counts.map((history) => context.connect(gong, { channels: [channel], history })),
      );
      for (const [index, client] of clients.entries()) {
        assertEquals(client.recovered, true);
        await hears(context, client, published.slice(Math.max(0, 5 - counts[index]!)));
      }
      const more = await publish(gong, numbered([channel], 2, "more "));
      for (const client of clients) await hears(context, client, more);
    },
  },
  {
    title: "the cursor wins over history, which is for the channels that it does not name, and names channels too",
    async run(context) {
      const { servers: { open: gong } } = context;
      const [named, other, hidden] = [1, 2, 3].map(() => context.channel()) as [string, string, string];
      const published = await publish(gong, numbered([named, other, hidden], 15));
      const of = (channel: string) => published.filter((one) => one.channel === channel);
      const since = cursorAfter([of(named)[0]!, of(hidden)[2]!], []);
      const client = await context.connect(gong, { channels: [named, other], since, history: 2 });
      const expected = [...of(named).slice(1), ...of(other).slice(3), ...of(hidden).slice(3)];
      await hears(context, client, expected);
      await hearsNothingMore(context, gong, client, [named, other, hidden]);
    },
  },
  {
    title: "echo=false hears the others, and not oneself",
    needs: ({ publishes }) => publishes === true,
    async run(context) {
      const { servers: { open: gong } } = context;
      const channel = context.channel();
      const [quiet, loud] = await Promise.all(
        [false, true].map((echo) => context.connect(gong, { channels: [channel], echo })),
      );
      const texts = [];
      for (let n = 0; n < 6; n++) {
        const text = `${n}`;
        await (n % 2 ? quiet! : loud!).publish(channel, text);
        texts.push(text);
        // Both publish by turns, so that the order is known.
        assertEquals((await loud!.next()).data, { text });
      }
      assertEquals((await quiet!.take(3)).map(({ data }) => data), ["0", "2", "4"].map((text) => ({ text })));
      await hearsNothingMore(context, gong, quiet!, [channel]);
    },
  },
  {
    title: "echo=false with session=ID does not hear what one has published before, from history and live",
    async run(context) {
      const { servers: { open: gong } } = context;
      const channel = context.channel();
      await using author = await DoorClient.open(openJson, gong, { channels: [channel] });
      const published = [];
      for (let n = 0; n < 3; n++) {
        published.push(...await publish(gong, [{ channel, data: `theirs ${n}` }]));
        await author.publish(channel, `mine ${n}`);
        await author.take(2);
      }
      const wish = { channels: [channel], echo: false, sessions: ["0-none", author.session!] };
      const since = before(published[0]!);
      const [resuming, listening] = await Promise.all([
        context.connect(gong, { ...wish, since }),
        context.connect(gong, wish),
      ]);
      await hears(context, resuming, published);
      await author.publish(channel, "mine, live");
      await author.next();
      await hearsNothingMore(context, gong, [resuming, listening], [channel]);
    },
  },
];
