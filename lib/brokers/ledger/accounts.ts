/**
 * What a broker's channels hold, and what goes when there is too much.
 *
 * @module
 */
import type { Budget } from "../../budget.ts";
import { sizeOf } from "../../bytes.ts";
import type { HistoryLimits } from "../../channel_rules.ts";
import type { Draft, Publication } from "../../types.ts";
import { firstFresh, firstWithin, isTooMuch } from "./bounds.ts";
import { Deadlines } from "../../deadlines.ts";
import { Figures } from "./figures.ts";
import type { Channel, KeptChannel, KnownId, Store } from "./store.ts";

/** Seconds for which an id is remembered. */
const REMEMBERED = 300;
/** What is looked at in one go when room is needed. */
const MANY = 1000;
/** Publications too old that go in one go, and what else of the channel is too old: everybody waits meanwhile. */
const AGED = 10_000;

/** What {@linkcode Accounts} keep to. */
export interface AccountsOptions {
  readonly limitsOf: (channel: string) => HistoryLimits;
  readonly maxChannels: number;
  readonly budget: Budget;
  readonly newEpoch: () => string;
}

/** Every channel with what it holds. Nothing that is too old or over a limit is ever searched for. */
export class Accounts {
  readonly #store: Store;
  readonly #options: AccountsOptions;
  readonly #figures: Figures;
  #channels = new Map<string, Channel>();
  #aging = this.#newAging();

  constructor(store: Store, options: AccountsOptions) {
    this.#store = store;
    this.#options = options;
    this.#figures = new Figures(store, options.budget);
  }

