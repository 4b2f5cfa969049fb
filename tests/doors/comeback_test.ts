/**
 * Clients that come back, whatever ended their streams: over all their lives each publication once, in order, or the
 * client was told.
 */
import { assert, assertEquals } from "@std/assert";
import { parseCursor } from "../../lib/codecs/cursor.ts";
import { SSE_DOORS } from "../../lib/doors/sse.ts";
import type { Position, Start } from "../../lib/types.ts";
import { parseEvents } from "../support/event_stream.ts";
import { seeded } from "../support/random.ts";
import { type Client, Stage, type StageEdge } from "../support/stage.ts";

const CHANNELS = ["a", "b", "c", "d", "e"];
const door = SSE_DOORS.get("json")!;
const decoder = new TextDecoder();

/** What a client knows, over all its connections. */
class Returning {
  client!: Client;
  edge!: StageEdge;
  lastId = "";
  readonly stands = new Map<string, Position>();
  lives = 0;
  lost = 0;
  got = 0;
  #read = 0;

  constructor(readonly last: number) {}

  come(edge: StageEdge, reads: "at once" | "after the turn" | "nothing"): void {
    const starts = new Map<string, Start>(this.last > 0 ? CHANNELS.map((name) => [name, { last: this.last }]) : []);
    const cursor = parseCursor(this.lastId);
    for (const [name, position] of cursor) starts.set(name, position);
    for (const [name, position] of this.stands) assertEquals(cursor.get(name), position, "no cursor forgets a channel");
    this.edge = edge;
    this.client = edge.connect({ door, channels: CHANNELS, starts: Object.fromEntries(starts), closed: true });
    this.client.socket.reads = reads;
    this.client.socket.open();
    this.#read = 0;
    this.lives++;
  }

  /** Takes in what has reached it. */
  read(): void {
    const { sent, unread } = this.client.socket;
    const frames = sent.slice(this.#read, Math.max(this.#read, sent.length - unread.length));
    this.#read += frames.length;
    const text = frames.map((data) => typeof data === "string" ? data : decoder.decode(data)).join("");
    for (const { id, event, data } of parseEvents(text)) this.#take(id, event, JSON.parse(data));
  }

  /** The connection is over, one way or another; what was not taken is lost. */
  go(): void {
    this.read();
    this.client.socket.vanish();
  }

  // deno-lint-ignore no-explicit-any
  #take(id: string, event: string, line: any): void {
    if (id !== "") this.lastId = id;
    if (event === "$welcome") return;
    if (event === "$close") {
      if (line.cursor !== undefined) assertEquals(id, line.cursor);
      return this.#check(line.cursor ?? this.lastId, "close");
    }
    const { channel, epoch, offset, recovered } = line;
    const before = this.stands.get(channel);
    if (event === "message") {
      this.got++;
      assertEquals({ epoch, offset: offset - 1 }, before!, `${channel} ${offset}`);
    } else if (recovered) assert(!before || before.epoch === epoch && before.offset === offset, JSON.stringify(line));
    else {
      assert(before === undefined || before.epoch !== epoch || before.offset < offset, JSON.stringify(line));
      this.lost++;
    }
    this.stands.set(channel, { epoch, offset });
    this.#check(id, `${event} ${channel}`);
  }

  /** A cursor is where the client stands, and nothing else; what it has not been told of is not in it. */
  #check(cursor: string, what: string): void {
    const told = parseCursor(cursor);
    for (const [name, position] of this.stands) assertEquals(told.get(name), position, `${what}: ${name}`);
  }
}

for (const keeps of [10_000, 40]) {
  Deno.test(`clients that come back again and again miss nothing that is kept, of ${keeps} a channel`, async () => {
    const told = { got: 0, lives: 0, lost: 0, closed: 0 };
    for (let seed = 1; seed <= 8; seed++) {
      const random = seeded(seed);
      await using stage = new Stage({
        edges: 2,
        config: {
          ...{ outbox: 40_000, maxMessage: 1000, historyCount: keeps, historyBytes: 1 << 24 },
          ...{ busDrop: random.pick([0, 30]), busRing: random.pick([1, 1 << 20]), resumeRate: random.pick([50, 5000]) },
        },
      });
      const edges = [...stage.edges];
      const clients = Array.from({ length: 12 }, () => new Returning(random.pick([0, 0, 5])));
      const published = new Map<string, number>();
      const publish = async (channel: string, count: number) => {
        published.set(channel, (published.get(channel) ?? 0) + count);
        await edges[0]!.hub.publish(
          Array.from({ length: count }, () => ({
            ...{ channel, data: "x".repeat(random.int(900)), contentType: "text/plain" },
          })),
        );
      };
      const come = (client: Returning) => {
        client.come(random.pick(edges as [StageEdge]), random.pick(["at once", "after the turn", "nothing"]));
      };
      for (const channel of CHANNELS) await publish(channel, random.int(60));
      for (const client of clients) come(client);
      for (let step = 0; step < 150; step++) {
        const client = random.pick(clients as [Returning]);
        const { session, socket } = client.client;
        switch (random.int(9)) {
          case 0:
          case 1:
          case 2:
            await publish(random.pick(CHANNELS as [string]), 1 + random.int(12));
            break;
          case 3:
            client.go();
            come(client);
            break;
          case 4:
            session.close(random.pick(["too_old", "going_away", "forbidden"]));
            break;
          case 5:
            socket.take(random.int(20_000));
            break;
          case 6:
            socket.take();
            socket.reads = "after the turn";
            break;
          case 7:
            await new Promise((resolve) => setTimeout(resolve, random.int(5)));
            break;
          case 8:
            if (random.int(10) > 0) break;
            // The edge dies, and another takes its place.
            {
              const old = edges.shift()!;
              for (const one of clients) if (one.edge === old) one.go();
              stage.hub.detach(old.number);
              old.close();
              edges.push(stage.startEdge());
              for (const one of clients) if (one.edge === old) come(one);
            }
        }
        for (const one of clients) {
          one.read();
          if (!one.client.socket.closed) continue;
          told.closed++;
          one.go();
          come(one);
        }
      }
      // All come to rest.
      for (const channel of CHANNELS) await publish(channel, 1);
      for (const client of clients) {
        for (const start = performance.now();;) {
          assert(performance.now() - start < 10_000, `seed ${seed}: ${JSON.stringify([...client.stands])}`);
          client.client.socket.reads = "at once";
          client.client.socket.take();
          client.read();
          const isThere = CHANNELS.every((name) => client.stands.get(name)?.offset === published.get(name));
          if (isThere) break;
          if (client.client.socket.closed) {
            client.go();
            client.come(edges[0]!, "at once");
          }
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
        told.got += client.got;
        told.lost += client.lost;
        told.lives += client.lives;
      }
      for (const client of clients) client.go();
      await edges[0]!.hub.readiness();
      await edges[1]!.hub.readiness();
      assertEquals(CHANNELS.filter((name) => stage.hub.isHosted(name)), [], "nobody is left who hears");
    }
    if (keeps === 10_000) assertEquals(told.lost, 0);
    assert(told.got > 1000);
  });
}
