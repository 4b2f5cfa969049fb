import { setTimeout as delay } from "node:timers/promises";
import { assertEquals } from "@std/assert";
import { openPoll } from "../support/doors/poll.ts";
import { openSse } from "../support/doors/sse.ts";
import type { Gong } from "../support/gong.ts";
import { until } from "../support/until.ts";
import { DoorFollower } from "./door_follower.ts";
import { Follower, type Following, readAll } from "./follower.ts";
import { type Acknowledged, persist } from "./kill.ts";

/** Who they are, and where. */
export interface CrowdOptions {
  /** The node that the next one connects to, or publishes at. */
  readonly pick: () => Gong;
  /** Over all channels. */
  readonly subscribers: number;
  readonly channels: number;
  /** Each publishes again as soon as it is answered and has rested. */
  readonly publishers: number;
  /** Rest of a publisher between two publications, in milliseconds. */
  readonly rest: number;
}

/** Milliseconds for what is acknowledged between two blows. */
const WITHIN = 60_000;

/** Subscribers and publishers of a cluster, whatever happens to it. */
export class ClusterCrowd implements Disposable {
  readonly acknowledged = new Map<string, Acknowledged>();
  /** Answered as published before, and refused or not answered at all. */
  repeats = 0;
  unanswered = 0;
  readonly #options: CrowdOptions;
  readonly #channels: readonly string[];
  readonly #following: Following[] = [];
  #publishing: readonly Promise<void>[] = [];
  #ended = false;

  constructor(options: CrowdOptions) {
    this.#options = options;
    this.#channels = Array.from({ length: options.channels }, (_, index) => `c${index}`);
  }

  /** Connects everybody, and begins to publish. */
  async start(): Promise<void> {
    const { subscribers, publishers } = this.#options;
    for (let index = 0; index < subscribers; index++) {
      const channel = this.#channels[index % this.#channels.length]!;
      const follower = this.#follow(index, channel);
      this.#following.push(follower);
      // All at once would be more than a listener has room for.
      if (index % 100 === 99) await follower.isUp();
    }
    await Promise.all(this.#following.map((follower) => follower.isUp()));
    this.#publishing = Array.from({ length: publishers }, (_, publisher) => this.#publish(publisher));
  }

  /** Waits until so many more are acknowledged. */
  async untilMore(count: number): Promise<void> {
    const { acknowledged } = this;
    const before = acknowledged.size;
    await until(() => acknowledged.size >= before + count, () => `${acknowledged.size} acknowledged`, WITHIN);
  }

  /** Publishes no more, and looks whether everything is there, and was heard by everybody, once and in order. */
  async finish(): Promise<string> {
    this.#ended = true;
    await Promise.all(this.#publishing);
    let deliveries = 0;
    for (const channel of this.#channels) {
      const own = [...this.acknowledged].filter(([, position]) => position.channel === channel);
      const top = own.map(([, position]) => position).sort((one, other) => other.offset - one.offset)[0]!;
      assertEquals([...new Set(own.map(([, { epoch }]) => epoch))].length, 1, "one numbering over all of it");
      const kept = await readAll(`${this.#options.pick().ws}/push?format=json`, channel, top);
      assertEquals(kept.map(({ offset }) => offset), kept.map((_, index) => index + 1), "no offset is missing");
      assertEquals(kept.length, own.length, "nothing is there twice, and nothing that was not acknowledged");
      for (const [id, { offset }] of own) {
        assertEquals(kept[offset - 1]!.data, id, `what was acknowledged at ${offset}`);
      }
      for (const follower of this.#following.filter((follower) => follower.channel === channel)) {
        await follower.reaches(top.offset);
        deliveries += follower.deliveries;
        assertEquals(follower.deliveries, top.offset - follower.begun, "every one since it came");
      }
    }
    const resumes = this.#following.reduce((sum, { connections }) => sum + connections - 1, 0);
    return `${this.acknowledged.size} acknowledged and there, once each; ${this.#following.length} subscribers, ` +
      `${resumes} resumes, ${deliveries} deliveries, each offset once and in order; ` +
      `${this.unanswered} tries that were refused or not answered, ${this.repeats} answered as repeats`;
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    for (const follower of this.#following) follower.close();
  }

  /** Of twenty, one by Server-Sent Events, one by polling, all others by the JSON door. */
  #follow(index: number, channel: string): Following {
    const { pick } = this.#options;
    // Each channel has some of each.
    const kind = (index + Math.floor(index / this.#channels.length)) % 20;
    if (kind < 2) return new DoorFollower(kind === 0 ? openSse : openPoll, pick, channel);
    return new Follower(() => `${pick().ws}/push?format=json`, channel);
  }

  async #publish(publisher: number): Promise<void> {
    const { pick, rest } = this.#options;
    for (let n = 0; !this.#ended; n++) {
      const id = `${publisher}-${n}`;
      const channel = this.#channels[n % this.#channels.length]!;
      const position = await persist(() => pick().url, { channel, data: id, id }, () => this.unanswered++);
      if (position.repeated) this.repeats++;
      this.acknowledged.set(id, position);
      await delay(rest);
    }
  }
}
