/**
 * Clients of the JSON door that change their minds: what they hear is what they have asked for last, in order, and each
 * command is answered once.
 */
import { assert, assertEquals } from "@std/assert";
import type { Position } from "../../lib/types.ts";
import { seeded } from "../support/random.ts";
import { Stage, type StageEdge } from "../support/stage.ts";

const CHANNELS: [string, ...string[]] = ["a", "b", "c", "d"];

/** One client, and what it knows. */
class Changing {
  readonly stands = new Map<string, Position>();
  /** Positions to come back to. */
  readonly left = new Map<string, Position>();
  readonly commands = new Map<number, { kind: "subscribe" | "unsubscribe"; channel: string; since?: Position }>();
  got = 0;
  resumed = 0;
  refused = 0;
  #next = 1;
  #read = 0;

  constructor(readonly socket: ReturnType<StageEdge["connect"]>["socket"]) {}

  subscribe(channel: string, since?: Position): void {
    const id = this.#next++;
    this.commands.set(id, { kind: "subscribe", channel, ...(since ? { since } : {}) });
    const from = since ? { since: `${since.epoch}:${since.offset}` } : {};
    this.socket.say(JSON.stringify({ id, subscribe: { channel, ...from } }));
  }

  unsubscribe(channel: string): void {
    const id = this.#next++;
    this.commands.set(id, { kind: "unsubscribe", channel });
    this.socket.say(JSON.stringify({ id, unsubscribe: { channel } }));
  }

  read(): void {
    const { sent, unread } = this.socket;
    const frames = sent.slice(this.#read, Math.max(this.#read, sent.length - unread.length));
    this.#read += frames.length;
    for (const line of frames.flatMap((frame) => String(frame).split("\n"))) this.#take(JSON.parse(line), line);
  }

  // deno-lint-ignore no-explicit-any
  #take(line: any, text: string): void {
    if (line.id !== undefined) return this.#answered(line);
    const { type, channel, epoch, offset, recovered } = line;
    if (type === "welcome") return;
    const before = this.stands.get(channel);
    assert(before, `not subscribed: ${text}`);
    if (type === "subscribed") assert(recovered && before.offset === offset, text);
    else {
      assertEquals({ epoch, offset: offset - 1 }, before, text);
      this.got++;
    }
    this.stands.set(channel, { epoch, offset });
  }

  // deno-lint-ignore no-explicit-any
  #answered({ id, ok, error }: any): void {
    const command = this.commands.get(id);
    assert(command, `answered twice: ${id}`);
    this.commands.delete(id);
    const { kind, channel, since } = command;
    if (error) {
      this.refused++;
      return assertEquals([kind, error.code], ["subscribe", "conflict"]);
    }
    const stands = this.stands.get(channel);
    if (kind === "unsubscribe") {
      if (stands) this.left.set(channel, stands);
      this.stands.delete(channel);
      return;
    }
    // Of a channel that it hears it is told where the server stands, which may be further.
    if (stands) return;
    assert(ok.recovered);
    if (since) assertEquals({ epoch: ok.epoch, offset: ok.offset }, since);
    if (since) this.resumed++;
    this.stands.set(channel, { epoch: ok.epoch, offset: ok.offset });
  }
}

Deno.test("clients that subscribe and unsubscribe as they like hear what they asked for last, once and in order", async () => {
  const told = { got: 0, resumed: 0, refused: 0 };
  for (let seed = 1; seed <= 25; seed++) {
    const random = seeded(seed);
    await using stage = new Stage({
      config: {
        ...{ outbox: 20_000, maxMessage: 1000, historyCount: 10_000, historyBytes: 1 << 24 },
        ...{ busDrop: random.pick([0, 30]), busRing: random.pick([1, 1 << 20]), resumeRate: random.pick([30, 5000]) },
      },
    });
    const clients = Array.from({ length: 6 }, () => new Changing(stage.edge.connect().socket));
    for (const { socket } of clients) socket.reads = random.pick(["at once", "after the turn", "nothing"]);
    const living = () => clients.filter(({ socket }) => !socket.closed);
    for (let step = 0; step < 200 && living().length > 0; step++) {
      const client = random.pick(living() as [Changing]);
      const channel = random.pick(CHANNELS);
      switch (random.int(6)) {
        case 0:
        case 1:
          await stage.publish(
            channel,
            ...Array.from({ length: 1 + random.int(20) }, () => "x".repeat(random.int(900))),
          );
          break;
        case 2:
          client.subscribe(channel, client.left.get(channel));
          break;
        case 3:
          client.unsubscribe(channel);
          break;
        case 4:
          client.socket.take(random.int(20_000));
          break;
        case 5:
          await new Promise((resolve) => setTimeout(resolve, random.int(4)));
      }
      for (const one of living()) one.read();
    }
    for (const client of living()) {
      for (client.socket.reads = "at once"; client.commands.size > 0 && !client.socket.closed;) {
        client.socket.take();
        client.read();
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      client.read();
    }
    for (const client of clients) {
      told.got += client.got;
      told.resumed += client.resumed;
      told.refused += client.refused;
      client.socket.vanish();
    }
    await stage.edge.hub.readiness();
    assertEquals(CHANNELS.filter((channel) => stage.hub.isHosted(channel)), []);
  }
  assert(told.got > 2000 && told.resumed > 100 && told.refused > 5, JSON.stringify(told));
});
