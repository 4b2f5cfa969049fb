import { assert, assertEquals } from "@std/assert";
import type { Audience, Parcel } from "../../lib/audience.ts";
import type { Codec } from "../../lib/door.ts";
import { Fanout } from "../../lib/edge/fanout.ts";
import { packFrames } from "../../lib/edge/packing.ts";
import type { Session } from "../../lib/session.ts";
import type { Data, Position, Publication } from "../../lib/types.ts";
import { seeded } from "../support/random.ts";

/** What `Fanout` knows of a session. */
class Listener {
  channels: readonly string[] = [];
  readonly parcels: Parcel[] = [];
  readonly door: { codec: Codec };
  readonly options: { echo: boolean; formerly: readonly string[] };
  /** What it does with a parcel. */
  take: () => boolean = () => true;
  readonly seat = -1;
  #audience: Audience<Session> | undefined;

  constructor(readonly id: string, codec: Codec, echo = true) {
    this.door = { codec };
    this.options = { echo, formerly: [] };
  }

  mutes(from: string | undefined): boolean {
    return !this.options.echo && from === this.id;
  }

  join(audience: Audience<Session> | undefined): void {
    this.#audience?.delete(this.session);
    this.#audience = audience;
    audience?.add(this.session);
  }

  deliver(parcel: Parcel): boolean {
    this.parcels.push(parcel);
    return this.take();
  }

  /** Everything it got, frame by frame. */
  get frames(): Data[] {
    return this.parcels.flatMap(({ frames }) => frames);
  }

  get session(): Session {
    return this as unknown as Session;
  }
}

/** Where everybody stands before anything comes. */
function position(): Position {
  return { epoch: "e", offset: 0 };
}

/** A codec that counts how often it encodes. */
function countingCodec(separator?: string): Codec & { encoded: string[] } {
  const encoded: string[] = [];
  return {
    ...{ name: separator === undefined ? "frames" : "lines", encoded },
    ...(separator === undefined ? {} : { separator }),
    encode({ channel, offset, data }) {
      encoded.push(`${channel}${offset}`);
      return typeof data === "string" ? `${channel}${offset}` : data;
    },
  };
}

function publications(...names: string[]): Publication[] {
  return names.map((name) => {
    const [at, from] = name.split("@");
    const [channel = "", offset] = [at!.slice(0, 1), at!.slice(1)];
    return {
      ...{ channel, epoch: "e", offset: Number(offset), time: 0, data: "x", contentType: "text/plain" },
      ...(from === undefined ? {} : { from }),
    };
  });
}

Deno.test("Fanout.deliver() hands each session what its channels bring, in order", () => {
  const fanout = new Fanout({ outbox: 1000, position });
  const codec = countingCodec("\n");
  const hears = { a: ["a"], b: ["b"], ab: ["a", "b"], ba: ["b", "a"], none: [] };
  const listeners = Object.entries(hears).map(([id, channels]) => {
    const listener = new Listener(id, codec);
    fanout.place(listener.session, channels);
    return listener;
  });
  const outcome = fanout.deliver(publications("a1", "b1", "a2", "c1", "b2"));
  const got = Object.fromEntries(listeners.map(({ id, frames }) => [id, frames]));
  assertEquals(got, { a: ["a1\na2"], b: ["b1\nb2"], ab: ["a1\nb1\na2\nb2"], ba: ["a1\nb1\na2\nb2"], none: [] });
  assertEquals(outcome, { delivered: 2 + 2 + 4 + 4, dropped: 0 });
});

Deno.test("Fanout.deliver() encodes a publication once per codec, and not at all for nobody", () => {
  const fanout = new Fanout({ outbox: 1000, position });
  const [lines, frames] = [countingCodec("\n"), countingCodec()];
  for (let n = 0; n < 50; n++) {
    fanout.place(new Listener(`l${n}`, lines).session, n % 2 === 0 ? ["a"] : ["a", "b"]);
    fanout.place(new Listener(`f${n}`, frames).session, ["a"]);
  }
  fanout.deliver(publications("a1", "b1", "c1", "a2"));
  assertEquals(lines.encoded.toSorted(), ["a1", "a2", "b1"]);
  assertEquals(frames.encoded, ["a1", "a2"]);
});

