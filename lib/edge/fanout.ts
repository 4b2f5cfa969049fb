/**
 * Publications to sessions: encoded once per codec, joined once per set of channels, written once. On wires that tell a
 * cursor it is made once per set of channels too: all who hear the same stand at the same place.
 *
 * @module
 */
import { Audience, type Outcome, type Parcel } from "../audience.ts";
import { byteLength } from "../bytes.ts";
import { encodeCursor } from "../codecs/cursor.ts";
import type { Codec } from "../door.ts";
import { windowOf } from "../outbox.ts";
import type { Session } from "../session.ts";
import type { Data, Position, Publication } from "../types.ts";

/** All sessions of one codec that hear the same channels. */
class ChannelAudience extends Audience<Session> {
  /** Which channels of the batch at hand it hears, in ascending order of their numbers there. */
  hits: number[] = [];
  /** Where it stands in each channel, if its codec stamps cursors. */
  readonly positions = new Map<string, Position>();

  constructor(readonly key: string, readonly codec: Codec, readonly channels: readonly string[], window: number) {
    super(window);
  }

  /** Channels that its only session is about to hear, and where it stands there. */
  rest: () => Iterable<readonly [string, Position]> = () => [];

  get cursor(): string {
    return encodeCursor([...this.positions, ...this.rest()]);
  }
}

/** What was encoded of a batch, by its place there: one cache a way of encoding. */
type Encoded = Map<Codec["encode"], Data[]>;

/** What one batch brings, sorted by channel. */
interface Batch {
  readonly publications: readonly Publication[];
  /** For each publication the number of its channel in this batch. */
  readonly channels: readonly number[];
  /** Sessions that do not hear themselves and have published in this batch, by their audience. */
  readonly muted: ReadonlyMap<ChannelAudience | undefined, readonly Session[]>;
}

/** What a {@linkcode Fanout} is made of. */
export interface FanoutOptions {
  /** Bytes that may be queued to a session. */
  readonly outbox: number;
  /** Where those who hear a channel stand. */
  readonly position: (channel: string) => Position | undefined;
}

/** Who hears what, on one edge. */
export class Fanout {
  readonly #window: number;
  readonly #position: FanoutOptions["position"];
  readonly #audiences = new Map<string, ChannelAudience>();
  readonly #byChannel = new Map<string, Set<ChannelAudience>>();
  readonly #bySession = new Map<Session, ChannelAudience>();
  /** Sessions that do not hear themselves, by their ids, the former ones too. */
  readonly #muted = new Map<string, Set<Session>>();

  constructor({ outbox, position }: FanoutOptions) {
    this.#window = windowOf(outbox);
    this.#position = position;
  }

  /** Whether any session hears the channel. */
  has(channel: string): boolean {
    return this.#byChannel.has(channel);
  }

  /**
   * The session hears exactly these channels from now on.
   *
   * @param rest where it stands in those that it does not hear yet, for its cursor
   */
  place(session: Session, channels: readonly string[], rest?: ChannelAudience["rest"]): void {
    this.#withdraw(session);
    if (channels.length === 0) {
      session.channels = channels;
      return;
    }
    const { codec } = session.door;
    const key = `${codec.name} ${channels.join()}${rest ? ` ${session.id}` : ""}`;
    let audience = this.#audiences.get(key);
    if (!audience) this.#audiences.set(key, audience = this.#found(key, codec, channels));
    if (rest) audience.rest = rest;
    session.join(audience);
    this.#bySession.set(session, audience);
    session.channels = audience.channels;
    for (const id of mutedIds(session)) {
      const sessions = this.#muted.get(id);
      if (sessions) sessions.add(session);
      else this.#muted.set(id, new Set([session]));
    }
  }

  /** The session hears nothing any more. Returns the channels that now nobody hears. */
  remove(session: Session): string[] {
    const { channels } = session;
    this.#withdraw(session);
    session.channels = [];
    return channels.filter((channel) => !this.has(channel));
  }

  /** Those who hear the channel stand there now, with nothing delivered. */
  moved(channel: string, position: Position): void {
    for (const { codec, positions } of this.#byChannel.get(channel) ?? []) {
      if (codec.stamp) positions.set(channel, position);
    }
  }

