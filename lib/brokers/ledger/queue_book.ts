/**
 * All queues: what they hold, and who is given what.
 *
 * @module
 */
import { Deadlines } from "../../deadlines.ts";
import type { PageLimit, QueuedMessage } from "../../types.ts";
import { Queue } from "./queue.ts";
import type { QueueStore } from "./store.ts";

/** What a {@linkcode QueueBook} keeps to. */
export interface QueueLimits {
  /** Messages of one queue. Default 100,000. */
  readonly queueCount: number;
  /** Bytes of one queue, as `sizeOf` counts them. Default 16 MiB. */
  readonly queueBytes: number;
  /** Bytes of all queues. Default 64 MiB. */
  readonly queueBudget: number;
  /** Queues that have messages. Default 1,000. */
  readonly maxQueues: number;
}

/** Queues that have messages. What is changed in them goes through a `QueueChange`, but for who has claimed what. */
export class QueueBook {
  readonly limits: QueueLimits;
  readonly store: QueueStore;
  readonly #newEpoch: () => string;
  readonly #queues = new Map<string, Queue>();
  /** What nobody will be given since its `ttl` is over, and is in the store all the same. */
  readonly #dropped = new Map<Queue, number[]>();
  readonly #expiring = new Deadlines<{ queue: Queue; offset: number }>(isWaiting);
  #lastNumber = 0;
  #bytes = 0;

  constructor(store: QueueStore, limits: QueueLimits, newEpoch: () => string) {
    this.store = store;
    this.limits = limits;
    this.#newEpoch = newEpoch;
    for (const { messages, ...kept } of store.load()) {
      const queue = new Queue(kept, messages);
      this.#lastNumber = Math.max(this.#lastNumber, queue.number);
      this.#queues.set(queue.name, queue);
      this.#bytes += queue.bytes;
      for (const offset of queue.expiring) this.awaitExpiry(queue, offset);
    }
  }

  get size(): number {
    return this.#queues.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  stats(): { queues: number; messages: number; bytes: number; claimed: number } {
    let [messages, claimed] = [0, 0];
    for (const queue of this.#queues.values()) {
      messages += queue.count;
      claimed += queue.claimed;
    }
    return { queues: this.size, messages, bytes: this.#bytes, claimed };
  }

  find(name: string): Queue | undefined {
    return this.#queues.get(name);
  }

  has(queue: Queue): boolean {
    return this.#queues.get(queue.name) === queue;
  }

  /** One that is not among the others before it has messages. */
  create(name: string): Queue {
    return new Queue({ name, epoch: this.#newEpoch(), number: ++this.#lastNumber, offset: 0 });
  }

  /** The messages of the queue have changed, and so have its bytes by so many. */
  update(queue: Queue, growth: number): void {
    this.#bytes += growth;
    if (queue.count > 0) this.#queues.set(queue.name, queue);
    else this.#queues.delete(queue.name);
  }

  /** One that is claimed is at its place again. */
  requeue(queue: Queue, offset: number): void {
    queue.requeue(offset);
    this.awaitExpiry(queue, offset);
  }

  /** The message goes when its `ttl` is over, if it has one and nobody has it then. */
  awaitExpiry(queue: Queue, offset: number): void {
    const expiry = queue.expiryOf(offset);
    if (expiry !== undefined) this.#expiring.add(expiry, { queue, offset });
  }

  /** Lets go what is over, of at most so many. Returns whether there was anything to look at. */
  sweep(now: number, most: number): boolean {
    for (let looked = 0; looked < most; looked++) {
      const due = this.#expiring.take(now);
      if (!due) return looked > 0;
      if (isWaiting(due)) this.#drop(due.queue, due.offset);
    }
    return most > 0;
  }

  /** Claims from the front as much as the limit allows; what is over goes. */
  claim(name: string, { count = Infinity, bytes = Infinity }: PageLimit, now: number): QueuedMessage[] {
    const queue = this.find(name);
    if (!queue) return [];
    const redelivered = new Map<number, boolean>();
    let size = 0;
    for (let next; redelivered.size < count && (next = queue.peek()) !== undefined;) {
      if ((queue.expiryOf(next) ?? Infinity) <= now) {
        this.#drop(queue, next);
        continue;
      }
      size += queue.sizeOf(next);
      if (size > bytes && redelivered.size > 0) break;
      redelivered.set(next, queue.claim(next));
    }
    return this.#read(queue, redelivered);
  }

  get hasDropped(): boolean {
    return this.#dropped.size > 0;
  }

  /** Takes what was dropped out of the store. */
  writeDropped(): void {
    for (const [queue, offsets] of this.#dropped) writeRemoval(this.store, queue, offsets, queue.count);
  }

  /** The store has committed that. */
  clearDropped(): void {
    this.#dropped.clear();
  }

  #drop(queue: Queue, offset: number): void {
    const bytes = queue.sizeOf(offset);
    queue.remove(offset);
    this.update(queue, -bytes);
    const offsets = this.#dropped.get(queue);
    if (offsets) offsets.push(offset);
    else this.#dropped.set(queue, [offset]);
  }

  #read(queue: Queue, redelivered: ReadonlyMap<number, boolean>): QueuedMessage[] {
    const offsets = [...redelivered.keys()];
    try {
      return this.store.read(queue, offsets).map(({ channel: _, ...message }) => {
        return { ...message, queue: queue.name, redelivered: redelivered.get(message.offset)! };
      });
    } catch (error) {
      // Nobody was given them.
      for (const offset of offsets) this.requeue(queue, offset);
      throw error;
    }
  }
}

function isWaiting({ queue, offset }: { queue: Queue; offset: number }): boolean {
  return queue.has(offset) && !queue.isClaimed(offset);
}

/** Takes these out of the store, and the queue too when it has no others. */
function writeRemoval(store: QueueStore, queue: Queue, offsets: readonly number[], left: number): void {
  if (left === 0) return store.forget(queue);
  store.drop(queue, offsets);
  store.save(queue, queue.offset, left);
}
