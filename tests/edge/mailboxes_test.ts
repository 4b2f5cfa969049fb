import { assert, assertEquals } from "@std/assert";
import { encodeCursor, parseCursor } from "../../lib/codecs/cursor.ts";
import type { Codec, Door } from "../../lib/door.ts";
import { Fanout } from "../../lib/edge/fanout.ts";
import { userChannel } from "../../lib/reserved.ts";
import { Session } from "../../lib/session.ts";
import type { SessionHost } from "../../lib/session/host.ts";
import type { Position, Publication } from "../../lib/types.ts";
import { type Random, seeded } from "../support/random.ts";
import { FakeSocket } from "../support/stage.ts";

const SHARED = ["a", "b", "c"] as const;
const MAILBOXES = ["ada", "bob", "c c"].map(userChannel) as [string, ...string[]];
const CHANNELS: readonly [string, ...string[]] = [...SHARED, ...MAILBOXES];

/** What was encoded, in order. */
const encoded: string[] = [];

function encode({ channel, offset }: Publication): string {
  encoded.push(`${channel}#${offset}`);
  return `${channel}#${offset}`;
}

const stamp: Codec["stamp"] = (event, cursor) => `${event}|${cursor}`;
const frames: Codec = { name: "frames", encode };
const lines: Codec = { name: "lines", encode, separator: "\n" };
const stamped: Codec = { name: "stamped", encode, stamp, separator: "\n" };
const packed: Codec = { name: "packed", encode, stamp, pack: (events) => events.join("\n") };
const CODECS: readonly [Codec, ...Codec[]] = [frames, lines, stamped, packed];

/** A fan-out with sessions whose sockets take everything at once, and where everybody stands. */
class World {
  readonly stands = new Map<string, Position>(CHANNELS.map((channel) => [channel, { epoch: "e", offset: 0 }]));
  readonly fanout = new Fanout({ outbox: 100_000, position: (channel) => this.stands.get(channel) });
  #sessions = 0;

  connect(codec: Codec, channels: readonly string[], echo = true, formerly: readonly string[] = []) {
    const { fanout } = this;
    const socket = new FakeSocket();
    const host = {
      ...{ limits: { outbox: 100_000 }, linger: 1, opened() {}, queue() {}, closing() {}, gone() {} },
      leave: (session: Session) => void fanout.remove(session),
    } as unknown as SessionHost<Session>;
    const session = new Session(host, {
      ...{ id: `s${++this.#sessions}`, door: { name: codec.name, codec } as Door, carrier: socket, echo, formerly },
      ...{ address: "", userAgent: "", grant: undefined, channels: [], starts: new Map() },
    });
    socket.open();
    fanout.place(session, channels);
    return { session, socket };
  }

  /** The next publications of these channels. */
  next(channels: readonly string[], from: (channel: string) => string | undefined = () => undefined): Publication[] {
    return channels.map((channel) => {
      const { epoch, offset } = this.stands.get(channel)!;
      const author = from(channel);
      const rest = { time: 0, data: "", contentType: "text/plain", ...author === undefined ? {} : { from: author } };
      this.stands.set(channel, { epoch, offset: offset + 1 });
      return { channel, epoch, offset: offset + 1, ...rest };
    });
  }

  publish(...channels: string[]) {
    return this.fanout.deliver(this.next(channels));
  }
}

Deno.test("Fanout.deliver() makes nothing of a shared channel by itself for who hears a user's channel too", () => {
  const world = new World();
  const clients = Array.from({ length: 50 }, (_, n) => world.connect(lines, ["a", userChannel(`user ${n}`)]));
  encoded.length = 0;
  assertEquals(world.publish("a", "a"), { delivered: 100, dropped: 0 });
  assertEquals(encoded, ["a#1", "a#2"]);
  assertEquals(new Set(clients.map(({ session }) => session.seat)).size, 50, "all of them in one audience");
  const { session, socket } = clients[7]!;
  assertEquals(session.channels, ["a", userChannel("user 7")]);
  assert(socket.sent[0] === clients[8]!.socket.sent[0]);
});

Deno.test("Fanout.deliver() hands what comes to a user's channel to each session of the user, encoded and packed once", () => {
  const world = new World();
  const [ada, bob] = MAILBOXES as [string, string];
  const first = world.connect(lines, ["a", ada]);
  const second = world.connect(lines, [ada, "b"]);
  const only = world.connect(lines, [ada]);
  const admin = world.connect(lines, ["a", ada, bob]);
  const other = world.connect(lines, ["a"]);
  encoded.length = 0;
  assertEquals(world.publish(ada, "a", ada, bob), { delivered: 3 + 2 + 2 + 4 + 1, dropped: 0 });
  assertEquals(encoded.length, 4);
  assertEquals(only.socket.sent, [`${ada}#1\n${ada}#2`]);
  assertEquals(first.socket.sent, ["a#1", `${ada}#1\n${ada}#2`]);
  assertEquals(admin.socket.sent, ["a#1", `${ada}#1\n${ada}#2\n${bob}#1`]);
  assertEquals(other.socket.sent, ["a#1"]);
  for (const { session } of [first, second, only, admin]) assert(session.seat >= 0, "and has its seat again");
  assertEquals([...world.fanout.listeners(ada)].length, 4);
  assertEquals(world.fanout.remove(only.session), []);
  for (const { session } of [first, second]) {
    world.fanout.place(
      session,
      session.channels.filter((name) => name !== ada),
    );
  }
  assertEquals(world.fanout.remove(admin.session).sort(), [ada, bob].sort());
  assertEquals([world.fanout.has(ada), world.fanout.has("a")], [false, true]);
});

