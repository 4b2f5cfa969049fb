import { assertEquals } from "@std/assert";
import { DoorClient } from "../../support/doors/door_client.ts";
import { openIframe } from "../../support/doors/iframe.ts";
import { openStream } from "../../support/doors/ndjson.ts";
import { openPoll } from "../../support/doors/poll.ts";
import { openSse, openSseJson } from "../../support/doors/sse.ts";
import { openJson } from "../../support/doors/websocket.ts";
import type { OpenWire } from "../../support/doors/wire.ts";
import { startGong } from "../../support/gong.ts";
import { numbered, publish, type Published } from "../../support/publish.ts";

const COUNT = 10_000;
/** Publications heard by one door before the next is taken. */
const EACH = 250;

const ROUNDS: readonly (readonly [title: string, doors: readonly OpenWire[], args: readonly string[]])[] = [
  ["JSON, SSE, polling and JSON again", [openJson, openSse, openPoll], []],
  [
    "every door there is, while the bus loses a third of the batches",
    [openJson, openSse, openStream, openPoll, openIframe, openSseJson],
    ["--bus-drop", "33"],
  ],
];

for (const [title, doors, args] of ROUNDS) {
  Deno.test(`a client that hops between ${title} hears ${COUNT} publications, each once`, async () => {
    await using gong = await startGong([
      "--isolates",
      "2",
      "--history-count",
      String(COUNT),
      "--history-bytes",
      "16MiB",
      ...args,
    ]);
    const channels = ["a", "b"];
    const start = await publish(gong, channels.map((channel) => ({ channel, data: "start" })));
    let since = start.map(({ channel, position }) => `${channel}@${position.epoch}:${position.offset}`).join();
    let isDone = false;
    const publishing = publishOn(gong).finally(() => isDone = true);
    const heard: string[] = [];
    let hopsMeanwhile = 0;
    for (let hop = 0; heard.length < COUNT; hop++) {
      await using client = await DoorClient.open(doors[hop % doors.length]!, gong, { channels, since });
      assertEquals(client.recovered, true);
      for (const { data } of await client.take(Math.min(EACH, COUNT - heard.length))) {
        heard.push("text" in data ? data.text : "");
      }
      since = client.cursor!;
      if (!isDone) hopsMeanwhile++;
    }
    const published = await publishing;
    for (const channel of channels) {
      const own = (text: string) => text.startsWith(`${channel} `);
      assertEquals(heard.filter(own), published.map(({ data }) => String(data)).filter(own));
    }
    assertEquals(hopsMeanwhile > doors.length, true, `${hopsMeanwhile} hops while it was published`);
  });
}

/** A steady stream: one request after the other, ten publications each. */
async function publishOn(gong: { readonly url: string }): Promise<Published[]> {
  return await publish(gong, numbered(["a", "b"], COUNT), { batch: 10 });
}
