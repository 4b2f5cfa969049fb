/**
 * Joining and leaving, published where a rule has `presence=joins`: once a second at most, and only what has changed.
 *
 * @module
 */
import { setImmediate } from "node:timers/promises";
import { encodeMovement } from "../codecs/presence.ts";
import type { Draft, PageRequest, PresencePage, Present, PublishResult } from "../types.ts";
import type { Place } from "./admitted.ts";

/** What {@linkcode Joins} ask. */
export interface JoinsOptions {
  /** Where the channel's joining and leaving is published; undefined, it is not. */
  readonly nameOf: (channel: string) => string | undefined;
  readonly page: (channel: string, page: PageRequest) => PresencePage;
  readonly publish: (draft: Draft) => Promise<PublishResult>;
  /** Bytes of one publication. */
  readonly bytes: number;
  /** It has been published that the place is empty, or need not be. */
  readonly onSaid?: (place: Place) => void;
  /** How long changes are gathered, in milliseconds. Default 1000. */
  readonly period?: number;
}

/** Entries of each kind in one publication. */
const MOST = 100;
/** Channels that are told of before the event loop turns. */
const AT_ONCE = 100;

/** What is told of one channel. */
interface Told {
  readonly name: string;
  /** How many of whom it was said that they are there. */
  known: number;
  /** Those of whom something may have to be said. */
  changed: Set<Place>;
}

/** All channels whose joining and leaving is published. */
export class Joins {
  readonly #options: JoinsOptions;
  readonly #told = new Map<string, Told>();
  /** Channels where something has changed: those that have a `changed`. */
  readonly #due = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** What is under way. */
  #publishing: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: JoinsOptions) {
    this.#options = options;
  }

  /** The place was taken, or is empty now, or is shown otherwise. */
  changed(place: Place): void {
    const { channel } = place;
    let told = this.#told.get(channel);
    if (!told) {
      const name = this.#options.nameOf(channel);
      if (name === undefined) return;
      this.#told.set(channel, told = { name, known: 0, changed: new Set() });
    }
    told.changed.add(place);
    this.#due.add(channel);
    this.#wait();
  }

  /** Publishes what has changed until now, without waiting for more. */
  async flush(): Promise<void> {
    // What is under way has begun without what has changed since.
    await this.#publishing;
    if (!this.#isClosed) await this.#publishAll();
  }

  /** It was told of, and others have said that it has left: it is told of again. */
  untold(place: Place): void {
    const told = this.#told.get(place.channel);
    if (!place.told || !told) return;
    told.known--;
    place.told = undefined;
    this.changed(place);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  /** One timer for all, and none while nothing changes. */
  #wait(): void {
    if (this.#isClosed || this.#publishing || this.#due.size === 0) return;
    this.#timer ??= setTimeout(() => void this.#publishAll(), this.#options.period ?? 1000);
  }

  #publishAll(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    return this.#publishing ??= this.#publishDue().finally(() => {
      this.#publishing = undefined;
      this.#wait();
    });
  }

  async #publishDue(): Promise<void> {
    const due = [...this.#due];
    for (let index = 0; index < due.length && !this.#isClosed; index += AT_ONCE) {
      await Promise.all(due.slice(index, index + AT_ONCE).map((channel) => this.#publish(channel)));
      await setImmediate();
    }
  }

  async #publish(channel: string): Promise<void> {
    const { page, publish, bytes } = this.#options;
    const told = this.#told.get(channel)!;
    const { name, changed } = told;
    // Also what has changed since this round began: where that leaves nothing to tell of, nothing is due any more.
    this.#due.delete(channel);
    told.changed = new Set();
    // As they are now: until that is published they may change again.
    const moved = [...changed].filter(hasMoved).map((place) => ({ place, now: place.present }));
    for (const place of changed) if (!hasMoved(place)) this.#said(place);
    if (moved.length > 0) {
      const { count, users } = page(channel, { limit: 0 });
      const joined = moved.flatMap(({ now }) => now ?? []);
      const data = encodeMovement({ count, users, joined, left: leftOf(moved, joined) }, MOST, bytes);
      const result = await publish({ channel: name, data, contentType: "application/json" });
      if ("error" in result) return this.#postpone(channel, told, moved.map(({ place }) => place));
      for (const { place, now } of moved) {
        told.known += (now ? 1 : 0) - (place.told ? 1 : 0);
        place.told = now;
        if (!now) this.#said(place);
      }
    }
    if (told.known + told.changed.size === 0) this.#told.delete(channel);
  }

  #said(place: Place): void {
    if (!place.present) this.#options.onSaid?.(place);
  }

  /** The next publication has it all. */
  #postpone(channel: string, told: Told, places: readonly Place[]): void {
    told.changed = new Set([...places, ...told.changed]);
    this.#due.add(channel);
  }
}

/** Whether something is to be told of it that was not. */
function hasMoved({ present, told }: Place): boolean {
  return present !== told;
}

/** Those who are gone, but for who has come back to another place. */
function leftOf(moved: readonly { readonly place: Place }[], joined: readonly Present[]): Present[] {
  const left = moved.flatMap(({ place: { present, told } }) => present || !told ? [] : told);
  if (left.length === 0) return left;
  const there = new Set(joined.map(({ session }) => session));
  return left.filter(({ session }) => !there.has(session));
}
