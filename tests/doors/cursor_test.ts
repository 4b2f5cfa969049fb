import { assert, assertEquals } from "@std/assert";
import { encodeCursor, parseCursor } from "../../lib/codecs/cursor.ts";
import { SSE_DOORS } from "../../lib/doors/sse.ts";
import type { Position, Start } from "../../lib/types.ts";
import { parseEvents, type StreamEvent } from "../support/event_stream.ts";
import { seeded } from "../support/random.ts";
import { type Client, Stage } from "../support/stage.ts";

const CHANNELS = ["a", "b", "$user/ada"];
const door = SSE_DOORS.get("json")!;
const decoder = new TextDecoder();

/** What the client has understood until now. */
function eventsOf({ socket }: Pick<Client, "socket">): StreamEvent[] {
  return parseEvents(socket.sent.map((data) => typeof data === "string" ? data : decoder.decode(data)).join(""));
}

/** Whether each event's id is where the client stands with it: everything that it was given or told, and nothing else. */
function check(events: readonly StreamEvent[], starts: ReadonlyMap<string, Start>): Map<string, Position> {
  const stands = new Map([...starts].filter((entry): entry is [string, Position] => "offset" in entry[1]));
  for (const { id, event, data } of events) {
    const line = JSON.parse(data);
    if (event === "$welcome") continue;
    const { channel, epoch, offset, recovered } = line;
    const before = stands.get(channel);
    if (event === "message") assertEquals({ epoch, offset: offset - 1 }, before!, `${channel} ${offset}`);
    else if (event === "$subscribed") assert(recovered && (!before || before.offset === offset), data);
    else throw new Error(event);
    stands.set(channel, { epoch, offset });
    const told = [...parseCursor(id)].sort();
    assertEquals(
      told,
      [...stands].map(([name, { epoch, offset }]) => [name, { epoch, offset }]).sort(),
      `${id} ${data}`,
    );
  }
  return stands;
}

Deno.test("a cursor is where the client stands in all channels, with every event, while it joins and after", async () => {
  const random = seeded(23);
  const told = { events: 0, resumed: 0 };
  for (let round = 0; round < 25; round++) {
    // Pages of a few publications, so that resumes of several channels are under way together.
    await using stage = new Stage({ edges: 2, config: { outbox: 40_000, maxMessage: 1000 } });
    const published = new Map<string, number>();
    let total = 0;
    const publish = async (channel: string, count: number) => {
      published.set(channel, (published.get(channel) ?? 0) + count);
      total += count;
      return await stage.publish(channel, ...Array.from({ length: count }, () => "x".repeat(random.int(900))));
    };
    const epochs = new Map<string, string>();
    for (const channel of CHANNELS) {
      const [first] = await publish(channel, 1 + random.int(80));
      epochs.set(channel, (first as Position).epoch);
    }
    const clients: { client: Client; starts: Map<string, Start> }[] = [];
    const come = () => {
      const starts = new Map<string, Start>();
      for (const channel of CHANNELS) {
        const offset = random.int(published.get(channel)! + 1);
        if (random.int(4) > 0) starts.set(channel, { epoch: epochs.get(channel)!, offset });
        else if (random.int(2) === 0) starts.set(channel, { last: random.int(10) + 1 });
      }
      const edge = random.pick(stage.edges as [typeof stage.edge]);
      const client = edge.connect({ door, channels: CHANNELS, starts: Object.fromEntries(starts) });
      client.socket.reads = random.pick(["at once", "after the turn"]);
      clients.push({ client, starts });
    };
    for (let step = 0; step < 12; step++) {
      if (random.int(2) === 0) come();
      else await publish(random.pick(CHANNELS as [string]), 1 + random.int(8));
    }
    for (const channel of CHANNELS) await publish(channel, 1);
    for (const { client, starts } of clients) {
      const isThere = () => {
        const cursor = parseCursor(client.session.cursor);
        // What it was given may wait for its socket.
        return client.session.outbox.isEmpty &&
          CHANNELS.every((channel) => cursor.get(channel)?.offset === published.get(channel));
      };
      await client.socket.until(() => isThere() || client.socket.closed !== undefined);
      const events = eventsOf(client);
      const stands = check(events, starts);
      assertEquals([...stands].map(([name, { offset }]) => [name, offset]).sort(), [...published].sort());
      assertEquals(encodeCursor(stands).split(",").sort(), client.session.cursor.split(",").sort());
      told.events += events.length;
      if (starts.size > 0) told.resumed++;
    }
    assert(total > 0);
  }
  assert(told.events > 5000 && told.resumed > 80, JSON.stringify(told));
});

Deno.test("sessions that hear the same get the very same bytes, cursors included", async () => {
  await using stage = new Stage();
  const clients = [1, 2, 3].map(() => stage.edge.connect({ door, channels: ["a", "b"] }));
  const single = stage.edge.connect({ door, channels: ["b"] });
  for (const { socket } of clients) await socket.frames(3);
  await single.socket.frames(2);
  await stage.publish("a", "1");
  await stage.publish("b", "2");
  for (const { socket } of [...clients, single]) {
    await socket.until(() =>
      parseEvents(socket.sent.map((data) => typeof data === "string" ? data : decoder.decode(data)).join("")).at(-1)!
        .data.includes('"2"')
    );
  }
  const last = clients.map(({ socket }) => socket.sent.at(-1));
  assert(last[0] instanceof Uint8Array && last.every((frame) => frame === last[0]));
  assertEquals(single.socket.sent.at(-1) === last[0], false, "its cursor is another");
});
