import { assert, assertEquals } from "@std/assert";
import { Audience, type Listener, type Parcel } from "../lib/audience.ts";
import type { Data } from "../lib/types.ts";
import { seeded } from "./support/random.ts";

const BOUND = 100;

/** A session without a socket: takes what fits into its bound, and has a seat whenever nothing waits. */
class Peer implements Listener {
  seat = -1;
  waiting = 0;
  /** How often it was asked what is pending. */
  asked = 0;
  /** Everything that it got, in order. */
  readonly got: Data[] = [];
  /** The most that was pending. */
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

  get pending(): number {
    this.asked++;
    return this.waiting;
  }

  deliver({ frames, count }: Parcel): boolean {
    assertEquals(this.seat, -1);
    const size = frames.reduce((sum, { length }) => sum + length, 0);
    if (this.waiting + size > BOUND) {
      this.leave();
      return false;
    }
    for (const frame of frames) this.#take(frame);
    this.alone++;
    this.bytes += size;
    this.publications += count;
    this.audience.seat(this);
    return true;
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

  read(bytes = Infinity): void {
    this.waiting = Math.max(0, this.waiting - bytes);
  }

  leave(): void {
    this.hasLeft = true;
    this.audience.delete(this);
  }

  #take(data: Data): void {
    this.got.push(data);
    this.waiting += data.length;
    this.most = Math.max(this.most, this.waiting);
  }
}

function parcel(...frames: string[]): Parcel {
  return { frames, bytes: frames.map(({ length }) => length), count: frames.length };
}

function peers(audience: Audience<Peer>, count: number): Peer[] {
  return Array.from({ length: count }, () => new Peer(audience));
}

Deno.test("Audience.deliver() sends to those who are clear without asking anything of them", () => {
  const audience = new Audience<Peer>(BOUND);
  const all = peers(audience, 3);
  for (let n = 0; n < 5; n++) assertEquals(audience.deliver(parcel("12345", "67890")), { delivered: 6, dropped: 0 });
  assertEquals(all.map(({ asked }) => asked), [1, 1, 1], "for their seats, and never since: half a bound is on credit");
  audience.deliver(parcel("1"));
  assertEquals(all.map(({ asked }) => asked), [2, 2, 2], "then everybody is looked at once");
  for (const { got, alone, sent } of all) {
    assertEquals([got.length, alone], [11, 0]);
    assertEquals(sent, { bytes: 51, publications: 11 });
  }
});

Deno.test("Audience.deliver() lets those stand apart who take too little, and back as soon as they do", () => {
  const audience = new Audience<Peer>(BOUND);
  const [quick, slow] = peers(audience, 2) as [Peer, Peer];
  for (let n = 0; n < 12; n++) {
    audience.deliver(parcel("1234567890"));
    quick.read();
    slow.read(3);
  }
  assertEquals([quick.seat >= 0, slow.seat], [true, -1]);
  assertEquals([quick.alone, slow.alone], [0, 2]);
  slow.read(60);
  audience.deliver(parcel("1"));
  assert(slow.seat >= 0);
  audience.deliver(parcel("2"));
  assertEquals([quick.got.length, slow.got.length, slow.alone], [14, 14, 3]);
});

Deno.test("Audience.deliver() gives up those who would pass the bound, and nobody else", () => {
  const audience = new Audience<Peer>(BOUND);
  const [quick, stalled] = peers(audience, 2) as [Peer, Peer];
  const outcomes = Array.from({ length: 12 }, () => {
    quick.read();
    return audience.deliver(parcel("1234567890"));
  });
  assertEquals(outcomes.filter(({ dropped }) => dropped > 0), [{ delivered: 1, dropped: 1 }]);
  assertEquals([quick.got.length, stalled.got.length, audience.size], [12, 10, 1]);
});

Deno.test("Audience.deliver() hands a parcel of more than half a bound to each by itself", () => {
  const audience = new Audience<Peer>(BOUND);
  const [quick, half] = peers(audience, 2) as [Peer, Peer];
  half.waiting = 50;
  assertEquals(audience.deliver(parcel("x".repeat(60))), { delivered: 1, dropped: 1 });
  assertEquals([quick.alone, quick.waiting, half.hasLeft], [1, 60, true]);
});

Deno.test("Audience.deliver() gives those who want another their own parcel, and takes nothing from the others", () => {
  const audience = new Audience<Peer>(BOUND);
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
  const audience = new Audience<Peer>(BOUND);
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

Deno.test("whatever peers read, each gets everything in order or leaves, and none has more pending than the bound", () => {
  const random = seeded(5);
  let [deliveries, left, alone] = [0, 0, 0];
  for (let round = 0; round < 200; round++) {
    const audience = new Audience<Peer>(BOUND);
    const all = peers(audience, 1 + random.int(8));
    const pace = all.map(() => random.int(60));
    let sent = "";
    const starts = new Map(all.map((peer) => [peer, 0]));
    for (let n = 0; n < 60; n++) {
      const frames = Array.from({ length: 1 + random.int(3) }, () => random.pick(["", "a", "bcd", "e".repeat(30)]));
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
        pace.push(random.int(60));
      }
    }
    for (const [peer, start] of starts) {
      const got = peer.got.join("");
      assertEquals(got, sent.slice(start, start + got.length));
      assert(peer.hasLeft || got.length === sent.length - start, `${got.length} of ${sent.length - start}`);
      assert(peer.most <= BOUND, `${peer.most}`);
      if (!peer.hasLeft) assertEquals(peer.sent, { bytes: got.length, publications: peer.got.length });
      left += peer.hasLeft ? 1 : 0;
      alone += peer.alone;
      deliveries += peer.got.length;
    }
  }
  assert(left > 20 && alone > 20 && deliveries > 5 * alone, `${left} left, ${alone} of ${deliveries} alone`);
});
