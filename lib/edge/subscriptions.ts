/**
 * Who of an edge's sessions hears which channel: asked for, under way, in force, ended.
 *
 * @module
 */
import type { SubscribeAnswer } from "../door.ts";
import type { Outcome, Parcel } from "../audience.ts";
import { encodeCursor } from "../codecs/cursor.ts";
import { GongError } from "../errors.ts";
import type { Fanout } from "./fanout.ts";
import { packFrames } from "./packing.ts";
import { fitsInto, handedCost } from "../outbox.ts";
import type { Hosting } from "./hosting.ts";
import type { Session } from "../session.ts";
import type { PageLimit, Position, Publication, Start } from "../types.ts";

/** What {@linkcode Subscriptions} are made of. */
export interface SubscriptionsOptions {
  readonly hosting: Hosting;
  readonly fanout: Fanout;
  /** Channels that one session may hear. */
  readonly max: number;
  /** What may be queued to a session, in bytes. */
  readonly outbox: number;
  /** Told who hears a channel from now on, or does not any more; not of sessions that end. */
  readonly onChange: (session: Session, channel: string, isThere: boolean) => void;
  /** Told what became of publications that a session had missed: all of them were taken, or none. */
  readonly onMissed: (outcome: Outcome, publications: readonly Publication[]) => void;
}

/** A subscription that is not in force yet. */
interface Joining {
  cancel: () => void;
  readonly answer: SubscribeAnswer | undefined;
  /** Where the session stands; unknown before the first answer to who asked for what comes now. */
  position: Position | undefined;
  /** Whether the session was told that it is subscribed. */
  isTold: boolean;
}

/** What is said to a session about a subscription, roughly, in bytes. */
const ANSWER = 1000;
/** Publications of a page at most. */
const PAGE = 1000;
/** An outbox has room for at least so many pages. */
const PARTS = 2;

/** All subscriptions of an edge. */
export class Subscriptions {
  readonly #options: SubscriptionsOptions;
  readonly #joining = new Map<Session, Map<string, Joining>>();

  constructor(options: SubscriptionsOptions) {
    this.#options = options;
  }

