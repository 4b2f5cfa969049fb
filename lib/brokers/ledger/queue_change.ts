/**
 * What one call changes in queues: nothing counts before the store has committed it.
 *
 * @module
 */
import { sizeOf } from "../../bytes.ts";
import { GongError } from "../../errors.ts";
import type { Draft, Publication, PublishResult, Refusal, Settlement, Settling } from "../../types.ts";
import { toPublication } from "./content.ts";
import type { Queue } from "./queue.ts";
import type { QueueBook } from "./queue_book.ts";
import type { KeptMessage } from "./store.ts";

/** How much that is over is looked at with each message that comes, and when room is needed. */
const FEW = 100;
const MANY = 1000;

const TOO_MANY = new GongError("overloaded", "There are too many queues.", { retryAfter: 60 }).toRefusal();
const NO_ROOM = new GongError("overloaded", "There is no room for more in queues.", { retryAfter: 5 }).toRefusal();

interface Added extends KeptMessage {
  readonly publication: Publication;
}

/** What becomes of one queue. */
interface Staged {
  readonly queue: Queue;
  readonly added: Added[];
  readonly settled: Map<number, Settlement>;
  readonly done: number[];
  /** By how much it grows. */
  bytes: number;
}

/** Is written by the store's transaction and applied after it, or forgotten. */
export class QueueChange {
  readonly #queues: QueueBook;
  readonly #now: number;
  readonly #staged = new Map<string, Staged>();
  /** Queues that are new, and by how much all together grow. */
  #opened = 0;
  #bytes = 0;
  #isWritten = false;

  constructor(queues: QueueBook, now: number) {
    this.#queues = queues;
    this.#now = now;
  }

  /** Of each message counts what is said first; there is room for others then. */
  settle(settlings: readonly Settling[]): void {
    for (const { queue: name, offsets, as } of settlings) {
      const queue = this.#queues.find(name);
      if (!queue) continue;
      const staged = this.#staged.get(name) ?? toStaged(queue);
      for (const offset of offsets) {
        if (!queue.isClaimed(offset) || staged.settled.has(offset)) continue;
        // Not before: one that has nothing claimed may be forgotten as its messages are over.
        this.#staged.set(name, staged);
        staged.settled.set(offset, as);
        if (as !== "done") continue;
        staged.done.push(offset);
        this.#grow(staged, -queue.sizeOf(offset));
      }
    }
  }

  /** Puts it at the end of the queue, if there is room; what is over makes some. */
  enqueue(name: string, draft: Draft): PublishResult {
    const bytes = sizeOf(draft);
    this.#sweep(FEW);
    let refusal;
    while ((refusal = this.#refuse(name, bytes)) && this.#sweep(MANY));
    if (refusal) return { error: refusal };
    const staged = this.#staged.get(name) ?? toStaged(this.#queues.find(name) ?? this.#queues.create(name));
    const { queue, added } = staged;
    this.#staged.set(name, staged);
    const { epoch } = queue;
    const offset = queue.offset + added.length + 1;
    const expires = draft.ttl === undefined ? undefined : this.#now + Math.ceil(draft.ttl * 1000);
    added.push({ offset, bytes, expires, publication: toPublication(draft, { epoch, offset }, this.#now) });
    this.#grow(staged, bytes);
    if (added.length === 1 && !this.#queues.has(queue)) this.#opened++;
    return { epoch, offset };
  }

  /** Nothing of it is to be. */
  discard(): void {
    this.#staged.clear();
  }

  /** Changes the store, within its transaction. */
  write(): void {
    const { store } = this.#queues;
    this.#isWritten = true;
    this.#queues.writeDropped();
    for (const staged of this.#staged.values()) {
      const { queue, added, done } = staged;
      const count = countOf(staged);
      if (count === 0) store.forget(queue);
      if (count === 0 || added.length + done.length === 0) continue;
      if (done.length > 0) store.drop(queue, done);
      for (const message of added) store.append(queue, message.publication, message);
      store.save(queue, queue.offset + added.length, count);
    }
  }

  /** Changes the queues themselves. */
  apply(): void {
    if (this.#isWritten) this.#queues.clearDropped();
    for (const { queue, added, settled, bytes } of this.#staged.values()) {
      for (const [offset, as] of settled) {
        if (as === "done") queue.remove(offset);
        else this.#queues.requeue(queue, offset);
      }
      for (const { offset, bytes, expires } of added) {
        queue.add({ offset, bytes, expires });
        this.#queues.awaitExpiry(queue, offset);
      }
      this.#queues.update(queue, bytes);
    }
  }

  /** Why the queue cannot take a message of that size, if it cannot. */
  #refuse(name: string, size: number): Refusal | undefined {
    const { queueCount, queueBytes, queueBudget, maxQueues } = this.#queues.limits;
    const staged = this.#staged.get(name);
    const queue = staged?.queue ?? this.#queues.find(name);
    if (!queue && this.#queues.size + this.#opened >= maxQueues) return TOO_MANY;
    const count = staged ? countOf(staged) : queue?.count ?? 0;
    const bytes = (queue?.bytes ?? 0) + (staged?.bytes ?? 0);
    if (count >= queueCount || bytes + size > queueBytes) return full(name);
    return this.#queues.bytes + this.#bytes + size > queueBudget ? NO_ROOM : undefined;
  }

  #sweep(most: number): boolean {
    const { size } = this.#queues;
    const found = this.#queues.sweep(this.#now, most);
    // Of queues that are forgotten, those that get something with this are new.
    if (this.#queues.size < size) {
      this.#opened = this.#staged.values().filter(({ queue }) => !this.#queues.has(queue)).toArray().length;
    }
    return found;
  }

  #grow(staged: Staged, bytes: number): void {
    staged.bytes += bytes;
    this.#bytes += bytes;
  }
}

function toStaged(queue: Queue): Staged {
  return { queue, added: [], settled: new Map(), done: [], bytes: 0 };
}

/** Messages that it has then. */
function countOf({ queue, added, done }: Staged): number {
  return queue.count + added.length - done.length;
}

function full(name: string): Refusal {
  return new GongError("overloaded", `The queue ${name} is full.`, { retryAfter: 5 }).toRefusal();
}
