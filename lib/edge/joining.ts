/**
 * A subscription until it is in force: its session gets page by page what it has missed, then hears what is live.
 *
 * @module
 */
import type { Parcel } from "../audience.ts";
import { encodeCursor } from "../codecs/cursor.ts";
import type { Codec, SubscribeAnswer } from "../door.ts";
import { GongError } from "../errors.ts";
import { fitsInto, handedCost } from "../outbox.ts";
import type { Session } from "../session.ts";
import { NONE_PENDING, type PendingSubscription } from "../session/options.ts";
import type { PageLimit, Position, Publication } from "../types.ts";
import type { Joiner } from "./hosting.ts";
import { packFrames, packStamped, stampOne } from "./packing.ts";

/** What a {@linkcode Joining} asks and tells: shared by all of an edge. */
export interface JoiningHost {
  /** What may be queued to a session, in bytes. */
  readonly outbox: number;
  /** Where the session stands in each channel that it hears or is about to, as of what it was given so far. */
  positions(session: Session): Map<string, Position>;
  /** Hands the session what it has missed. */
  deliver(session: Session, parcel: Parcel, publications: readonly Publication[]): void;
  /** The subscription is in force. */
  inForce(joining: Joining): void;
  /** The session was told of the subscription, or it comes to nothing. */
  told(): void;
  /** It may be let in where it was held back. */
  enter(joining: Joining): void;
}

/** What a {@linkcode Joining} is made with. */
export interface JoiningOptions extends Pick<PendingSubscription, "channel" | "position" | "after" | "answer"> {
  /** Whether the session knows that it is subscribed: it was, elsewhere. */
  readonly isTold?: boolean;
}

/** What is said to a session about a subscription, roughly, in bytes. */
const ANSWER = 1000;
/** Publications of a page at most. */
const PAGE = 1000;
/** An outbox has room for at least so many pages. */
const PARTS = 2;

/** A subscription on its way; one of those in {@linkcode Session.subscribing}. */
export class Joining implements Joiner, PendingSubscription {
  readonly session: Session;
  readonly channel: string;
  position: Position | undefined;
  readonly after: number;
  cancel = nothing;
  /** Who asked for it, and is told. */
  readonly answer: SubscribeAnswer | undefined;
  readonly #host: JoiningHost;
  #isTold: boolean;
  /** It waits until it may enter. */
  #waits = false;

  constructor(
    host: JoiningHost,
    session: Session,
    { channel, position, after, answer, isTold = false }: JoiningOptions,
  ) {
    this.#host = host;
    this.session = session;
    this.channel = channel;
    this.position = position;
    this.after = after;
    this.answer = answer;
    this.#isTold = isTold;
  }

  get isTold(): boolean {
    return this.#isTold;
  }

