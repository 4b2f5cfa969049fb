/**
 * A subscription to a queue: what is with the client until it is acknowledged.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import { encodeMessageHead, encodeMessageRest, joinMessage } from "../../codecs/stomp/message.ts";
import type { ConsumeOptions, Consumer } from "../../door.ts";
import { GongError } from "../../errors.ts";
import type { ConsumerSettling } from "../../methods.ts";
import { queueChannel } from "../../reserved.ts";
import type { Data, QueuedMessage, Settlement } from "../../types.ts";
import type { Conversation, Said } from "./conversation.ts";
import type { SubscribeWish } from "./subscribe.ts";
import type { Subscription } from "./subscriptions.ts";
import type { Giver, Taken } from "./taken.ts";

/** What the client has asked for. */
export interface QueueWish extends SubscribeWish {
  readonly queue: string;
}

/** A message that is with the client. */
interface Given {
  readonly position: string;
  readonly offset: number;
  /** Ascending as they were given: one that came back may be before one that did not. */
  readonly order: number;
}

/** How long to wait before a store that failed is told again what was sent, in milliseconds. */
const RETRY = 1000;

/** One subscription of a connection. */
export class QueueSubscription implements Subscription, ConsumeOptions, Giver {
  readonly name: string;
  readonly destination: string;
  readonly channel: string;
  readonly prefetch: number;
  readonly #talk: Conversation;
  readonly #wish: QueueWish;
  readonly #frame: Said;
  readonly #given = new Map<string, Given>();
  #consumer: Consumer | undefined;
  #order = 0;
  /** What was sent to who need not acknowledge it. */
  #sent: number[] = [];
  #isTold = false;
  #isOver = false;

  constructor(talk: Conversation, wish: QueueWish, frame: Said) {
    this.name = wish.name;
    this.destination = wish.destination;
    this.channel = queueChannel(wish.queue);
    this.prefetch = wish.prefetch;
    this.#talk = talk;
    this.#wish = wish;
    this.#frame = frame;
  }

  /** @throws {GongError} `forbidden` */
  begin(): void {
    this.#consumer = this.#talk.session.consume(this.#wish.queue, this);
  }

  get isAcknowledged(): boolean {
    return this.#wish.ack !== "auto";
  }

  encode(message: QueuedMessage): Data {
    const { version } = this.#talk;
    const { id, destination } = this.#wish;
    const ack = version === "1.2" && this.isAcknowledged ? [["ack", positionOf(message)]] as const : [];
    const headers = [["redelivered", String(message.redelivered)] as const, ...ack];
    const head = encodeMessageHead(version, { subscription: id, destination, headers });
    return joinMessage(head, encodeMessageRest(version, message));
  }

  given(message: QueuedMessage): void {
    const { offset } = message;
    if (!this.isAcknowledged) return this.#sendOff(offset);
    const position = positionOf(message);
    this.#given.set(position, { position, offset, order: this.#order++ });
    this.#talk.subscriptions.given.set(position, this);
  }

  accepted(): void {
    if (!this.#isTold) this.#tell();
  }

  refused(error: GongError): void {
    if (!this.#isOver) this.#talk.fail(error, this.#frame);
  }

  /** With `client` an ACK or NACK is about all up to that message. */
  take(position: string): Taken {
    const last = this.#given.get(position)!;
    const messages = this.#wish.ack === "client"
      ? [...this.#given.values()].filter(({ order }) => order <= last.order)
      : [last];
    for (const { position } of messages) this.#forget(position);
    const offsets = messages.map(({ offset }) => offset);
    return {
      settle: async (as) => await this.#consumer!.settle(offsets, as),
      settling: (as) => this.#settling(offsets, as),
      giveBack: () => this.#giveBack(messages),
    };
  }

  end(): void {
    this.#isOver = true;
    if (!this.#isTold) this.#tell();
    for (const position of [...this.#given.keys()]) this.#forget(position);
    // What was sent is done with: the hub is to know before it requeues what is with the consumer.
    void this.#settleSent();
    this.#consumer?.cancel();
  }

  #tell(): void {
    this.#isTold = true;
    this.#talk.receipt(this.#frame);
  }

  #settling(offsets: readonly number[], as: Settlement): ConsumerSettling {
    if (!this.#isOver) return { consumer: this.#consumer!.id, offsets, as };
    throw new GongError("conflict", "Something that the transaction acknowledges was requeued.");
  }

  #giveBack(messages: readonly Given[]): void {
    if (this.#isOver) return;
    for (const message of messages) {
      this.#given.set(message.position, message);
      this.#talk.subscriptions.given.set(message.position, this);
    }
  }

  #forget(position: string): void {
    this.#given.delete(position);
    this.#talk.subscriptions.given.delete(position);
  }

  /** What one turn has sent is settled at once. */
  #sendOff(offset: number): void {
    if (this.#sent.push(offset) === 1) setImmediate(() => void this.#settleSent());
  }

  async #settleSent(): Promise<void> {
    const offsets = this.#sent;
    if (offsets.length === 0) return;
    this.#sent = [];
    try {
      await this.#consumer!.settle(offsets, "done");
    } catch {
      // It stays with the consumer until it is stored that it was sent.
      setTimeout(() => {
        if (!this.#isOver && !this.#talk.session.hasLeft) { for (const offset of offsets) this.#sendOff(offset); }
      }, RETRY);
    }
  }
}

function positionOf({ epoch, offset }: QueuedMessage): string {
  return `${epoch}:${offset}`;
}
