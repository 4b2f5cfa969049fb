import { assert, assertEquals } from "@std/assert";
import { Audience, type Listener, type Parcel } from "../lib/audience.ts";
import { handedCost } from "../lib/outbox.ts";
import type { Data } from "../lib/types.ts";
import { seeded } from "./support/random.ts";

/** What a frame of ten bytes costs. */
const FRAME = handedCost(10);
/** On credit are eight such frames; four an outlet may hold more than the others when it takes its seat. */
const WINDOW = 16 * FRAME;

/** A session without a socket: leaves when its outlet would hold more than it may, and has a seat whenever it can. */
class Peer implements Listener {
  seat = -1;
  /** It keeps its own account. */
  readonly outbox = this;
  held = 0;
  frames = 0;
  /** Cost of each frame that the peer has not taken. */
  readonly waiting: number[] = [];
  /** How often it was asked whether it is clear. */
  asked = 0;
  /** Everything that it got, in order. */
  readonly got: Data[] = [];
  /** The most that its outlet held. */
  most = 0;
  /** How many parcels it took by itself. */
  alone = 0;
  bytes = 0;
  publications = 0;
  readonly audience: Audience<Peer>;
  hasLeft = false;

  constructor(audience: Audience<Peer>) {
    this.audience = audience;
    audience.add(this);
    audience.seat(this);
  }

  readonly outlet = { send: (data: Data) => this.#take(data) };

  get isClear(): boolean {
    this.asked++;
    return this.waiting.length === 0;
  }

  deliver({ frames, count }: Parcel): boolean {
    assertEquals(this.seat, -1);
    if (this.isClear) this.clear();
    const size = frames.reduce((sum, { length }) => sum + length, 0);
    const cost = frames.reduce((sum, { length }) => sum + handedCost(length), 0);
    if (this.held + cost > WINDOW) {
      this.leave();
      return false;
    }
    for (const frame of frames) this.#take(frame);
    this.hold(cost, frames.length);
    this.alone++;
    this.bytes += size;
    this.publications += count;
    this.audience.seat(this);
    return true;
  }

  hold(cost: number, frames: number): void {
    this.held += cost;
    this.frames += frames;
    if (cost < 0) return;
    const really = this.waiting.reduce((sum, more) => sum + more, 0);
    assert(this.held >= really && this.frames >= this.waiting.length, `${this.held} in ${this.frames} frames`);
    assert(this.held <= WINDOW, `${this.held}`);
  }

  clear(): void {
    this.held = this.frames = 0;
  }

  account(bytes: number, publications: number): void {
    this.bytes += bytes;
    this.publications += publications;
  }

  /** What it was sent in all, by its own account. */
  get sent(): { bytes: number; publications: number } {
    const shared = this.seat < 0 ? { bytes: 0, publications: 0 } : this.audience.sent;
    return { bytes: this.bytes + shared.bytes, publications: this.publications + shared.publications };
  }

  read(frames = Infinity): void {
    this.waiting.splice(0, frames);
  }

  leave(): void {
    this.hasLeft = true;
    this.audience.delete(this);
  }

  #take(data: Data): void {
    this.got.push(data);
    this.waiting.push(handedCost(data.length));
    this.most = Math.max(this.most, this.waiting.reduce((sum, cost) => sum + cost));
  }
}

function parcel(...frames: string[]): Parcel {
  return { frames, bytes: frames.map(({ length }) => length), count: frames.length };
}

function peers(audience: Audience<Peer>, count: number): Peer[] {
  return Array.from({ length: count }, () => new Peer(audience));
}

const TEN = parcel("1234567890");

Deno.test("Audience.deliver() sends to those with seats without asking anything of them", () => {
  const audience = new Audience<Peer>(WINDOW);
  const all = peers(audience, 3);
  for (let n = 0; n < 4; n++) assertEquals(audience.deliver(parcel("12345", "67890")), { delivered: 6, dropped: 0 });
  assertEquals(all.map(({ asked }) => asked), [0, 0, 0], "eight frames are on credit");
  for (const peer of all) peer.read();
  audience.deliver(parcel("1"));
  assertEquals(all.map(({ asked }) => asked), [1, 1, 1], "then everybody is looked at once");
  for (const { got, alone, sent } of all) {
    assertEquals([got.length, alone], [9, 0]);
    assertEquals(sent, { bytes: 41, publications: 9 });
  }
});

Deno.test("Audience.deliver() lets those stand apart who have not taken all, and back as soon as they have", () => {
  const audience = new Audience<Peer>(WINDOW);
  const [quick, slow] = peers(audience, 2) as [Peer, Peer];
  for (let n = 0; n < 10; n++) {
    audience.deliver(TEN);
    quick.read();
    slow.read(n % 2);
  }
  assertEquals([quick.seat >= 0, slow.seat], [true, -1]);
  assertEquals([quick.alone, slow.alone], [0, 2]);
  slow.read();
  audience.deliver(TEN);
  assert(slow.seat >= 0);
  audience.deliver(TEN);
  assertEquals([quick.got.length, slow.got.length, slow.alone], [12, 12, 3]);
});

