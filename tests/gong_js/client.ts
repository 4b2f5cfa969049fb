/**
 * A client whose messages and states are awaited.
 *
 * @module
 */
import type { GongError, GongEvents, GongOptions, Message, Phase, Transport } from "../../static/gong.d.ts";
// @ts-types="../../static/gong.d.ts"
import { Gong } from "../../static/gong.js";

/** Ends within this many milliseconds or fails. */
const LONGEST = 20_000;

/** A client, and what it has heard. */
export class Heard implements Disposable {
  readonly gong: Gong;
  readonly messages: Message[] = [];
  /** As `phase transport`. */
  readonly states: string[] = [];
  readonly lost: { channel: string; epoch: string; offset: number }[] = [];
  readonly errors: { error: GongError; channel?: string }[] = [];

  constructor(url: string, options: GongOptions = {}) {
    this.gong = new Gong({ url, timeout: 1_000, ...options });
    this.gong.addEventListener(
      "state",
      ({ phase, transport }) => this.states.push(`${phase} ${transport}`),
    );
    this.gong.addEventListener(
      "subscribed",
      ({ channel, epoch, offset, recovered }) => {
        if (!recovered) this.lost.push({ channel, epoch, offset });
      },
    );
    this.gong.addEventListener("error", (event) => this.errors.push(event));
  }

  /** What came, as it was sent. */
  get data(): unknown[] {
    return this.messages.map(({ data }) => data);
  }

  readonly hear = (message: Message): void => void this.messages.push(message);

  /** Subscribes, and resolves as soon as the channel is heard. */
  async listen(
    channel: string,
    options: Parameters<Gong["subscribe"]>[2] = {},
  ): Promise<() => void> {
    const subscribed = this.event(
      "subscribed",
      (event) => event.channel === channel,
    );
    const unsubscribe = this.gong.subscribe(channel, this.hear, options);
    await subscribed;
    return unsubscribe;
  }

  /** The next event of this name for which it holds. */
  event<Name extends keyof GongEvents>(
    name: Name,
    holds: (event: GongEvents[Name]) => boolean = () => true,
  ): Promise<GongEvents[Name]> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`no ${name}; states: ${this.states.join(", ")}`)),
        LONGEST,
      );
      const listener = (event: GongEvents[Name]) => {
        if (!holds(event)) return;
        clearTimeout(timer);
        this.gong.removeEventListener(name, listener);
        resolve(event);
      };
      this.gong.addEventListener(name, listener);
    });
  }

  /** Resolves as soon as it is in this phase, over this transport if one is named. */
  async reaches(phase: Phase, transport?: Transport): Promise<void> {
    const there = () =>
      this.gong.phase === phase &&
      (transport === undefined || this.gong.transport === transport);
    if (!there()) await this.event("state", there);
  }

  /** Resolves as soon as so many messages have come. */
  async count(many: number): Promise<void> {
    const end = performance.now() + LONGEST;
    while (this.messages.length < many) {
      if (performance.now() > end) {
        throw new Error(
          `${this.messages.length} of ${many} messages; states: ${this.states.join(", ")}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  [Symbol.dispose](): void {
    this.gong.close();
  }
}
