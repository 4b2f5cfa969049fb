/**
 * Publications to sessions: encoded once per codec, joined once per set of channels, written once.
 *
 * @module
 */
import { Audience, type Outcome, type Parcel } from "../audience.ts";
import { byteLength } from "../bytes.ts";
import type { Codec } from "../door.ts";
import { windowOf } from "../outbox.ts";
import type { Session } from "../session.ts";
import type { Data, Publication } from "../types.ts";

/** All sessions of one codec that hear the same channels. */
class ChannelAudience extends Audience<Session> {
  /** Which channels of the batch at hand it hears, in ascending order of their numbers there. */
  hits: number[] = [];

  constructor(readonly key: string, readonly codec: Codec, readonly channels: readonly string[], window: number) {
    super(window);
  }
}

/** What one batch brings, sorted by channel. */
interface Batch {
  readonly publications: readonly Publication[];
  /** For each publication the number of its channel in this batch. */
  readonly channels: readonly number[];
  /** Sessions that do not hear themselves and have published in this batch. */
  readonly muted: ReadonlySet<Session>;
}

/** Who hears what, on one edge. */
export class Fanout {
  readonly #window: number;
  readonly #audiences = new Map<string, ChannelAudience>();
  readonly #byChannel = new Map<string, Set<ChannelAudience>>();
  readonly #bySession = new Map<Session, ChannelAudience>();
  /** Sessions that do not hear themselves, by id. */
  readonly #muted = new Map<string, Session>();

  /** @param outbox bytes that may be queued to a session */
  constructor(outbox: number) {
    this.#window = windowOf(outbox);
  }

  /** Whether any session hears the channel. */
  has(channel: string): boolean {
    return this.#byChannel.has(channel);
  }

  /** The session hears exactly these channels from now on. */
  place(session: Session, channels: readonly string[]): void {
    this.#withdraw(session);
    if (channels.length === 0) {
      session.channels = channels;
      return;
    }
    const { codec } = session.door;
    const key = `${codec.name} ${channels.join()}`;
    let audience = this.#audiences.get(key);
    if (!audience) this.#audiences.set(key, audience = this.#found(key, codec, channels));
    session.join(audience);
    this.#bySession.set(session, audience);
    session.channels = audience.channels;
    if (!session.options.echo) this.#muted.set(session.id, session);
  }

  /** The session hears nothing any more. Returns the channels that now nobody hears. */
  remove(session: Session): string[] {
    const { channels } = session;
    this.#withdraw(session);
    session.channels = [];
    return channels.filter((channel) => !this.has(channel));
  }

  /** The sessions that hear the channel. */
  *listeners(channel: string): Generator<Session> {
    for (const audience of this.#byChannel.get(channel) ?? []) yield* audience;
  }

  /** Hands publications to everybody who hears their channels, in order. */
  deliver(publications: readonly Publication[]): Outcome {
    const { batch, touched } = this.#sort(publications);
    const encoded = new Map<Codec, Data[]>();
    const parcels = new Map<string, Parcel>();
    let delivered = 0;
    let dropped = 0;
    for (const audience of touched) {
      const { codec, hits } = audience;
      const key = `${codec.name} ${hits.join()}`;
      let parcel = parcels.get(key);
      if (!parcel) parcels.set(key, parcel = this.#pack(batch, codec, hits, encoded));
      audience.hits = [];
      const own = new Map<Session, Parcel>();
      for (const session of batch.muted) {
        if (this.#bySession.get(session) === audience) {
          own.set(session, this.#pack(batch, codec, hits, encoded, session.id));
        }
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
    this.#muted.delete(session.id);
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
    const muted = new Set<Session>();
    const channels = publications.map(({ channel, from }) => {
      const author = from === undefined ? undefined : this.#muted.get(from);
      if (author) muted.add(author);
      let number = numbers.get(channel);
      if (number !== undefined) return number;
      numbers.set(channel, number = numbers.size);
      for (const audience of this.#byChannel.get(channel) ?? []) {
        audience.hits.push(number);
        touched.add(audience);
      }
      return number;
    });
    return { batch: { publications, channels, muted }, touched };
  }

  /** The publications of the channels `hits`, without those of the session `except`. */
  #pack(batch: Batch, codec: Codec, hits: readonly number[], encoded: Map<Codec, Data[]>, except?: string): Parcel {
    let cache = encoded.get(codec);
    if (!cache) encoded.set(codec, cache = []);
    const wanted = new Set(hits);
    const frames: Data[] = [];
    batch.publications.forEach((publication, index) => {
      if (!wanted.has(batch.channels[index]!)) return;
      if (except !== undefined && publication.from === except) return;
      frames.push(cache[index] ??= codec.encode(publication));
    });
    return packFrames(frames, codec);
  }
}

/** Frames as one parcel, joined where the codec allows it. */
export function packFrames(frames: readonly Data[], codec: Codec): Parcel {
  const count = frames.length;
  const joined = codec.separator === undefined || count < 2 ? frames : [frames.join(codec.separator)];
  return { frames: joined, bytes: joined.map(byteLength), count };
}