  /** As {@linkcode Session.subscribe}; a session that has left subscribes to nothing. */
  begin(session: Session, channel: string, start: Start | undefined, answer?: SubscribeAnswer): void {
    if (session.hasLeft) return;
    const { hosting } = this.#options;
    const joinings = this.#joining.get(session) ?? new Map<string, Joining>();
    const position = session.channels.includes(channel) ? hosting.position(channel) : undefined;
    if (position) return answer?.subscribed(position, true);
    if (joinings.has(channel)) throw new GongError("conflict", `The subscription to ${channel} is under way.`);
    this.#checkRoom(session, channel, joinings);
    const known = start && "offset" in start ? start : undefined;
    const joining: Joining = { cancel() {}, answer, position: known, isTold: false };
    this.#joining.set(session, joinings.set(channel, joining));
    joining.cancel = hosting.join(channel, start, {
      limit: () => this.#pageOf(session),
      page: async (position, missed) => {
        this.#tell(session, channel, joining, position, true);
        await this.#feed(session, channel, joining, missed);
      },
      joined: (position, recovered, missed) => {
        const heard = heardBy(session, missed);
        const parcel = this.#pack(session, channel, heard);
        if (recovered && parcel.count > 0 && !session.hasRoomFor(this.#sizesOf(session, parcel))) return false;
        this.#tell(session, channel, joining, position, recovered);
        this.#forget(session, channel);
        this.#place(session, channel);
        if (parcel.count > 0) this.#deliver(session, parcel, heard);
        return true;
      },
      failed: (error) => {
        // Its last words are where it stands, in this channel too.
        if (!answer || joining.isTold) return session.refuse(error);
        this.#forget(session, channel);
        session.imposed?.delete(channel);
        answer.refused(error);
      },
    });
  }

  /** What it hears, and what it is about to. */
  channels(session: Session): readonly string[] {
    return [...session.channels, ...this.#joining.get(session)?.keys() ?? []];
  }

  /** The sessions that hear the channel, or are about to. */
  *of(channel: string): Generator<Session> {
    yield* this.#options.fanout.listeners(channel);
    for (const [session, joinings] of this.#joining) if (joinings.has(channel)) yield session;
  }

  /** Where the session stands in each channel, as a cursor; as of what it was given so far. */
  cursor(session: Session): string {
    return encodeCursor(this.#positions(session));
  }

  /** The session does not hear the channel any more, nor will it. */
  end(session: Session, channel: string): void {
    const { hosting, fanout, onChange } = this.#options;
    const joining = this.#joining.get(session)?.get(channel);
    session.imposed?.delete(channel);
    this.#forget(session, channel);
    joining?.cancel();
    if (joining && !joining.isTold) {
      joining.answer?.refused(new GongError("conflict", `The subscription to ${channel} was ended before it began.`));
    }
    if (!session.channels.includes(channel)) return;
    fanout.place(session, session.channels.filter((name) => name !== channel));
    onChange(session, channel, false);
    hosting.releaseUnheard(channel);
  }

  /** The session hears nothing any more. */
  endAll(session: Session): void {
    const { hosting, fanout } = this.#options;
    for (const { cancel } of this.#joining.get(session)?.values() ?? []) cancel();
    this.#joining.delete(session);
    for (const channel of fanout.remove(session)) hosting.releaseUnheard(channel);
  }

  /** The channel of its user is heard beside as many as anybody may hear. */
  #checkRoom({ channels, inbox }: Session, channel: string, joinings: ReadonlyMap<string, Joining>): void {
    const { max } = this.#options;
    if (channel === inbox || channels.length + joinings.size < max) return;
    const isAside = inbox !== undefined && (channels.includes(inbox) || joinings.has(inbox));
    if (!isAside || channels.length + joinings.size > max) {
      throw new GongError("too_many", `At most ${max} subscriptions.`);
    }
  }

  /**
   * A page has room in an empty outbox, with what each frame costs beside its bytes. Until there is room it is held by
   * nobody's account: so the pages of all channels that a session joins are about an outbox together.
   */
  #pageOf(session: Session): PageLimit {
    const { codec } = session.door;
    const { size } = this.#joining.get(session)!;
    const bytes = Math.ceil(this.#options.outbox / Math.max(PARTS, size));
    const joins = codec.separator !== undefined || codec.pack !== undefined;
    return { bytes, count: joins ? PAGE : Math.min(PAGE, Math.ceil(bytes / handedCost(0))) };
  }

  /** Says where it stands: once, and again only for what was lost while it was given pages. */
  #tell(session: Session, channel: string, joining: Joining, position: Position, recovered: boolean): void {
    if (joining.isTold && recovered) return;
    const { isTold } = joining;
    joining.position = position;
    joining.isTold = true;
    if (isTold) return session.door.lost(session, channel, position);
    joining.answer?.subscribed(position, recovered);
    session.door.subscribed(session, channel, position, recovered);
  }

  /** From here on the session hears the channel; unless what it was told of that was too much for it. */
  #place(session: Session, channel: string): void {
    const { hosting, fanout, onChange } = this.#options;
    if (session.hasLeft) return hosting.releaseUnheard(channel);
    // A cursor names every channel, also one that is not heard yet.
    const isAlone = session.door.codec.stamp !== undefined && this.#joining.has(session);
    fanout.place(session, session.channels.concat(channel), isAlone ? () => this.#begun(session) : undefined);
    onChange(session, channel, true);
  }

  /** Hands it a page as soon as it has room, in parts if it never will; resolves when it has room for another. */
  async #feed(session: Session, channel: string, joining: Joining, missed: readonly Publication[]): Promise<void> {
    const heard = heardBy(session, missed);
    const parcel = this.#pack(session, channel, heard);
    // As a door writes it, a text may be six times as large as it is.
    if (missed.length > 1 && !fitsInto(this.#options.outbox, [...parcel.bytes, ANSWER])) {
      const half = missed.length >> 1;
      await this.#feed(session, channel, joining, missed.slice(0, half));
      return await this.#feed(session, channel, joining, missed.slice(half));
    }
    const sizes = this.#sizesOf(session, parcel);
    // Pages of other channels wait for room too, and whoever comes first takes it.
    while (!session.takes(sizes)) await session.room(sizes);
    if (this.#joining.get(session)?.get(channel) !== joining) return;
    // While it waited, the cursors on it may have become old.
    this.#deliver(session, session.door.codec.stamp ? this.#pack(session, channel, heard) : parcel, heard);
    const { epoch, offset } = missed.at(-1)!;
    joining.position = { epoch, offset };
    await session.room(sizes);
  }

  /** What the session has missed, as its door has it. */
  #pack(session: Session, channel: string, heard: readonly Publication[]): Parcel {
    const { codec } = session.door;
    const positions = codec.stamp && heard.length > 0 ? this.#positions(session) : undefined;
    const frames = heard.map((publication) => {
      const encoded = codec.encode(publication);
      return positions ? codec.stamp!(encoded, encodeCursor(positions.set(channel, publication))) : encoded;
    });
    return packFrames(frames, codec);
  }

  /** What has to have room with the parcel: what is said of any subscription that is under way, it is said at once. */
  #sizesOf(session: Session, { bytes }: Parcel): readonly number[] {
    const { size = 0 } = this.#joining.get(session) ?? {};
    return [...bytes, ...Array.from({ length: size }, () => ANSWER)];
  }

  #positions(session: Session): Map<string, Position> {
    const { hosting } = this.#options;
    const heard = session.channels.map((channel) => [channel, hosting.position(channel)!] as const);
    return new Map([...heard, ...this.#begun(session)]);
  }

  /** Where it stands in the channels that it does not hear yet. */
  *#begun(session: Session): Generator<[channel: string, position: Position]> {
    for (const [channel, { position }] of this.#joining.get(session) ?? []) {
      if (position) yield [channel, position];
    }
  }

  #deliver(session: Session, parcel: Parcel, publications: readonly Publication[]): void {
    const { count } = parcel;
    const outcome = session.deliver(parcel) ? { delivered: count, dropped: 0 } : { delivered: 0, dropped: count };
    this.#options.onMissed(outcome, publications);
  }

  #forget(session: Session, channel: string): void {
    const joinings = this.#joining.get(session);
    if (joinings?.delete(channel) && joinings.size === 0) this.#joining.delete(session);
  }
}

/** Without what has expired and, unless it wants that, its own. */
function heardBy(session: Session, missed: readonly Publication[]): readonly Publication[] {
  return missed.filter(({ from, expired }) => !expired && !session.mutes(from));
}
