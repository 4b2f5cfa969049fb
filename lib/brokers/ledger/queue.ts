/**
 * What is counted of one queue.
 *
 * @module
 */
import { Places } from "./places.ts";
import type { KeptMessage, KeptQueue } from "./store.ts";

/**
 * The messages of a queue by their offsets and sizes, and which of them somebody has. What nobody was given yet comes
 * after everything else; what came back is in front of it.
 */
export class Queue {
  readonly name: string;
  readonly epoch: string;
  readonly number: number;
  readonly #sizes = new Map<number, number>();
  /** Of those that have a `ttl`: milliseconds since 1970. */
  readonly #expiries = new Map<number, number>();
  readonly #claimed = new Set<number>();
  readonly #returned = new Places();
  /** Nobody was given this one, nor those behind it. */
  #fresh: number;
  #offset: number;
  #bytes = 0;

  /** Of what it has already, nobody knows who was given it. */
  constructor({ name, epoch, number, offset }: Omit<KeptQueue, "messages">, messages: Iterable<KeptMessage> = []) {
    this.name = name;
    this.epoch = epoch;
    this.number = number;
    this.#offset = offset;
    this.#fresh = offset + 1;
    for (const message of messages) {
      this.#enter(message);
      this.#returned.add(message.offset);
    }
  }

  /** Of the message that came last, whether it is still there or not. */
  get offset(): number {
    return this.#offset;
  }

  get count(): number {
    return this.#sizes.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get claimed(): number {
    return this.#claimed.size;
  }

  has(offset: number): boolean {
    return this.#sizes.has(offset);
  }

  isClaimed(offset: number): boolean {
    return this.#claimed.has(offset);
  }

  /** Of one that is there. */
  sizeOf(offset: number): number {
    return this.#sizes.get(offset)!;
  }

  /** When its `ttl` is over, if it has one. */
  expiryOf(offset: number): number | undefined {
    return this.#expiries.get(offset);
  }

  /** Those that have a `ttl`. */
  get expiring(): Iterable<number> {
    return this.#expiries.keys();
  }

  /** The next at the end. */
  add(message: KeptMessage): void {
    this.#offset = message.offset;
    this.#enter(message);
  }

  /** The first that nobody has, if there is one. What is gone is passed over, once. */
  peek(): number | undefined {
    for (let first; (first = this.#returned.first) !== undefined; this.#returned.take()) {
      if (this.has(first)) return first;
    }
    while (this.#fresh <= this.#offset && !this.has(this.#fresh)) this.#fresh++;
    return this.#fresh <= this.#offset ? this.#fresh : undefined;
  }

  /** Claims what {@linkcode peek} has shown. Returns whether somebody may have had it before. */
  claim(offset: number): boolean {
    const wasReturned = offset < this.#fresh;
    if (wasReturned) this.#returned.take();
    else this.#fresh++;
    this.#claimed.add(offset);
    return wasReturned;
  }

  /** One that is claimed is at its place again. */
  requeue(offset: number): void {
    if (this.#claimed.delete(offset)) this.#returned.add(offset);
  }

  /** One that is there is gone. */
  remove(offset: number): void {
    this.#claimed.delete(offset);
    this.#bytes -= this.sizeOf(offset);
    this.#sizes.delete(offset);
    this.#expiries.delete(offset);
  }

  #enter({ offset, bytes, expires }: KeptMessage): void {
    this.#sizes.set(offset, bytes);
    this.#bytes += bytes;
    if (expires !== undefined) this.#expiries.set(offset, expires);
  }
}