  stats(): { channels: number; publications: number; bytes: number } {
    const { publications, bytes } = this.#figures;
    return { channels: this.#channels.size, publications, bytes };
  }

  /** Takes over what the store has, and of what it has not those channels that have no publication. */
  load(): void {
    // When this throws, the next one takes over what is here now.
    const found = [...this.#store.load()];
    const before = this.#channels.values();
    this.#figures.reset();
    this.#channels = new Map();
    this.#aging = this.#newAging();
    for (const kept of found) this.#add(kept);
    for (const { name, epoch, hosted } of before) {
      const channel = this.#channels.get(name) ?? this.#create(name, epoch);
      if (hosted) this.host(channel);
    }
  }

  find(name: string): Channel | undefined {
    return this.#channels.get(name);
  }

  get isFull(): boolean {
    return this.#channels.size >= this.#options.maxChannels;
  }

  /** The channel, a new one if need be: then another may be forgotten, but none of `spared`. Undefined: there is no room. */
  open(name: string, spared: ReadonlySet<Channel>): Channel | undefined {
    const channel = this.#channels.get(name);
    if (channel) return channel;
    if (this.isFull) {
      const next = this.#figures.shelf.next(spared);
      if (!next) return undefined;
      this.#forget(next);
    }
    return this.#create(name, this.#options.newEpoch());
  }

  /** Is the last to be forgotten. */
  use(channel: Channel): void {
    this.#figures.shelf.put(channel);
  }

  host(channel: Channel): void {
    channel.hosted = true;
    this.#figures.shelf.remove(channel);
  }

  unhost(channel: Channel): void {
    channel.hosted = false;
    this.#figures.shelf.put(channel);
  }

  /** Sees to it that so many bytes more are within the budget, but forgets none of `spared`. */
  makeRoom(need: () => number, now: number, spared: ReadonlySet<Channel>): boolean {
    const fits = () => {
      const bytes = need();
      return bytes <= 0 || this.#options.budget.hasRoomFor(bytes);
    };
    while (!fits()) {
      if (this.sweep(now, MANY)) continue;
      const next = this.#figures.shelf.nextHolding(spared);
      if (next) this.#forget(next);
      else if (!this.#options.budget.reclaim()) return false;
    }
    return true;
  }

  /**
   * Adds the publication, or what is kept of it, as the channel's next. What is over a limit of the channel goes, with
   * everything before it: history has no gap.
   */
  add(channel: Channel, publication: Publication, expires: number | undefined): void {
    const bytes = sizeOf(publication);
    const { offset } = publication;
    if (isTooMuch(channel, 1, bytes)) {
      this.#figures.dropUntil(channel, offset);
      Object.assign(channel, { offset, first: offset + 1 });
      this.#figures.change(channel);
    } else {
      channel.offset = offset;
      this.#store.append(channel, publication, bytes, expires);
      this.#figures.addPublication(channel, bytes);
      this.#trim(channel);
      if (!channel.isAging) this.#awaitAge(channel, publication.time);
    }
    this.#figures.shelf.put(channel);
  }

  /** What was published under the draft's id within the time that ids are remembered. */
  findId(channel: Channel, { publisher = "", id = "" }: Draft, now: number): KnownId | undefined {
    const known = this.#store.findId(channel, publisher, id);
    if (!known || known.time >= now - REMEMBERED * 1000) return known;
    this.#store.dropId(channel, known);
    this.#figures.freeIds(channel, known.bytes);
    return undefined;
  }

  addId(channel: Channel, known: KnownId): void {
    this.#store.addId(channel, known);
    this.#figures.addId(channel, known.bytes);
  }

  /** Lets go what is too old in the channel. */
  dropAged(channel: Channel, now: number): void {
    this.#figures.dropUntil(channel, firstFresh(this.#store, channel, now));
  }

  /** Makes places of at most so many publications whose `ttl` is over. Returns how many there were. */
  expire(now: number, most: number): number {
    let found = 0;
    for (const { name, offset, bytes } of this.#store.expire(now, most)) {
      found++;
      const channel = this.#channels.get(name);
      if (!channel || offset < channel.first) continue;
      this.#figures.freePublications(channel, bytes);
    }
    return found;
  }

  /** Lets go what is too old anywhere, some of it. Returns whether there was anything to look at. */
  sweep(now: number, most: number): boolean {
    let found = this.expire(now, most);
    for (const { name, bytes } of this.#store.expireIds(now - REMEMBERED * 1000, most)) {
      found++;
      const channel = this.#channels.get(name);
      if (channel) this.#figures.freeIds(channel, bytes);
    }
    let aged = 0;
    for (let looked = 0; looked < most && aged < AGED; looked++) {
      const channel = this.#aging.take(now);
      if (!channel) break;
      found++;
      channel.isAging = false;
      if (this.#channels.get(channel.name) !== channel) continue;
      aged -= channel.first;
      this.dropAged(channel, now);
      aged += channel.first;
      if (channel.first <= channel.offset) this.#awaitAge(channel, this.#store.weigh(channel, channel.first).time);
    }
    return found > 0;
  }

  /** Brings everything within bounds that may be others than when it was stored. */
  tighten(now: number): void {
    for (const channel of this.#channels.values()) this.#trim(channel);
    while (this.sweep(now, MANY));
    const none = new Set<Channel>();
    const { budget, maxChannels } = this.#options;
    for (let next; budget.used > budget.limit && (next = this.#figures.shelf.nextHolding(none));) this.#forget(next);
    for (let next; this.#channels.size > maxChannels && (next = this.#figures.shelf.next(none));) this.#forget(next);
  }

  /** Tells the store the figures that have changed. */
  save(): void {
    this.#figures.save();
  }

  #add(kept: KeptChannel): void {
    const { name, epoch, offset, first, bytes, idBytes } = kept;
    const limits = this.#limitsOf(name);
    // Named one by one they have no memory beside the object's: there may be a million of them.
    const channel: Channel = { name, epoch, limits, offset, first, bytes, idBytes, hosted: false, isAging: false };
    this.#channels.set(name, channel);
    this.#figures.enter(channel);
    // How old it is will be looked at; what there is of it is older than everything to come.
    if (channel.first <= channel.offset) this.#awaitAge(channel, -Infinity);
  }

  #create(name: string, epoch: string): Channel {
    this.#add({ name, epoch, offset: 0, first: 1, bytes: 0, idBytes: 0 });
    const channel = this.#channels.get(name)!;
    // There is nothing of it yet but its epoch: only a store that lasts has to know.
    if (this.#store.isLasting) this.#figures.change(channel);
    return channel;
  }

  /** What is larger than the whole budget is not kept, like what is larger than its channel's history. */
  #limitsOf(name: string): HistoryLimits {
    const limits = this.#options.limitsOf(name);
    const { limit } = this.#options.budget;
    return limits.bytes <= limit ? limits : { ...limits, bytes: limit };
  }

  #trim(channel: Channel): void {
    this.#figures.dropUntil(channel, firstWithin(this.#store, channel));
  }

  #forget(channel: Channel): void {
    this.#channels.delete(channel.name);
    this.#figures.leave(channel);
    this.#store.forget(channel);
  }

  #newAging(): Deadlines<Channel> {
    return new Deadlines((channel) => this.#channels.get(channel.name) === channel);
  }

  #awaitAge(channel: Channel, time: number): void {
    channel.isAging = true;
    this.#aging.add(time + channel.limits.age * 1000 + 1, channel);
  }
}
