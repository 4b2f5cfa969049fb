import { assert, assertEquals } from "@std/assert";
import { byteLength } from "../../lib/bytes.ts";
import type { Door } from "../../lib/door.ts";
import { Fanout } from "../../lib/edge/fanout.ts";
import { packFrames } from "../../lib/edge/packing.ts";
import { handedCost, windowOf } from "../../lib/outbox.ts";
import { Session } from "../../lib/session.ts";
import type { SessionHost } from "../../lib/session/host.ts";
import type { Publication } from "../../lib/types.ts";
import { seeded } from "../support/random.ts";
import type { Carrier } from "../../lib/carrier.ts";
import { FakeSocket } from "../support/stage.ts";

const BOUND = 8000;
const CHANNELS = ["a", "b", "c"] as const;
const DOORS = ["lines", "frames"].map((name) => ({
  name,
  codec: {
    name,
    ...(name === "lines" ? { separator: "\n" } : {}),
    encode: ({ channel, offset, data }: Publication) => `${channel}${offset}:${data}`,
  },
})) as unknown as Door[];

/** A session, and what it should get. */
class Client {
  readonly socket = new FakeSocket();
  readonly expected: string[] = [];
  readonly of: Session;
  isOpen = false;

  constructor(session: (carrier: Carrier) => Session) {
    this.socket.reads = "nothing";
    this.socket.answers = false;
    this.of = session(this.socket);
  }

  open(): void {
    if (!this.isOpen) this.socket.open();
    this.isOpen = true;
  }

  write(text: string): void {
    this.expected.push(text);
    this.of.write(text);
  }
}

Deno.test("whatever happens to sessions, each gets everything once and in order, and none has more than the bound", () => {
  const random = seeded(77);
  let [whole, seated, left] = [0, 0, 0];
  for (let round = 0; round < 300; round++) {
    const fanout = new Fanout({ outbox: BOUND, position: () => undefined });
    const offsets = new Map<string, number>(CHANNELS.map((channel) => [channel, 0]));
    const clients: Client[] = [];
    let queued: Session[] = [];
    const host = {
      limits: { outbox: BOUND, maxMessage: 1e6, messages: { rate: 1, burst: 1 } },
      queue: (session: Session) => void queued.push(session),
      linger: 60,
      opened() {},
      closing() {},
      queues: () => [],
      leave(session: Session) {
        left++;
        fanout.remove(session);
      },
    } as unknown as SessionHost<Session>;
    const connect = () => {
      const options = { id: `s${clients.length}`, door: DOORS[random.int(DOORS.length)]!, echo: random.int(2) === 0 };
      const nothing = { channels: [], starts: new Map(), formerly: [] };
      const others = { address: "", userAgent: "", grant: undefined, ...nothing };
      const client = new Client((carrier) => new Session(host, { ...options, ...others, carrier }));
      clients.push(client);
      if (random.int(2) === 0) client.open();
    };
    const publish = () => {
      const publications = Array.from({ length: 1 + random.int(4) }, (): Publication => {
        const channel = random.pick(CHANNELS);
        const offset = offsets.get(channel)! + 1;
        offsets.set(channel, offset);
        const data = "d".repeat(random.int(random.int(5) === 0 ? 5000 : 600));
        const from = random.int(2) === 0 ? {} : { from: clients[random.int(clients.length)]!.of.id };
        return { channel, epoch: "e", offset, time: 0, data, contentType: "text/plain", ...from };
      });
      for (const { of, expected } of clients) {
        if (of.hasLeft) continue;
        const heard = publications.filter(({ channel, from }) =>
          of.channels.includes(channel) && (of.options.echo || from !== of.id)
        );
        expected.push(...heard.map((publication) => String(of.door.codec.encode(publication))));
      }
      fanout.deliver(publications);
    };
    /** What it has missed comes right behind its place. */
    const resume = (client: Client, step: number) => {
      client.write(`answer ${step}`);
      if (client.of.hasLeft) return;
      fanout.place(client.of, ["a", "b"]);
      const missed = [`missed ${step}.1`, `missed ${step}.2`];
      client.expected.push(...missed);
      client.of.deliver(packFrames(missed, client.of.door.codec));
    };
    const flush = () => {
      const sessions = queued;
      queued = [];
      for (const session of sessions) if (!session.flush()) queued.push(session);
    };
    for (let n = 0; n < 4; n++) connect();
    for (let step = 0; step < 80; step++) {
      const client = clients[random.int(clients.length)]!;
      const { of } = client;
      const act = random.int(10);
      if (act === 0) client.open();
      else if (act === 1 && !of.hasLeft) fanout.place(of, CHANNELS.filter(() => random.int(2) === 0));
      else if (act === 2 && !of.hasLeft) client.write(`own ${step}`);
      else if (act === 3) flush();
      else if (act === 4 && random.int(6) === 0) of.close("forbidden");
      else if (act === 5) { for (const { socket } of clients) if (random.int(2) === 0) socket.take(random.int(6000)); }
      else if (act === 6 && clients.length < 8) connect();
      else if (act === 7 && !of.hasLeft) resume(client, step);
      else publish();
      for (const { of, socket, expected, isOpen } of clients) {
        const got = socket.lines;
        assertEquals(got, expected.slice(0, got.length));
        assert(of.hasLeft || of.pending <= handedCost(BOUND), `${of.pending}`);
        const cost = socket.unread.reduce((sum, bytes) => sum + handedCost(bytes), 0);
        assert(of.hasLeft || cost <= windowOf(BOUND) || socket.unread.length === 1, `${cost}`);
        assert(of.hasLeft || of.seat >= 0 || of.outbox.held >= cost, `${of.outbox.held} for ${cost}`);
        if (of.hasLeft) assertEquals(of.seat, -1);
        if (of.seat >= 0) seated++;
        if (of.hasLeft || !isOpen || queued.includes(of)) continue;
        assertEquals(got.length, expected.length);
        whole++;
      }
    }
    for (const { of, expected } of clients) {
      if (of.hasLeft) continue;
      assertEquals(of.info(1).delivered, expected.filter((text) => !/^(own|answer) /.test(text)).length);
    }
    assert(clients.every(({ socket }) => socket.sent.every((data) => byteLength(data) <= BOUND)));
  }
  assert(whole > 10_000 && seated > 1000 && left > 100, `${whole} looks, ${seated} seats, ${left} left`);
});
