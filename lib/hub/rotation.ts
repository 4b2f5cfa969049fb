/**
 * The consumers of one queue, who take turns.
 *
 * @module
 */
import type { Broker, QueuedMessage } from "../types.ts";
import type { QueueConsumer, Room } from "./queue_consumer.ts";

/** How many consumers are looked at before a claim; it is for what those have room for. */
const MOST_LOOKED_AT = 100;

/** What a {@linkcode Rotation} is made of. */
export interface RotationOptions {
  readonly queue: string;
  readonly broker: Pick<Broker, "claim">;
  /** Messages for a consumer, in order. */
  readonly assign: (consumer: QueueConsumer, messages: readonly QueuedMessage[]) => void;
  /** Messages that nobody has room for any more: who had it went while they were claimed. */
  readonly onLeft: (messages: readonly QueuedMessage[]) => void;
  /** Nothing could be claimed: to be served again later. */
  readonly onFault: (error: unknown) => void;
}

/** Claims what a queue has for those who have room, one claim after the other, so that the order is that of the queue. */
export class Rotation {
  readonly #options: RotationOptions;
  readonly #consumers = new Set<QueueConsumer>();
  /** Those of them who have room, in the order of their turns. */
  readonly #free = new Set<QueueConsumer>();
  #isServing = false;
  #isWanted = false;

  constructor(options: RotationOptions) {
    this.#options = options;
  }

  /** Nobody consumes, and nothing is on its way. */
  get isOver(): boolean {
    return this.#consumers.size === 0 && !this.#isServing;
  }

  /** Who consumes. */
  get size(): number {
    return this.#consumers.size;
  }

  get hasRoom(): boolean {
    return this.#free.size > 0;
  }

  add(consumer: QueueConsumer): void {
    this.#consumers.add(consumer);
    this.look(consumer);
  }

  remove(consumer: QueueConsumer): void {
    this.#consumers.delete(consumer);
    this.#free.delete(consumer);
  }

  /** The consumer may have room again: then it is the last to have its turn. */
  look(consumer: QueueConsumer): void {
    if (consumer.hasRoom) this.#free.add(consumer);
  }

  /** Gives out what there is, as long as somebody has room. Called again meanwhile, it looks once more. */
  async serve(): Promise<void> {
    this.#isWanted = true;
    if (this.#isServing) return;
    this.#isServing = true;
    const { broker, queue, onFault } = this.#options;
    try {
      while (this.#isWanted && this.hasRoom) {
        this.#isWanted = false;
        const messages = await broker.claim(queue, this.#room());
        if (messages.length === 0) continue;
        this.#isWanted = true;
        this.#giveOut(messages);
      }
    } catch (error) {
      onFault(error);
    } finally {
      this.#isServing = false;
    }
  }

  /**
   * Never more than those who have room can be given: who reaches its bytes has been given all there is, as nobody has
   * fewer left, and as long as nobody does, the counts suffice.
   */
  #room(): Room {
    let [count, bytes, looked] = [0, Infinity, 0];
    for (const { room } of this.#free) {
      count += room.count;
      bytes = Math.min(bytes, room.bytes);
      if (++looked === MOST_LOOKED_AT) break;
    }
    return { count, bytes };
  }

  #giveOut(messages: readonly QueuedMessage[]): void {
    const shares = new Map<QueueConsumer, QueuedMessage[]>();
    let given = 0;
    for (; given < messages.length; given++) {
      const consumer = this.#next();
      if (!consumer) break;
      const message = messages[given]!;
      consumer.give(message);
      this.look(consumer);
      const share = shares.get(consumer);
      if (share) share.push(message);
      else shares.set(consumer, [message]);
    }
    for (const [consumer, share] of shares) this.#options.assign(consumer, share);
    if (given < messages.length) this.#options.onLeft(messages.slice(given));
  }

  /** Whose turn it is. */
  #next(): QueueConsumer | undefined {
    const [consumer] = this.#free;
    if (consumer) this.#free.delete(consumer);
    return consumer;
  }
}