Deno.test("Audience.deliver() has no outlet hold more than the window, and harms nobody else", () => {
  const audience = new Audience<Peer>(WINDOW);
  const [quick, stalled] = peers(audience, 2) as [Peer, Peer];
  const outcomes = Array.from({ length: 20 }, () => {
    quick.read();
    return audience.deliver(TEN);
  });
  assertEquals(outcomes.filter(({ dropped }) => dropped > 0), [{ delivered: 1, dropped: 1 }]);
  // Eight with a seat, eight by itself.
  assertEquals([quick.got.length, stalled.got.length, audience.size], [20, 16, 1]);
});

Deno.test("Audience.deliver() hands what is too much for any credit to each by itself", () => {
  const audience = new Audience<Peer>(WINDOW);
  const [quick, slow] = peers(audience, 2) as [Peer, Peer];
  for (let n = 0; n < 8; n++) audience.deliver(TEN);
  quick.read();
  assertEquals(audience.deliver(parcel("x".repeat(9 * FRAME))), { delivered: 1, dropped: 1 });
  assertEquals([quick.alone, quick.hasLeft, slow.hasLeft], [1, false, true]);
});

Deno.test("Audience.deliver() has nobody pay for what those with seats were not sent", () => {
  const audience = new Audience<Peer>(WINDOW);
  const [first, second] = peers(audience, 2) as [Peer, Peer];
  audience.deliver(parcel("x".repeat(13 * FRAME)));
  for (const peer of [first, second]) peer.read();
  // Asked for anything, as when something is written to it, it still has room.
  audience.deliver(TEN);
  assertEquals([first.seat, second.seat].sort(), [0, 1]);
  for (const peer of [first, second]) audience.setApart(peer);
  assert(first.held <= 5 * FRAME, `${first.held}`);
});

Deno.test("Audience.deliver() gives those who want another their own parcel, and takes nothing from the others", () => {
  const audience = new Audience<Peer>(WINDOW);
  const [first, second, third] = peers(audience, 3) as [Peer, Peer, Peer];
  const own = new Map([[second, parcel("b")]]);
  assertEquals(audience.deliver(parcel("a", "b"), own), { delivered: 5, dropped: 0 });
  assertEquals([first.got, second.got, third.got], [["a", "b"], ["b"], ["a", "b"]]);
  assertEquals(second.sent, { bytes: 1, publications: 1 });
  audience.deliver(parcel("c"));
  assertEquals([first, second, third].map(({ got }) => got.at(-1)), ["c", "c", "c"]);
  assertEquals(second.sent, { bytes: 2, publications: 2 });
});

Deno.test("an audience knows its listeners, with a seat or without", () => {
  const audience = new Audience<Peer>(WINDOW);
  const all = peers(audience, 4);
  audience.setApart(all[0]!);
  audience.setApart(all[0]!);
  audience.seat(all[1]!);
  assertEquals(new Set(audience), new Set(all));
  for (const peer of [all[1]!, all[0]!, all[3]!, all[3]!]) audience.delete(peer);
  assertEquals([...audience], [all[2]!]);
  assertEquals(audience.size, 1);
  audience.seat(all[0]!);
  assertEquals(audience.size, 1, "who has left takes no seat");
});

Deno.test("whatever peers read, each gets everything in order or leaves, and no outlet holds more than the window", () => {
  const random = seeded(5);
  let [deliveries, left, alone] = [0, 0, 0];
  for (let round = 0; round < 200; round++) {
    const audience = new Audience<Peer>(WINDOW);
    const all = peers(audience, 1 + random.int(8));
    const pace = all.map(() => random.int(20));
    let sent = "";
    const starts = new Map(all.map((peer) => [peer, 0]));
    for (let n = 0; n < 60; n++) {
      const frames = Array.from({ length: 1 + random.int(3) }, () => random.pick(["", "a", "bcd", "e".repeat(3000)]));
      if (random.int(30) === 0) frames.push("f".repeat(9000));
      audience.deliver(parcel(...frames));
      sent += frames.join("");
      for (const [index, peer] of all.entries()) {
        peer.read(random.int(pace[index]! + 1));
        if (random.int(10) === 0 && !peer.hasLeft) random.int(2) === 0 ? audience.setApart(peer) : audience.seat(peer);
      }
      if (random.int(20) === 0) {
        const late = new Peer(audience);
        starts.set(late, sent.length);
        all.push(late);
        pace.push(random.int(20));
      }
    }
    for (const [peer, start] of starts) {
      const got = peer.got.join("");
      assertEquals(got, sent.slice(start, start + got.length));
      assert(peer.hasLeft || got.length === sent.length - start, `${got.length} of ${sent.length - start}`);
      assert(peer.most <= WINDOW, `${peer.most}`);
      if (!peer.hasLeft) assertEquals(peer.sent, { bytes: got.length, publications: peer.got.length });
      left += peer.hasLeft ? 1 : 0;
      alone += peer.alone;
      deliveries += peer.got.length;
    }
  }
  assert(left > 20 && alone > 20 && deliveries > 5 * alone, `${left} left, ${alone} of ${deliveries} alone`);
});
