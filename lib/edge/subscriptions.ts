/**
 * Who of an edge's sessions hears which channel: asked for, under way, in force, ended.
 *
 * @module
 */
import type { SubscribeAnswer } from "../door.ts";
import type { Outcome, Parcel } from "../audience.ts";
import { encodeCursor } from "../codecs/cursor.ts";
import { GongError } from "../errors.ts";
import type { Session } from "../session.ts";
import { NONE_PENDING } from "../session/options.ts";
import type { History, Position, Publication, Start } from "../types.ts";
import type { Fanout } from "./fanout.ts";
import type { Hosting } from "./hosting.ts";
import { Joining, type JoiningHost } from "./joining.ts";

/** What {@linkcode Subscriptions} are made of. */
export interface SubscriptionsOptions {
  readonly hosting: Hosting<Joining>;
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

/** How a subscription begins. */
export interface SubscriptionOptions {
  /** Where in the channel, if not with what comes now. */
  readonly start?: Start | undefined;
  readonly answer?: SubscribeAnswer | undefined;
  /** What the hub says of the channel, if it was asked already; for one that nobody here hears. */
  readonly read?: Promise<History> | undefined;
}

/** All subscriptions of an edge. */
export class Subscriptions implements JoiningHost {
  readonly #options: SubscriptionsOptions;
  /** Those who wait until something was told. */
  readonly #waiting: (() => void)[] = [];

  constructor(options: SubscriptionsOptions) {
    this.#options = options;
  }

  /** As {@linkcode Session.subscribe}; a session that has left subscribes to nothing. */
  begin(session: Session, channel: string, options: SubscriptionOptions = {}): void {
    if (session.hasLeft) return;
    const { hosting } = this.#options;
    const { start, answer, read } = options;
    const position = session.channels.includes(channel) ? hosting.position(channel) : undefined;
    if (position && !(answer?.codec && start)) return this.#affirm(session, position, answer);
    if (!answer?.codec && session.subscribing.some((joining) => joining.channel === channel)) {
      throw new GongError("conflict", `The subscription to ${channel} is under way.`);
    }
    this.#checkRoom(session, channel);
    const known = start && "offset" in start ? start : undefined;
    const joining = new Joining(this, session, { channel, position: known, after: hosting.seen, answer });
    session.subscribing = session.subscribing.concat(joining);
    joining.cancel = hosting.join(channel, start, joining, { answer: read });
  }

  /**
   * A session that comes from another edge goes on hearing the channels, without a word, unless something is lost: the
   * other edge had given it everything up to the positions, of what the bus had brought up to the batch of number `after`.
   */
  resume(session: Session, positions: Iterable<readonly [channel: string, position: Position]>, after: number): void {
    if (session.hasLeft) return;
    const joinings = Array.from(positions, ([channel, position]) => {
      return new Joining(this, session, { channel, position, after, answer: undefined, isTold: true });
    });
    // All before the first is in force: what it hears from then on is told with where it stands in the others.
    session.subscribing = session.subscribing.concat(joinings);
    for (const joining of joinings) {
      if (!session.subscribing.includes(joining)) continue;
      const { channel, position } = joining;
      joining.cancel = this.#options.hosting.join(channel, position, joining, { after });
    }
  }

  /** Number of a batch of the bus: what the session was not given, in all that it hears or is about to, came after that. */
  after({ subscribing }: Session, delivered: number): number {
    return Math.min(delivered, ...subscribing.map(({ after }) => after));
  }

  /** Resolves when the session was told of everything that it has subscribed to. */
  async allTold(session: Session): Promise<void> {
    while (session.subscribing.some(({ isTold }) => !isTold)) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
  }

