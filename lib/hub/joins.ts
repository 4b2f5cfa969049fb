/**
 * Joining and leaving, published where a rule has `presence=joins`: once a second at most, and only what has changed.
 *
 * @module
 */
import { setImmediate } from "node:timers/promises";
import { encodeMovement } from "../codecs/presence.ts";
import type { Draft, PageRequest, PresencePage, Present, PublishResult } from "../types.ts";
import type { Admitted } from "./guard.ts";

/** What {@linkcode Joins} ask. */
export interface JoinsOptions {
  /** Where the channel's joining and leaving is published; undefined, it is not. */
  readonly nameOf: (channel: string) => string | undefined;
  /** How a session is shown on a channel, if it is there; the same object until that changes. */
  readonly find: (channel: string, session: Admitted) => Present | undefined;
  readonly page: (channel: string, page: PageRequest) => PresencePage;
  readonly publish: (draft: Draft) => Promise<PublishResult>;
  /** Bytes of one publication. */
  readonly bytes: number;
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
  /** Those of whom it was said that they are there, as they were shown. */
  readonly known: Map<Admitted, Present>;
  /** Those of whom something may have to be said. */
  changed: Set<Admitted>;
}

/** All channels whose joining and leaving is published. */
export class Joins {
  readonly #options: JoinsOptions;
  readonly #told = new Map<string, Told>();
  /** Channels where something has changed: those that have a `changed`. */
  readonly #due = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isPublishing = false;
  #isClosed = false;

  constructor(options: JoinsOptions) {
    this.#options = options;
  }

  /** The session has come to the channel, or has gone, or is shown otherwise. */
  changed(channel: string, session: Admitted): void {
    let told = this.#told.get(channel);
    if (!told) {
      const name = this.#options.nameOf(channel);
      if (name === undefined) return;
      this.#told.set(channel, told = { name, known: new Map(), changed: new Set() });
    }
    told.changed.add(session);
    this.#due.add(channel);
    this.#wait();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  /** One timer for all, and none while nothing changes. */
  #wait(): void {
    if (this.#isClosed || this.#isPublishing || this.#due.size === 0) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#publishAll();
    }, this.#options.period ?? 1000);
  }

  async #publishAll(): Promise<void> {
    this.#isPublishing = true;
    const due = [...this.#due];
    for (let index = 0; index < due.length && !this.#isClosed; index += AT_ONCE) {
      await Promise.all(due.slice(index, index + AT_ONCE).map((channel) => this.#publish(channel)));
      await setImmediate();
    }
    this.#isPublishing = false;
    this.#wait();
  }

  async #publish(channel: string): Promise<void> {
    const { find, page, publish, bytes } = this.#options;
    const told = this.#told.get(channel)!;
    const { name, known, changed } = told;
    // Also what has changed since this round began: where that leaves nothing to tell of, nothing is due any more.
    this.#due.delete(channel);
    told.changed = new Set();
    const joined = new Map<Admitted, Present>();
    const left = new Map<Admitted, Present>();
    for (const session of changed) {
      const [now, before] = [find(channel, session), known.get(session)];
      if (now && now !== before) joined.set(session, now);
      else if (!now && before) left.set(session, before);
    }
    if (joined.size + left.size > 0) {
      const { count, users } = page(channel, { limit: 0 });
      const movement = { count, users, joined: [...joined.values()], left: [...left.values()] };
      const data = encodeMovement(movement, MOST, bytes);
      const result = await publish({ channel: name, data, contentType: "application/json" });
      if ("error" in result) return this.#postpone(channel, told, [...joined.keys(), ...left.keys()]);
      for (const [session, present] of joined) known.set(session, present);
      for (const session of left.keys()) known.delete(session);
    }
    if (known.size + told.changed.size === 0) this.#told.delete(channel);
  }

  /** The next publication has it all. */
  #postpone(channel: string, told: Told, sessions: readonly Admitted[]): void {
    told.changed = new Set([...sessions, ...told.changed]);
    this.#due.add(channel);
  }
}