  /** The sessions that hear the channel. */
  *listeners(channel: string): Generator<Session> {
    for (const audience of this.#byChannel.get(channel) ?? []) yield* audience;
  }

  /** Hands publications to everybody who hears their channels, in order. */
  deliver(publications: readonly Publication[]): Outcome {
    const { batch, touched } = this.#sort(publications);
    const encoded: Encoded = new Map();
    const parcels = new Map<string, Parcel>();
    let delivered = 0;
    let dropped = 0;
    for (const audience of touched) {
      const { codec, hits } = audience;
      audience.hits = [];
      const stamped = codec.stamp && this.#stamp(audience, batch, hits, encoded);
      const key = codec.stamp ? audience.key : `${codec.name} ${hits.join()}`;
      let parcel = parcels.get(key);
      if (!parcel) parcels.set(key, parcel = this.#pack(batch, codec, hits, encoded, stamped));
      const own = new Map<Session, Parcel>();
      for (const session of batch.muted.get(audience) ?? NOBODY) {
        own.set(session, this.#pack(batch, codec, hits, encoded, stamped, session));
      }
      const outcome = audience.deliver(parcel, own);
      delivered += outcome.delivered;
      dropped += outcome.dropped;
    }
    return { delivered, dropped };
  }

  #found(key: string, codec: Codec, channels: readonly string[]): ChannelAudience {
    const audience = new ChannelAudience(key, codec, channels, this.#window);
    for (const channel of channels) {
      const position = codec.stamp && this.#position(channel);
      if (position) audience.positions.set(channel, position);
      const audiences = this.#byChannel.get(channel);
      if (audiences) audiences.add(audience);
      else this.#byChannel.set(channel, new Set([audience]));
    }
    return audience;
  }

  #withdraw(session: Session): void {
    const audience = this.#bySession.get(session);
    if (!audience) return;
    this.#bySession.delete(session);
    for (const id of mutedIds(session)) {
      const sessions = this.#muted.get(id);
      if (sessions?.delete(session) && sessions.size === 0) this.#muted.delete(id);
    }
    session.join(undefined);
    if (audience.size > 0) return;
    this.#audiences.delete(audience.key);
    for (const channel of audience.channels) {
      const audiences = this.#byChannel.get(channel)!;
      audiences.delete(audience);
      if (audiences.size === 0) this.#byChannel.delete(channel);
    }
  }

  #sort(publications: readonly Publication[]): { batch: Batch; touched: Set<ChannelAudience> } {
    const numbers = new Map<string, number>();
    const touched = new Set<ChannelAudience>();
    const authors = new Set<Session>();
    const channels = publications.map(({ channel, from }) => {
      for (const author of from === undefined ? NOBODY : this.#muted.get(from) ?? NOBODY) authors.add(author);
      let number = numbers.get(channel);
      if (number !== undefined) return number;
      numbers.set(channel, number = numbers.size);
      for (const audience of this.#byChannel.get(channel) ?? []) {
        audience.hits.push(number);
        touched.add(audience);
      }
      return number;
    });
    const muted = Map.groupBy(authors, (author) => this.#bySession.get(author));
    return { batch: { publications, channels, muted }, touched };
  }

  /** Encodes each publication of the channels `hits` with the cursor as of it, and moves the audience on. */
  #stamp(audience: ChannelAudience, batch: Batch, hits: readonly number[], encoded: Encoded): Data[] {
    const { codec, positions } = audience;
    const wanted = new Set(hits);
    const stamped: Data[] = [];
    batch.publications.forEach((publication, index) => {
      if (!wanted.has(batch.channels[index]!)) return;
      const { channel, epoch, offset } = publication;
      positions.set(channel, { epoch, offset });
      stamped[index] = codec.stamp!(encodeAt(batch, index, codec, encoded), audience.cursor);
    });
    return stamped;
  }

  /** The publications of the channels `hits`, without those that are the session's own. */
  #pack(
    batch: Batch,
    codec: Codec,
    hits: readonly number[],
    encoded: Encoded,
    stamped: readonly Data[] | undefined,
    session?: Session,
  ): Parcel {
    const wanted = new Set(hits);
    const frames: Data[] = [];
    batch.publications.forEach(({ from }, index) => {
      if (!wanted.has(batch.channels[index]!) || session?.mutes(from)) return;
      frames.push(stamped ? stamped[index]! : encodeAt(batch, index, codec, encoded));
    });
    return packFrames(frames, codec);
  }
}

const NOBODY: ReadonlySet<Session> = new Set();

/** The ids whose publications the session does not hear. */
function mutedIds({ id, options: { echo, formerly } }: Session): readonly string[] {
  return echo ? [] : [id, ...formerly];
}

function encodeAt({ publications }: Batch, index: number, { encode }: Codec, encoded: Encoded): Data {
  let cache = encoded.get(encode);
  if (!cache) encoded.set(encode, cache = []);
  return cache[index] ??= encode(publications[index]!);
}

/** Frames as one parcel: one frame where the codec allows it. */
export function packFrames(frames: readonly Data[], codec: Codec): Parcel {
  const count = frames.length;
  const joined = count > 0 && codec.pack
    ? [codec.pack(frames)]
    : codec.separator === undefined || count < 2
    ? frames
    : [frames.join(codec.separator)];
  return { frames: joined, bytes: joined.map(byteLength), count };
}
