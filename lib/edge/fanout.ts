/**
 * Publications to sessions: encoded once per codec, joined once per set of channels, written once. On wires that tell a
 * cursor it is made once per set of channels too: all who hear the same stand at the same place.
 *
 * @module
 */
import { Audience, type Outcome, type Parcel } from "../audience.ts";
import { encodeCursor } from "../codecs/cursor.ts";
import type { Codec } from "../door.ts";
import { boundOf, windowOf } from "../outbox.ts";
import { Multimap } from "../multimap.ts";
import { userOf } from "../reserved.ts";
import type { Session } from "../session.ts";
import type { Position, Publication } from "../types.ts";
import { Packing, packStamped, type Stamped, stampOne } from "./packing.ts";

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

/** Who gets what of one batch. */
interface Round {
  readonly packing: Packing;
  /** Audiences that hear any of it. */
  readonly touched: ReadonlySet<ChannelAudience>;
  /** Sessions for whose mailboxes there is something, with the numbers of those channels. */
  readonly mail: ReadonlyMap<Session, readonly number[]>;
  /** Sessions that do not hear themselves and have published some of it. */
  readonly authors: ReadonlySet<Session>;
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
  readonly #most: number;
  readonly #position: FanoutOptions["position"];
  readonly #audiences = new Map<string, ChannelAudience>();
  readonly #byChannel = new Multimap<string, ChannelAudience>();
  /** Sessions by the mailboxes that they hear beside the channels of their audience. */
  readonly #byMailbox = new Multimap<string, Session>();
  readonly #bySession = new Map<Session, ChannelAudience>();
  /** Sessions that do not hear themselves, by their ids, the former ones too. */
  readonly #muted = new Multimap<string, Session>();

  constructor({ outbox, position }: FanoutOptions) {
    this.#window = windowOf(outbox);
    this.#most = boundOf(outbox);
    this.#position = position;
  }

  /** Whether any session hears the channel. */
  has(channel: string): boolean {
    return this.#byChannel.has(channel) || this.#byMailbox.has(channel);
  }

  /**
   * The session hears exactly these channels from now on.
   *
   * @param rest where it stands in those that it does not hear yet, for its cursor
   */
  place(session: Session, channels: readonly string[], rest?: ChannelAudience["rest"]): void {
    if (channels.length === 0) return void this.remove(session);
    const { codec } = session.door;
    // Where a cursor tells of each channel with each event, only those can share one who hear the same mailboxes too.
    const mailboxes = codec.stamp ? [] : channels.filter(isMailbox);
    const shared = mailboxes.length === 0 ? channels : channels.filter((channel) => !isMailbox(channel));
    const key = `${codec.name} ${shared.join()}${rest ? ` ${session.id}` : ""}`;
    let audience = this.#bySession.get(session);
    // Most users get their mailbox when they have their place among those who hear the other channels.
    if (audience?.key === key) {
      this.#leaveMailboxes(session, audience);
    } else {
      this.#withdraw(session);
      audience = this.#audiences.get(key) ?? this.#found(key, codec, shared);
      this.#enter(session, audience);
    }
    if (rest) audience.rest = rest;
    for (const mailbox of mailboxes) this.#byMailbox.add(mailbox, session);
    session.channels = mailboxes.length === 0 ? audience.channels : channels;
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
    for (const { codec, positions } of this.#byChannel.get(channel)) {
      if (codec.stamp) positions.set(channel, position);
    }
  }

