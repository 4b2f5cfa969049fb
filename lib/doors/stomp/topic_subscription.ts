/**
 * A subscription to a channel.
 *
 * @module
 */
import { encodeMessageHead } from "../../codecs/stomp/message.ts";
import type { Codec, SubscribeAnswer } from "../../door.ts";
import { GongError } from "../../errors.ts";
import type { Position, Start } from "../../types.ts";
import type { Conversation, Said } from "./conversation.ts";
import type { SubscribeWish } from "./subscribe.ts";
import type { Subscription } from "./subscriptions.ts";
import { type Route, Wiring } from "./wiring.ts";

/** What the client has asked for. */
export interface TopicWish extends SubscribeWish {
  readonly channel: string;
  readonly event?: string | undefined;
}

/** What 1.2 has to name in a message that may be acknowledged; of a topic nothing comes of it. */
export const NO_ACK = "topic";

/** One subscription of a connection. */
export class TopicSubscription implements Subscription, SubscribeAnswer {
  readonly name: string;
  readonly destination: string;
  readonly channel: string;
  readonly codec: Codec;
  readonly #talk: Conversation;
  readonly #frame: Said;
  readonly #route: Route;
  readonly #start: Start | undefined;
  #isInForce = false;
  #isTold = false;
  #isOver = false;

  constructor(talk: Conversation, wish: TopicWish, frame: Said) {
    const { name, id, destination, channel, event, start, ack } = wish;
    const { version } = talk;
    const headers = ack !== "auto" && version === "1.2" ? [["ack", NO_ACK]] as const : [];
    this.name = name;
    this.destination = destination;
    this.channel = channel;
    this.#talk = talk;
    this.#frame = frame;
    this.#start = start;
    const head = encodeMessageHead(version, { subscription: id, destination, headers });
    this.#route = { channel, event, head };
    this.codec = new Wiring(version, [this.#route], { isSplit: talk.subscriptions.isSplit });
  }

  begin(): void {
    this.#talk.session.subscribe(this.channel, this.#start, this);
  }

  subscribed({ epoch, offset }: Position, recovered: boolean): void {
    if (this.#isOver) return;
    // Only a receipt has room to say so.
    if (!recovered && !this.#frame.headers.has("receipt")) return this.refused(new GongError("lost"));
    this.#isTold = true;
    const told = this.#start === undefined ? [] : [["recovered", String(recovered)]] as const;
    this.#talk.receipt(this.#frame, [["position", `${epoch}:${offset}`], ...told]);
  }

  refused(error: GongError): void {
    if (!this.#isOver) this.#talk.fail(error, this.#frame);
  }

  inForce(): void {
    this.#isInForce = true;
    this.#talk.subscriptions.route(this.#route);
  }

  end(): void {
    this.#isOver = true;
    const { session, subscriptions } = this.#talk;
    // The frame is done with, although nothing has come of it.
    if (!this.#isTold) this.#talk.receipt(this.#frame);
    if (this.#isInForce) return subscriptions.unroute(this.#route);
    session.unsubscribe(this.channel, this);
    if (!subscriptions.has(this.channel)) subscriptions.leave(this.channel);
  }
}