Deno.test("whoever hears whichever shared and users' channels gets each of their publications, once and in order", () => {
  const random = seeded(41);
  const told = { mail: 0, cursors: 0, muted: 0 };
  for (let round = 0; round < 60; round++) {
    const world = new World();
    const clients = Array.from({ length: 12 }, () => {
      const echo = random.int(3) > 0;
      return world.connect(random.pick(CODECS), [], echo, random.int(3) === 0 ? ["former"] : []);
    });
    for (let step = 0; step < 60; step++) {
      const client = random.pick(clients as [typeof clients[0]]);
      if (random.int(3) > 0 && !client.session.hasLeft) {
        const before = client.session.channels;
        world.fanout.place(client.session, some(random));
        const unheard = before.filter((channel) => !clients.some(({ session }) => session.channels.includes(channel)));
        for (const channel of unheard) assert(!world.fanout.has(channel), channel);
      } else if (random.int(20) === 0) client.socket.vanish();
      else if (random.int(5) === 0) {
        const channel = random.pick(CHANNELS);
        const position = { epoch: `e${step}`, offset: random.int(10) };
        world.stands.set(channel, position);
        world.fanout.moved(channel, position);
      }
      checkListeners(world, clients.map(({ session }) => session));
      const stood = new Map(world.stands);
      const names = Array.from({ length: random.int(8) }, () => random.pick(CHANNELS));
      const authors: [string, ...string[]] = ["former", "somebody", ...clients.map(({ session }) => session.id)];
      const batch = world.next(names, () => random.pick(authors));
      for (const { socket } of clients) socket.sent.length = 0;
      const outcome = world.fanout.deliver(batch);
      let expected = 0;
      for (const { session, socket } of clients) {
        const heard = batch.filter(({ channel }) => session.channels.includes(channel));
        const got = heard.filter(({ from }) => !session.mutes(from));
        expected += got.length;
        told.muted += heard.length - got.length;
        told.mail += got.filter(({ channel }) => MAILBOXES.includes(channel)).length;
        const events = socket.sent.flatMap((frame) => String(frame).split("\n")).map((event) => event.split("|"));
        for (const channel of CHANNELS) {
          const of = (name: string | undefined) => name?.startsWith(`${channel}#`) ?? false;
          assertEquals(events.map(([name]) => name).filter(of), got.map(nameOf).filter(of));
        }
        assertEquals(events.length, got.length);
        if (session.door.codec.stamp) told.cursors += checkCursors(session, stood, heard, events);
      }
      assertEquals(outcome, { delivered: expected, dropped: 0 });
    }
    for (const { session } of clients) world.fanout.remove(session);
    for (const channel of CHANNELS) assert(!world.fanout.has(channel));
  }
  assert(told.mail > 5000 && told.cursors > 5000 && told.muted > 100, JSON.stringify(told));
});

function nameOf({ channel, offset }: Publication): string {
  return `${channel}#${offset}`;
}

function some(random: Random): string[] {
  return CHANNELS.filter(() => random.int(3) === 0);
}

function checkListeners({ fanout }: World, sessions: readonly Session[]): void {
  for (const channel of CHANNELS) {
    const listeners = sessions.filter(({ channels }) => channels.includes(channel));
    assertEquals(fanout.has(channel), listeners.length > 0);
    assertEquals([...fanout.listeners(channel)].map(({ id }) => id).sort(), listeners.map(({ id }) => id).sort());
  }
}

/** With each event the cursor names every channel that the session hears, and where it stands there. */
function checkCursors(
  { channels }: Session,
  stood: ReadonlyMap<string, Position>,
  heard: readonly Publication[],
  events: readonly string[][],
): number {
  const stands = new Map(channels.map((channel) => [channel, stood.get(channel)!]));
  const cursors = new Map(heard.map((publication) => {
    const { channel, epoch, offset } = publication;
    stands.set(channel, { epoch, offset });
    return [nameOf(publication), parseCursor(encodeCursor(stands))];
  }));
  for (const [name, cursor] of events) assertEquals(parseCursor(cursor!), cursors.get(name!));
  return events.length;
}
