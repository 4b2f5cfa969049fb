import { assertEquals } from "@std/assert";
import { DoorClient } from "../../support/doors/door_client.ts";
import { HTTP_DOORS } from "../../support/doors/mod.ts";
import { openJson, openPlain } from "../../support/doors/websocket.ts";
import type { Heard, OpenWire } from "../../support/doors/wire.ts";
import { startGong } from "../../support/gong.ts";
import { numbered, publish, type Published } from "../../support/publish.ts";
import { inFolder } from "../../support/folder.ts";

const ARGS = ["--isolates", "2", "--broker", "sqlite:gong.db"];
const CHANNELS = ["a", "b"];
const DOORS: readonly OpenWire[] = [openPlain, openJson, ...HTTP_DOORS.map(({ open }) => open)];

function textsOf(published: readonly Published[]): unknown[] {
  return published.map(({ data }) => data).toSorted();
}

function heardTexts(heard: readonly Heard[]): unknown[] {
  return heard.map(({ data }) => "text" in data ? data.text : data).toSorted();
}

for (const how of ["stop", "kill"] as const) {
  Deno.test(`after a ${how} of a server that keeps channels in a file, every door goes on where it was`, () =>
    inFolder(async (dir) => {
      await using first = await startGong(ARGS, { dir });
      const clients = await Promise.all(DOORS.map((open) => DoorClient.open(open, first, { channels: CHANNELS })));
      const early = await publish(first, numbered(CHANNELS, 6, "early "));
      for (const client of clients) assertEquals(heardTexts(await client.take(6)), textsOf(early));
      const known = early.slice(-2).map(({ channel, position }) => `${channel}@${position.epoch}:${position.offset}`);
      const cursors = clients.map(({ cursor }) => cursor ?? known.join());
      // Acknowledged, and nobody has read it.
      for (const client of clients) await client[Symbol.asyncDispose]();
      const unheard = await publish(first, numbered(CHANNELS, 4, "unheard "));
      await first[how]();

      await using second = await startGong(ARGS, { dir });
      const again = await Promise.all(DOORS.map((open, index) => {
        return DoorClient.open(open, second, { channels: CHANNELS, since: cursors[index]! });
      }));
      const later = await publish(second, numbered(CHANNELS, 4, "later "));
      for (const client of again) {
        assertEquals(client.recovered, true);
        assertEquals(heardTexts(await client.take(8)), textsOf([...unheard, ...later]));
        await client[Symbol.asyncDispose]();
      }
    }));
}