  end(): void {
    this.#forget();
    this.cancel();
    // Who is being given pages was told that they begin.
    if (this.#isTold) return;
    this.answer?.refused(new GongError("conflict", `The subscription to ${this.channel} was ended before it began.`));
  }

  /**
   * A page has room in an empty outbox, with what each frame costs beside its bytes. Until there is room it is held by
   * nobody's account: so the pages of all channels that a session joins are about an outbox together.
   */
  limit(): PageLimit {
    const { separator, pack } = this.#codec;
    const bytes = Math.ceil(this.#host.outbox / Math.max(PARTS, this.session.subscribing.length));
    const joins = separator !== undefined || pack !== undefined;
    return { bytes, count: joins ? PAGE : Math.min(PAGE, Math.ceil(bytes / handedCost(0))) };
  }

  async page(position: Position, missed: readonly Publication[]): Promise<void> {
    this.#tell(position, true);
    const gate = this.answer?.gate;
    if (gate && !gate.isOpen) {
      await gate.opened;
      if (!this.session.subscribing.includes(this)) return;
    }
    await this.#feed(missed);
  }

  enters(position: Position, recovered: boolean): boolean {
    const gate = this.answer?.gate;
    if (!gate || gate.isOpen) return true;
    this.#tell(position, recovered);
    if (!this.#waits) {
      this.#waits = true;
      void gate.opened.then(() => this.#host.enter(this));
    }
    return false;
  }

  joined(position: Position, recovered: boolean, missed: readonly Publication[]): boolean {
    const { session } = this;
    const heard = heardBy(session, missed);
    const parcel = this.#pack(heard);
    if (recovered && parcel.count > 0 && !session.hasRoomFor(this.#sizesOf(parcel))) return false;
    this.#tell(position, recovered);
    this.#forget();
    this.#host.inForce(this);
    if (parcel.count > 0) this.#host.deliver(session, parcel, heard);
    return true;
  }

  failed(error: GongError): void {
    const { session, channel } = this;
    // Its last words are where it stands, in this channel too.
    if (!this.answer || this.#isTold) return session.refuse(error);
    this.#forget();
    session.imposed?.delete(channel);
    this.answer.refused(error);
  }

  /** Says where it stands: once, and again only for what was lost while it was given pages. */
  #tell(position: Position, recovered: boolean): void {
    const { session, channel } = this;
    if (this.#isTold && (recovered || isSame(position, this.position))) return;
    this.position = position;
    if (this.#isTold) return session.door.lost(session, channel, position);
    this.#isTold = true;
    this.answer?.subscribed(position, recovered);
    session.door.subscribed(session, channel, position, recovered);
    this.#host.told();
  }

  /** Hands it a page as soon as it has room, in parts if it never will; resolves when it has room for another. */
  async #feed(missed: readonly Publication[]): Promise<void> {
    const { session } = this;
    const heard = heardBy(session, missed);
    const parcel = this.#pack(heard);
    // As a door writes it, a text may be six times as large as it is.
    if (missed.length > 1 && !fitsInto(this.#host.outbox, [...parcel.bytes, ANSWER])) {
      const half = missed.length >> 1;
      await this.#feed(missed.slice(0, half));
      return await this.#feed(missed.slice(half));
    }
    const sizes = this.#sizesOf(parcel);
    // Pages of other channels wait for room too, and whoever comes first takes it.
    while (!session.takes(sizes)) await session.room(sizes);
    if (!session.subscribing.includes(this)) return;
    // While it waited, the cursors on it may have become old.
    this.#host.deliver(session, this.#codec.stamp ? this.#pack(heard) : parcel, heard);
    const { epoch, offset } = missed.at(-1)!;
    this.position = { epoch, offset };
    await session.room(sizes);
  }

  get #codec(): Codec {
    return this.answer?.codec ?? this.session.door.codec;
  }

  /** What the session has missed, as its door has it. */
  #pack(heard: readonly Publication[]): Parcel {
    if (heard.length === 0) return NOTHING;
    const codec = this.#codec;
    const { session, channel } = this;
    if (!codec.stamp) return packFrames(heard.map((one) => codec.encode(one)), codec, { publications: heard });
    const positions = this.#host.positions(session);
    const stamped = heard.map((publication) => {
      const cursor = encodeCursor(positions.set(channel, publication));
      return stampOne(codec.encode(publication), publication, codec, cursor);
    });
    return packStamped(stamped, codec);
  }

  /** What has to have room with the parcel: what is said of any subscription that is under way, it is said at once. */
  #sizesOf({ bytes }: Parcel): readonly number[] {
    return [...bytes, ...this.session.subscribing.map(() => ANSWER)];
  }

  #forget(): void {
    const { session } = this;
    const others = session.subscribing.filter((joining) => joining !== this);
    session.subscribing = others.length === 0 ? NONE_PENDING : others;
    this.#host.told();
  }
}

const NOTHING: Parcel = Object.freeze({ frames: [], bytes: [], count: 0 });

function nothing(): void {}

function isSame({ epoch, offset }: Position, other: Position | undefined): boolean {
  return offset === other?.offset && epoch === other.epoch;
}

/** Without what has expired and, unless it wants that, its own. */
function heardBy(session: Session, missed: readonly Publication[]): readonly Publication[] {
  return missed.filter(({ from, expired }) => !expired && !session.mutes(from));
}
