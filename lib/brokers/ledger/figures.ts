/**
 * What all channels hold together.
 *
 * @module
 */
import type { Budget } from "../../budget.ts";
import { bytesBetween } from "./bounds.ts";
import { Shelf } from "./shelf.ts";
import type { Channel, Store } from "./store.ts";

/** Counts what is added and what goes, in the channel, over all channels and towards the budget at once. */
export class Figures {
  readonly #store: Store;
  readonly #budget: Budget;
  /** Those that the store does not have yet. */
  readonly #changed = new Set<Channel>();
  #shelf = new Shelf();
  #publications = 0;
  #bytes = 0;

  constructor(store: Store, budget: Budget) {
    this.#store = store;
    this.#budget = budget;
  }

  get publications(): number {
    return this.#publications;
  }

  /** Bytes of publications and ids. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Channels in the order in which they are forgotten. */
  get shelf(): Shelf {
    return this.#shelf;
  }

  /** A channel with what it holds. */
  enter(channel: Channel): void {
    this.#publications += channel.offset - channel.first + 1;
    this.#count(channel.bytes + channel.idBytes);
    this.#shelf.put(channel);
  }

  /** The channel is gone, and with it what it held. */
  leave(channel: Channel): void {
    this.#publications -= channel.offset - channel.first + 1;
    this.#count(-channel.bytes - channel.idBytes);
    this.#shelf.remove(channel);
    this.#changed.delete(channel);
  }

  /** The channel has become another; its figures are to be saved. */
  change(channel: Channel): void {
    this.#changed.add(channel);
  }

  addPublication(channel: Channel, bytes: number): void {
    channel.bytes += bytes;
    this.#publications++;
    this.#count(bytes);
    this.#changed.add(channel);
  }

  addId(channel: Channel, bytes: number): void {
    channel.idBytes += bytes;
    this.#count(bytes);
    this.#changed.add(channel);
    this.#shelf.put(channel);
  }

  /** Publications have become smaller. */
  freePublications(channel: Channel, bytes: number): void {
    channel.bytes -= bytes;
    this.#free(channel, bytes);
  }

  freeIds(channel: Channel, bytes: number): void {
    channel.idBytes -= bytes;
    this.#free(channel, bytes);
  }

  /** What comes before `first` is gone. */
  dropUntil(channel: Channel, first: number): void {
    if (first === channel.first) return;
    // All of it was counted already.
    const bytes = first > channel.offset ? channel.bytes : bytesBetween(this.#store, channel, first);
    this.#publications -= first - channel.first;
    channel.first = first;
    this.freePublications(channel, bytes);
  }

  /** Tells the store what has changed. */
  save(): void {
    for (const channel of this.#changed) this.#store.save(channel);
    this.#changed.clear();
  }

  /** There are no channels. */
  reset(): void {
    this.#count(-this.#bytes);
    this.#publications = 0;
    this.#shelf = new Shelf();
    this.#changed.clear();
  }

  #free(channel: Channel, bytes: number): void {
    this.#count(-bytes);
    this.#changed.add(channel);
    if (channel.bytes + channel.idBytes === 0) this.#shelf.empty(channel);
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    if (bytes > 0) this.#budget.take(bytes);
    else this.#budget.give(-bytes);
  }
}
