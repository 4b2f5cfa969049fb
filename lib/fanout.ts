/**
 * Publications to sessions: encoded once per codec, joined once per set of channels, written once.
 *
 * @module
 */
import { byteLength } from "./bytes.ts";
import type { Codec } from "./door.ts";
import type { Parcel, Session } from "./session.ts";
import type { Data, Publication } from "./types.ts";

/** All sessions of one codec that hear the same channels. */
class Audience {
  readonly sessions = new Set<Session>();
  /** Which channels of the batch at hand it hears, in ascending order of their numbers there. */
  hits: number[] = [];

  constructor(readonly key: string, readonly codec: Codec, readonly channels: readonly string[]) {}
}

/** What one batch brings, sorted by channel. */
interface Batch {
  readonly publications: readonly Publication[];
  /** For each publication the number of its channel in this batch. */
  readonly channels: readonly number[];
  /** Sessions that do not hear themselves and have published in this batch. */
  readonly muted: ReadonlySet<Session>;
}

/** How many publications were handed to sessions, and how many were not since the session is too slow. */
export interface Outcome {
  readonly delivered: number;
  readonly dropped: number;
}

/** Who hears what, on one edge. */
export class Fanout {
  readonly #audiences = new Map<string, Audience>();
  readonly #byChannel = new Map<string, Set<Audience>>();
  readonly #bySession = new Map<Session, Audience>();
  /** Sessions that do not hear themselves, by id. */
  readonly #muted = new Map<string, Session>();

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
    audience.sessions.add(session);
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
    for (const audience of this.#byChannel.get(channel) ?? []) yield* audience.sessions;
  }

  /** Hands publications to everybody who hears their channels, in order. */
  deliver(publications: readonly Publication[]): Outcome {
    const { batch, touched } = this.#sort(publications);
    const encoded = new Map<Codec, Data[]>();
    const parcels = new Map<string, Parcel>();
    let delivered = 0;
    let dropped = 0;
    for (const audience of touched) {
      const { codec, hits, sessions } = audience;
      const key = `${codec.name} ${hits.join()}`;
      let parcel = parcels.get(key);
      if (!parcel) parcels.set(key, parcel = this.#pack(batch, codec, hits, encoded));
      audience.hits = [];
      const hasMuted = batch.muted.size > 0;
      for (const session of sessions) {
        let own = parcel;
        if (hasMuted && batch.muted.has(session)) own = this.#pack(batch, codec, hits, encoded, session.id);
        if (session.deliver(own)) delivered += own.count;
        else dropped += own.count;
      }
    }
    return { delivered, dropped };
  }

  #found(key: string, codec: Codec, channels: readonly string[]): Audience {
    const audience = new Audience(key, codec, channels);
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
    audience.sessions.delete(session);
    if (audience.sessions.size > 0) return;
    this.#audiences.delete(audience.key);
    for (const channel of audience.channels) {
      const audiences = this.#byChannel.get(channel)!;
      audiences.delete(audience);
      if (audiences.size === 0) this.#byChannel.delete(channel);
    }
  }

  #sort(publications: readonly Publication[]): { batch: Batch; touched: Set<Audience> } {
    const numbers = new Map<string, number>();
    const touched = new Set<Audience>();
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