Deno.test("Fanout.deliver() gives sessions that hear the same the very same parcel, also by other channels", () => {
  const fanout = new Fanout({ outbox: 1000, position });
  const codec = countingCodec("\n");
  const listeners = [["a"], ["a"], ["a", "quiet"], ["quiet", "a"]].map((channels, index) => {
    const listener = new Listener(`${index}`, codec);
    fanout.place(listener.session, channels);
    return listener;
  });
  fanout.deliver(publications("a1", "a2"));
  const [first] = listeners[0]!.parcels;
  for (const { parcels } of listeners) assert(parcels[0] === first);
  assertEquals([first!.frames, first!.bytes, first!.count], [["a1\na2"], [5], 2]);
});

Deno.test("Fanout.deliver() joins frames only where the codec has a separator, and counts bytes of UTF-8", () => {
  const bytes = Uint8Array.of(1, 2, 3);
  const frames = ["ü", "€uro", bytes];
  assertEquals(packFrames(frames, countingCodec()), { frames, bytes: [2, 6, 3], count: 3 });
  assert(packFrames([bytes], countingCodec()).frames[0] === bytes, "bytes are not copied");
  assertEquals(packFrames(["ü", "€", ""], countingCodec("\n")), { frames: ["ü\n€\n"], bytes: [7], count: 3 });
  assertEquals(packFrames([], countingCodec("\n")), { frames: [], bytes: [], count: 0 });
});

Deno.test("Fanout.deliver() makes no more for many subscriptions to one channel than can be queued to anybody", () => {
  for (const echo of [true, false]) {
    const fanout = new Fanout({ outbox: 10_000, position });
    let made = 0;
    const codec: Codec = {
      ...countingCodec(""),
      *address(encoded) {
        for (let n = 0; n < 100_000; n++, made++) yield `${n} ${encoded}`.padEnd(1000);
      },
    };
    const listener = new Listener("many", codec, echo);
    listener.take = () => false;
    fanout.place(listener.session, ["a"]);
    assertEquals(fanout.deliver(publications("a1", "a2", "a3@many")), { delivered: 0, dropped: echo ? 3 : 2 });
    assertEquals(listener.parcels.map(({ bytes }) => bytes), [[Infinity]], "no outbox takes it");
    // Of those without echo, the audience has one parcel, and the author another.
    assert(made <= 24, `${made} frames`);
  }
});

Deno.test("Fanout.deliver() leaves out what a session without echo has published, and nothing else", () => {
  const fanout = new Fanout({ outbox: 1000, position });
  const codec = countingCodec("\n");
  const [deaf, hearing, other] = [new Listener("d", codec, false), new Listener("h", codec), new Listener("o", codec)];
  for (const { session } of [deaf, hearing, other]) fanout.place(session, ["a", "b"]);
  const outcome = fanout.deliver(publications("a1", "a2@d", "b1@h", "b2@d", "a3@o"));
  assertEquals(deaf.frames, ["a1\nb1\na3"]);
  for (const { frames } of [hearing, other]) assertEquals(frames, ["a1\na2\nb1\nb2\na3"]);
  assertEquals(outcome.delivered, 3 + 5 + 5);
  fanout.deliver(publications("a4@d"));
  assertEquals(deaf.frames, ["a1\nb1\na3"], "nothing is left, so nothing is sent");
  fanout.deliver(publications("a5"));
  assertEquals(deaf.frames, ["a1\nb1\na3", "a5"]);
  assertEquals(codec.encoded.length, 7, "once each, for those who hear themselves and those who do not");
  fanout.remove(deaf.session);
  fanout.place(deaf.session, ["b"]);
  fanout.deliver(publications("b3@d", "b4"));
  assertEquals(deaf.frames.at(-1), "b4");
});

Deno.test("Fanout.place() replaces what a session hears; remove() names the channels that nobody hears now", () => {
  const fanout = new Fanout({ outbox: 1000, position });
  const codec = countingCodec("\n");
  const [one, two] = [new Listener("1", codec), new Listener("2", countingCodec())];
  fanout.place(one.session, ["a", "b"]);
  fanout.place(two.session, ["b", "c"]);
  assertEquals(["a", "b", "c", "d"].map((channel) => fanout.has(channel)), [true, true, true, false]);
  assertEquals([...fanout.listeners("b")].map(({ id }) => id), ["1", "2"]);
  fanout.place(one.session, ["a"]);
  fanout.deliver(publications("a1", "b1", "c1"));
  assertEquals([one.frames, two.frames], [["a1"], ["b1", "c1"]]);
  assertEquals(one.session.channels, ["a"]);
  assertEquals(fanout.remove(one.session), ["a"]);
  assertEquals(fanout.remove(one.session), []);
  fanout.place(two.session, []);
  assertEquals(["a", "b", "c"].map((channel) => fanout.has(channel)), [false, false, false]);
  assertEquals(fanout.deliver(publications("a2")), { delivered: 0, dropped: 0 });
});

