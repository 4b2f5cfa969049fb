import { assert, assertEquals } from "@std/assert";
import type { Gate, SubscribeAnswer } from "../../lib/door.ts";
import type { Position, Start } from "../../lib/types.ts";
import { type Client, numbered, Stage, type StageEdge } from "../support/stage.ts";
import { until } from "../support/until.ts";

/** A subscription that waits behind a gate. */
class Gated implements SubscribeAnswer, Gate {
  isOpen = false;
  told: { position: Position; recovered: boolean } | undefined;
  times = 0;
  readonly opened: Promise<void>;
  #open!: () => void;

  constructor(readonly client: Client, channel: string, start?: Start) {
    this.opened = new Promise((resolve) => this.#open = resolve);
    client.session.subscribe(channel, start, this);
  }

  get gate(): Gate {
    return this;
  }

  subscribed(position: Position, recovered: boolean): void {
    this.told = { position, recovered };
    this.times++;
  }

  refused(): void {}

  open(): void {
    this.isOpen = true;
    this.#open();
  }

  async untilTold(): Promise<{ position: Position; recovered: boolean }> {
    await until(() => this.told !== undefined);
    return this.told!;
  }
}

/** Where a subscription begins, how many it has missed by then, and whether others hear the channel there. */
const WAYS: readonly (readonly [start: "now" | "past" | "last" | "gone", hosted: boolean])[] = [
  ["now", false],
  ["now", true],
  ["past", false],
  ["past", true],
  ["last", true],
  ["gone", false],
  ["gone", true],
];

function startOf(way: "now" | "past" | "last" | "gone", { epoch }: Position): Start | undefined {
  return { now: undefined, past: { epoch, offset: 3 }, last: { last: 4 }, gone: { epoch: "gone", offset: 1 } }[way];
}

async function positionOf(edge: StageEdge, channel: string): Promise<Position> {
  return (await edge.hub.history(channel, { last: 0 }, {})).top;
}

for (const busDrop of [0, 50]) {
  Deno.test(`a subscription behind a gate is told where it stands and gets nothing before it opens (drops: ${busDrop})`, async () => {
    for (const [way, hosted] of WAYS) {
      await using stage = new Stage({ config: { busDrop } });
      await stage.publish("a", ...numbered(10));
      const others = hosted ? stage.edge.json() : undefined;
      await others?.socket.subscribed();
      const client = stage.edge.json({ channels: [] });
      const gated = new Gated(client, "a", startOf(way, await positionOf(stage.edge, "a")));
      const { position, recovered } = await gated.untilTold();
      const title = `${way} ${hosted}`;
      // What comes now begins where this edge stands, which the bus may not have told yet.
      const first = { now: position.offset, past: 3, last: 6, gone: 10 }[way];
      assertEquals([position.offset, recovered], [first, way !== "gone"], title);
      await stage.publish("a", "while it is closed", "and again");
      const beside = stage.edge.json();
      await beside.socket.subscribed();
      await stage.publish("a", "last");
      await beside.socket.until(() => beside.socket.publications.at(-1)?.data === "last");
      assertEquals(client.socket.publications, [], title);
      assertEquals(client.session.cursor, `a@${position.epoch}:${position.offset}`);
      assertEquals(client.session.channels, []);
      gated.open();
      await client.socket.until(() => client.socket.publications.at(-1)?.data === "last");
      const offsets = client.socket.publications.map(({ offset }) => offset);
      assertEquals(offsets, Array.from({ length: 13 - position.offset }, (_, n) => position.offset + n + 1), title);
      assertEquals(gated.times, 1);
      await stage.publish("a", "live");
      await client.socket.until(() => client.socket.publications.at(-1)?.data === "live");
      assertEquals(client.socket.ofType("subscribed").map(({ recovered }) => recovered), [way !== "gone"], title);
    }
  });
}

Deno.test("a subscription behind a gate waits with its pages, however many they are", async () => {
  await using stage = new Stage({ config: { outbox: 20_000, historyCount: 3000 } });
  await stage.publish("a", ...numbered(2000));
  const { epoch } = await positionOf(stage.edge, "a");
  const client = stage.edge.json({ channels: [] });
  const gated = new Gated(client, "a", { epoch, offset: 0 });
  assertEquals((await gated.untilTold()).recovered, true);
  await stage.publish("a", "while it is closed");
  assertEquals(client.socket.publications, []);
  gated.open();
  await client.socket.until(() => client.socket.publications.length === 2001);
  assertEquals(client.socket.publications.map(({ offset }) => offset), Array.from({ length: 2001 }, (_, n) => n + 1));
});

Deno.test("what is unsubscribed behind its gate, or left, is nobody's any more", async () => {
  await using stage = new Stage();
  for (const leaves of [false, true]) {
    for (const hosted of [false, true]) {
      await stage.publish("a", "1");
      const others = hosted ? stage.edge.json() : undefined;
      await others?.socket.subscribed();
      const client = stage.edge.json({ channels: [] });
      const gated = new Gated(client, "a", hosted ? undefined : { last: 1 });
      await gated.untilTold();
      if (leaves) client.session.leave();
      else client.session.unsubscribe("a");
      gated.open();
      others?.session.leave();
      assertEquals(await stage.edge.edge.registry.empty(0), undefined);
      // Who comes now is the first to ask for it.
      const late = stage.edge.json({ channels: ["a"] });
      await late.socket.subscribed();
      await stage.publish("a", "2");
      await late.socket.until(() => late.socket.publications.length > 0);
      assert(client.socket.publications.length === 0);
      late.session.leave();
    }
  }
});
