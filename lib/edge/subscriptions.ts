/**
 * Who of an edge's sessions hears which channel: asked for, under way, in force, ended.
 *
 * @module
 */
import type { SubscribeAnswer } from "../door.ts";
import type { Outcome, Parcel } from "../audience.ts";
import { GongError } from "../errors.ts";
import { type Fanout, packFrames } from "./fanout.ts";
import type { Hosting } from "./hosting.ts";
import type { Session } from "../session.ts";
import type { Position, Publication } from "../types.ts";

/** What {@linkcode Subscriptions} are made of. */
export interface SubscriptionsOptions {
  readonly hosting: Hosting;
  readonly fanout: Fanout;
  /** Channels that one session may hear. */
  readonly max: number;
  /** Told what became of publications that a session had missed. */
  readonly onMissed: (outcome: Outcome) => void;
}

/** A subscription that the hub has not answered. */
interface Joining {
  cancel: () => void;
  readonly answer: SubscribeAnswer | undefined;
}

/** Where a session stands in a channel. */
interface Standing {
  readonly position: Position;
  readonly recovered: boolean;
}

/** What is said to a session about a subscription, roughly, in bytes. */
const ANSWER = 1000;

/** All subscriptions of an edge. */
export class Subscriptions {
  readonly #options: SubscriptionsOptions;
  readonly #joining = new Map<Session, Map<string, Joining>>();

  constructor(options: SubscriptionsOptions) {
    this.#options = options;
  }

  /** As {@linkcode Session.subscribe}; a session that has left subscribes to nothing. */
  begin(session: Session, channel: string, since: Position | undefined, answer?: SubscribeAnswer): void {
    if (session.hasLeft) return;
    const { hosting, max } = this.#options;
    const joinings = this.#joining.get(session) ?? new Map<string, Joining>();
    const position = session.channels.includes(channel) ? hosting.position(channel) : undefined;
    if (position) return answer?.subscribed(position, true);
    if (joinings.has(channel)) throw new GongError("conflict", `The subscription to ${channel} is under way.`);
    if (session.channels.length + joinings.size >= max) {
      throw new GongError("too_many", `At most ${max} subscriptions.`);
    }
    const joining: Joining = { cancel() {}, answer };
    this.#joining.set(session, joinings.set(channel, joining));
    joining.cancel = hosting.join(channel, since, {
      joined: (position, recovered, missed) => {
        this.#forget(session, channel);
        const parcel = pack(session, missed);
        const last = missed.at(-1);
        // To send more than may be queued would close the session, and again whenever it came back for it.
        if (since && last && !session.hasRoomFor([...parcel.bytes, ANSWER])) {
          const { epoch, offset } = last;
          return this.#place(session, channel, { position: { epoch, offset }, recovered: false }, answer);
        }
        this.#place(session, channel, { position, recovered }, answer);
        if (parcel.count > 0) this.#deliver(session, parcel);
      },
      failed: (error) => {
        this.#forget(session, channel);
        if (answer) answer.refused(error);
        else session.refuse(error);
      },
    });
  }

  /** The session does not hear the channel any more, nor will it. */
  end(session: Session, channel: string): void {
    const { hosting, fanout } = this.#options;
    const joining = this.#joining.get(session)?.get(channel);
    this.#forget(session, channel);
    joining?.cancel();
    joining?.answer?.refused(new GongError("conflict", `The subscription to ${channel} was ended before it began.`));
    if (!session.channels.includes(channel)) return;
    fanout.place(session, session.channels.filter((name) => name !== channel));
    hosting.releaseUnheard(channel);
  }

  /** The session hears nothing any more. */
  endAll(session: Session): void {
    const { hosting, fanout } = this.#options;
    for (const { cancel } of this.#joining.get(session)?.values() ?? []) cancel();
    this.#joining.delete(session);
    for (const channel of fanout.remove(session)) hosting.releaseUnheard(channel);
  }

  /** From here on the session hears the channel; unless what it is told of that was too much for it. */
  #place(session: Session, channel: string, { position, recovered }: Standing, answer?: SubscribeAnswer): void {
    const { hosting, fanout } = this.#options;
    answer?.subscribed(position, recovered);
    session.door.subscribed(session, channel, position, recovered);
    if (session.hasLeft) hosting.releaseUnheard(channel);
    else fanout.place(session, [...session.channels, channel]);
  }

  #deliver(session: Session, parcel: Parcel): void {
    const { count } = parcel;
    this.#options.onMissed(
      session.deliver(parcel) ? { delivered: count, dropped: 0 } : { delivered: 0, dropped: count },
    );
  }

  #forget(session: Session, channel: string): void {
    const joinings = this.#joining.get(session);
    if (joinings?.delete(channel) && joinings.size === 0) this.#joining.delete(session);
  }
}

/** What the session has missed, as its door has it. */
function pack({ id, door, options }: Session, missed: readonly Publication[]): Parcel {
  const heard = options.echo ? missed : missed.filter(({ from }) => from !== id);
  return packFrames(heard.map((publication) => door.codec.encode(publication)), door.codec);
}