Deno.test("Fanout.deliver() counts what a session did not take, and goes on when sessions leave in the middle", () => {
  const fanout = new Fanout({ outbox: 1000, position });
  const codec = countingCodec("\n");
  const listeners = ["1", "2", "3", "4"].map((id) => new Listener(id, codec));
  for (const { session } of listeners) fanout.place(session, ["a"]);
  const [first, second, third, fourth] = listeners as [Listener, Listener, Listener, Listener];
  second.take = () => {
    // It takes the next one down with it.
    for (const { session } of [second, third]) fanout.remove(session);
    return false;
  };
  assertEquals(fanout.deliver(publications("a1", "a2")), { delivered: 4, dropped: 2 });
  assertEquals([first, second, third, fourth].map(({ frames }) => frames.length), [1, 1, 0, 1]);
  assertEquals(fanout.deliver(publications("a3")), { delivered: 2, dropped: 0 });
});

Deno.test("Fanout.deliver() agrees with the plainest way of doing it", () => {
  const random = seeded(11);
  const codecs = [countingCodec("\n"), countingCodec()] as const;
  const fanout = new Fanout({ outbox: 1000, position });
  const listeners = Array.from({ length: 30 }, (_, n) => new Listener(`s${n}`, random.pick([...codecs]), n % 3 > 0));
  const names = ["a", "b", "c", "d"];
  for (let turn = 0; turn < 500; turn++) {
    const { session } = listeners[random.int(listeners.length)]!;
    fanout.place(session, names.filter(() => random.int(2) === 0));
    const batch = publications(
      ...Array.from({ length: random.int(6) }, (_, n) => `${names[random.int(4)]}${n}@s${random.int(40)}`),
    );
    for (const listener of listeners) listener.parcels.length = 0;
    const { delivered } = fanout.deliver(batch);
    let expected = 0;
    for (const { id, frames, options, door, session } of listeners) {
      const heard = batch
        .filter(({ channel, from }) => session.channels.includes(channel) && (options.echo || from !== id))
        .map(({ channel, offset }) => `${channel}${offset}`);
      expected += heard.length;
      assertEquals(frames, door.codec.separator === undefined || heard.length < 2 ? heard : [heard.join("\n")]);
    }
    assertEquals(delivered, expected);
  }
});

Deno.test("Fanout.deliver() stamps each frame that the codec's address makes, and each publication is counted once", () => {
  const fanout = new Fanout({ outbox: 1000, position });
  const stamped: string[] = [];
  const codec: Codec = {
    ...countingCodec(),
    name: "stamped",
    address: (encoded, { offset }) => offset === 2 ? [] : [encoded, Uint8Array.of(offset)],
    stamp(frame, cursor) {
      stamped.push(cursor);
      return typeof frame === "string" ? `${frame} ${cursor}` : frame;
    },
  };
  const [one, other, quiet] = ["one", "other", "quiet"].map((id) => new Listener(id, codec, id !== "quiet"));
  for (const listener of [one!, other!, quiet!]) fanout.place(listener.session, ["a", "b"]);
  const outcome = fanout.deliver(publications("a1", "b1@quiet", "a2"));
  const [bytes] = [Uint8Array.of(1)];
  const frames = ["a1 a@e:1,b@e:0", bytes, "b1 a@e:1,b@e:1", bytes];
  assertEquals([one!.frames, other!.frames], [frames, frames]);
  assert(one!.parcels[0] === other!.parcels[0], "made once for both");
  assertEquals(quiet!.frames, frames.slice(0, 2), "without its own");
  assertEquals(stamped.length, 4, "stamped once for all");
  assertEquals(outcome, { delivered: 3 + 3 + 2, dropped: 0 });
});