  /** The sessions that hear the channel. */
  *listeners(channel: string): Generator<Session> {
    for (const audience of this.#byChannel.get(channel)) yield* audience;
    yield* this.#byMailbox.get(channel);
  }

  /**
   * Hands publications to everybody who hears their channels. Of one channel they come in order; what has come to a
   * mailbox comes behind what the batch has for the other channels.
   */
  deliver(publications: readonly Publication[]): Outcome {
    const { packing, touched, mail, authors } = this.#sort(publications);
    const authorsOf = Map.groupBy(authors, (author) => this.#bySession.get(author));
    let delivered = 0;
    let dropped = 0;
    for (const audience of touched) {
      const { codec, hits } = audience;
      audience.hits = [];
      const stamped = codec.stamp && this.#stamp(audience, packing, hits);
      const parcel = stamped ? packStamped(stamped, codec) : packing.parcel(hits, codec);
      const own = authorsOf.get(audience)?.map((author) => {
        return [author, packOthers(packing, hits, author, stamped)] as const;
      });
      const outcome = audience.deliver(parcel, own && new Map(own));
      delivered += outcome.delivered;
      dropped += outcome.dropped;
    }
    for (const [session, hits] of mail) {
      const { codec } = session.door;
      // How mail is addressed is each session's own.
      const isOwn = authors.has(session) || codec.address !== undefined;
      const parcel = isOwn ? packOthers(packing, hits, session) : packing.parcel(hits, codec);
      if (session.deliver(parcel)) delivered += parcel.count;
      else dropped += parcel.count;
    }
    return { delivered, dropped };
  }

  #found(key: string, codec: Codec, channels: readonly string[]): ChannelAudience {
    const audience = new ChannelAudience(key, codec, channels, this.#window);
    this.#audiences.set(key, audience);
    for (const channel of channels) {
      const position = codec.stamp && this.#position(channel);
      if (position) audience.positions.set(channel, position);
      this.#byChannel.add(channel, audience);
    }
    return audience;
  }

  #enter(session: Session, audience: ChannelAudience): void {
    session.join(audience);
    this.#bySession.set(session, audience);
    for (const id of mutedIds(session)) this.#muted.add(id, session);
  }

  #leaveMailboxes(session: Session, audience: ChannelAudience): void {
    const { channels } = session;
    if (channels === audience.channels) return;
    for (const channel of channels) if (isMailbox(channel)) this.#byMailbox.delete(channel, session);
  }

  #withdraw(session: Session): void {
    const audience = this.#bySession.get(session);
    if (!audience) return;
    this.#bySession.delete(session);
    for (const id of mutedIds(session)) this.#muted.delete(id, session);
    this.#leaveMailboxes(session, audience);
    session.join(undefined);
    if (audience.size > 0) return;
    this.#audiences.delete(audience.key);
    for (const channel of audience.channels) this.#byChannel.delete(channel, audience);
  }

  #sort(publications: readonly Publication[]): Round {
    const numbers = new Map<string, number>();
    const places: number[][] = [];
    const touched = new Set<ChannelAudience>();
    const mail = new Map<Session, number[]>();
    const authors = new Set<Session>();
    publications.forEach(({ channel, from }, place) => {
      if (from !== undefined) { for (const author of this.#muted.get(from)) authors.add(author); }
      const known = numbers.get(channel);
      if (known !== undefined) return void places[known]!.push(place);
      const number = places.push([place]) - 1;
      numbers.set(channel, number);
      for (const audience of this.#byChannel.get(channel)) {
        audience.hits.push(number);
        touched.add(audience);
      }
      for (const session of this.#byMailbox.get(channel)) {
        const hits = mail.get(session);
        if (hits) hits.push(number);
        else mail.set(session, [number]);
      }
    });
    return { packing: new Packing(publications, places, this.#most), touched, mail, authors };
  }

  /** Encodes each publication of the channels `hits` with the cursor as of it, and moves the audience on. */
  #stamp(audience: ChannelAudience, packing: Packing, hits: readonly number[]): Stamped[] {
    const { codec, positions } = audience;
    return packing.placesOf(hits).map((place) => {
      const publication = packing.publications[place]!;
      const { channel, epoch, offset } = publication;
      positions.set(channel, { epoch, offset });
      return stampOne(packing.encode(place, codec), publication, codec, audience.cursor);
    });
  }
}

/** The ids whose publications the session does not hear. */
function mutedIds({ id, options: { echo, formerly } }: Session): readonly string[] {
  return echo ? [] : [id, ...formerly];
}

/** What these channels have in the batch, without what is the session's own. */
function packOthers(
  packing: Packing,
  channels: readonly number[],
  session: Session,
  stamped?: readonly Stamped[],
): Parcel {
  const { codec } = session.door;
  const places = packing.placesOf(channels);
  const isOthers = (place: number) => !session.mutes(packing.publications[place]!.from);
  if (!stamped) return packing.pack(places.filter(isOthers), codec);
  return packStamped(stamped.filter((_, index) => isOthers(places[index]!)), codec);
}

/** Whether few sessions hear the channel: a user's own. */
function isMailbox(channel: string): boolean {
  return userOf(channel) !== undefined;
}