  told(): void {
    if (this.#waiting.length > 0) { for (const resolve of this.#waiting.splice(0)) resolve(); }
  }

  /** What it hears, and what it is about to. */
  channels({ channels, subscribing }: Session): readonly string[] {
    return [...channels, ...subscribing.map(({ channel }) => channel)];
  }

  /** The sessions that hear the channel, or are about to. */
  *of(channel: string): Generator<Session> {
    yield* this.#options.fanout.listeners(channel);
    for (const { session } of this.#options.hosting.joiners(channel)) yield session;
  }

  /** Where the session stands in each channel, as a cursor; as of what it was given so far. */
  cursor(session: Session): string {
    return encodeCursor(this.positions(session));
  }

  /** The session does not hear the channel any more, nor will it; with `only`, that subscription comes to nothing. */
  end(session: Session, channel: string, only?: SubscribeAnswer): void {
    const { hosting, onChange } = this.#options;
    for (const joining of session.subscribing) {
      if (joining.channel === channel && (only === undefined || joining.answer === only)) joining.end();
    }
    if (only) return;
    session.imposed?.delete(channel);
    if (!session.channels.includes(channel)) return;
    this.#place(session, session.channels.filter((name) => name !== channel));
    onChange(session, channel, false);
    hosting.releaseUnheard(channel);
  }

  /** The codec of the session's door is another one: those who share it are others. */
  recode(session: Session): void {
    if (session.channels.length > 0) this.#place(session, session.channels);
  }

  /** The session hears nothing any more. */
  endAll(session: Session): void {
    const { hosting, fanout } = this.#options;
    const { subscribing } = session;
    session.subscribing = NONE_PENDING;
    for (const joining of subscribing) joining.cancel();
    for (const channel of fanout.remove(session)) hosting.releaseUnheard(channel);
  }

  // What those ask that are on their way.

  get outbox(): number {
    return this.#options.outbox;
  }

  positions(session: Session): Map<string, Position> {
    const { hosting } = this.#options;
    const heard = session.channels.map((channel) => [channel, hosting.position(channel)!] as const);
    return new Map([...heard, ...begun(session)]);
  }

  deliver(session: Session, parcel: Parcel, publications: readonly Publication[]): void {
    const { count } = parcel;
    const outcome = session.deliver(parcel) ? { delivered: count, dropped: 0 } : { delivered: 0, dropped: count };
    this.#options.onMissed(outcome, publications);
  }

  /** From here on the session hears the channel; unless what it was told of that was too much for it. */
  inForce({ session, channel, answer }: Joining): void {
    const { hosting, onChange } = this.#options;
    if (session.hasLeft) return hosting.releaseUnheard(channel);
    answer?.inForce?.();
    const isFirst = !session.channels.includes(channel);
    this.#place(session, isFirst ? withOne(session, channel) : session.channels);
    if (isFirst) onChange(session, channel, true);
  }

  enter({ channel }: Joining): void {
    this.#options.hosting.letIn(channel);
  }

  /** It hears the channel already. */
  #affirm(session: Session, position: Position, answer: SubscribeAnswer | undefined): void {
    answer?.subscribed(position, true);
    if (!answer?.inForce || session.hasLeft) return;
    answer.inForce();
    this.recode(session);
  }

  /** A cursor names every channel, also one that is not heard yet. */
  #place(session: Session, channels: readonly string[]): void {
    const isAlone = session.door.codec.stamp !== undefined && session.subscribing.length > 0;
    this.#options.fanout.place(session, channels, isAlone ? () => begun(session) : undefined);
  }

  /** The channel of its user is heard beside as many as anybody may hear. */
  #checkRoom(session: Session, channel: string): void {
    const { max } = this.#options;
    const count = session.channels.length + session.subscribing.length;
    if (count < max) return;
    const { inbox } = session;
    if (channel === inbox) return;
    const isAside = inbox !== undefined && this.channels(session).includes(inbox);
    if (!isAside || count > max) throw new GongError("too_many", `At most ${max} subscriptions.`);
  }
}

/** What the session hears with one more: most hear just what they have named, and that list is there already. */
function withOne({ channels, named }: Session, channel: string): readonly string[] {
  const heard = channels.concat(channel);
  return heard.length === named.length && heard.every((name, index) => name === named[index]) ? named : heard;
}

/** Where the session stands in the channels that it does not hear yet. */
function* begun({ subscribing }: Session): Generator<[channel: string, position: Position]> {
  for (const { channel, position } of subscribing) if (position) yield [channel, position];
}
