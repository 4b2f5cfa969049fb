/**
 * The subscriptions of one connection, by the names that its client has for them.
 *
 * @module
 */
import type { Codec, DoorSession } from "../../door.ts";
import type { StompVersion } from "../../codecs/stomp.ts";
import { GongError } from "../../errors.ts";
import { queueOf } from "../../reserved.ts";
import type { Giver } from "./taken.ts";
import { type Route, Wiring } from "./wiring.ts";

/** One of them, of whatever kind. */
export interface Subscription {
  /** The name: `id`, or in 1.0 without one the destination. */
  readonly name: string;
  readonly destination: string;
  /** The channel that it hears, or that stands for its queue. */
  readonly channel: string | undefined;
  /** The client says what becomes of each message. */
  readonly isAcknowledged?: boolean;
  /** It gets nothing more. */
  end(): void;
}

/** All of a connection. */
export class Subscriptions {
  readonly #session: DoorSession;
  readonly #version: StompVersion;
  readonly #isAlwaysSplit: boolean;
  readonly #byName = new Map<string, Subscription>();
  /** Of subscriptions that are in force. */
  readonly #routes = new Set<Route>();
  /** Messages of queues that are with the client, by their positions. */
  readonly given = new Map<string, Giver>();
  #wiring: Wiring;

  /** @param isAlwaysSplit whether each frame has a message of its own, whatever is subscribed to */
  constructor(session: DoorSession, version: StompVersion, isAlwaysSplit: boolean) {
    this.#session = session;
    this.#version = version;
    this.#isAlwaysSplit = isAlwaysSplit;
    this.#wiring = this.#wire();
  }

  /** How publications are encoded for this connection. */
  get codec(): Codec {
    return this.#wiring;
  }

  /** @throws {GongError} `conflict`: there is one of that name; `too_many` */
  check(name: string): void {
    const { maxSubscriptions } = this.#session;
    if (this.#byName.has(name)) throw new GongError("conflict", "There is a subscription of that `id`.");
    if (this.#byName.size < maxSubscriptions) return;
    throw new GongError("too_many", `At most ${maxSubscriptions} subscriptions.`);
  }

  add(subscription: Subscription): void {
    this.#byName.set(subscription.name, subscription);
    if (this.isSplit !== this.#wiring.isSplit) this.#rewire();
  }

  /** @throws {GongError} `not_found` */
  end(name: string): void {
    const subscription = this.#byName.get(name);
    if (!subscription) throw new GongError("not_found", "There is no such subscription.");
    this.#byName.delete(name);
    subscription.end();
    if (this.isSplit !== this.#wiring.isSplit) this.#rewire();
  }

  /** Nobody takes what queues would give from here on: others are to have it. */
  endQueues(): void {
    for (const subscription of this.#byName.values()) {
      if (subscription.channel !== undefined && queueOf(subscription.channel) !== undefined) subscription.end();
    }
  }

  /** The name of the first one to the destination. */
  nameOf(destination: string): string | undefined {
    return [...this.#byName.values()].find((subscription) => subscription.destination === destination)?.name;
  }

  /** Whether any subscription is to the channel. */
  has(channel: string): boolean {
    return [...this.#byName.values()].some((subscription) => subscription.channel === channel);
  }

  /** The name of one that hears signals. */
  get signals(): string | undefined {
    return [...this.#byName.values()].find(({ channel }) => channel === undefined)?.name;
  }

  /** It is in force from now on. */
  route(route: Route): void {
    this.#routes.add(route);
    this.#wiring = this.#wire();
  }

  /** It is no more; others may be to the same channel. */
  unroute(route: Route): void {
    this.#routes.delete(route);
    this.#wiring = this.#wire();
    const { channel } = route;
    if (this.has(channel)) this.#session.recode();
    else this.leave(channel);
  }

  /** Nobody here is subscribed to the channel any more. A user's own is heard nonetheless. */
  leave(channel: string): void {
    if (this.#session.inbox === channel) this.#session.recode();
    else this.#session.unsubscribe(channel);
  }

  #wire(): Wiring {
    const pending = [...this.#byName.values()].flatMap(({ channel }) => {
      return channel === undefined || queueOf(channel) !== undefined ? [] : [channel];
    });
    return new Wiring(this.#version, this.#routes, { pending, isSplit: this.isSplit });
  }

  #rewire(): void {
    this.#wiring = this.#wire();
    this.#session.recode();
  }

  /**
   * Whether each frame has a message of its own: of several in one, stompjs 2.3.3 acknowledges the last, whichever it is
   * told to. It speaks 1.0 and 1.1.
   */
  get isSplit(): boolean {
    if (this.#isAlwaysSplit) return true;
    return this.#version !== "1.2" && [...this.#byName.values()].some(({ isAcknowledged }) => isAcknowledged);
  }
}
