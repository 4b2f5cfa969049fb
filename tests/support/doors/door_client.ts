/**
 * A client of any door: what it was told, where it stands, and how it ended.
 *
 * @module
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Position } from "../../../lib/types.ts";
import {
  type End,
  formatCursor,
  type Heard,
  type Item,
  type OpenWire,
  parseCursor,
  type Place,
  type Wire,
  type Wish,
} from "./wire.ts";

/** How long anything may take to come, in milliseconds. */
const PATIENCE = 15_000;
/** Items of which a failure tells. */
const STORY = 8;

/** One client. It reads when it is asked for something, and no sooner. */
export class DoorClient implements AsyncDisposable {
  /** Id of its session, where the wire tells it. */
  session: string | undefined;
  /** Whose it is, where the wire tells it. */
  user: string | undefined;
  /** Channels of which it was told that something is lost, and where they stand now. */
  readonly lost = new Map<string, Position>();
  /** Every word about a subscription so far, in order. */
  readonly subscribed: Extract<Item, { kind: "subscribed" }>[] = [];
  readonly #wire: Wire;
  #positions = new Map<string, Position>();
  /** Read, but not taken. */
  readonly #ahead: Item[] = [];
  readonly #story: string[] = [];
  #end: End | undefined;
  #cursor: string | undefined;

  private constructor(wire: Wire, { channels, since }: Wish) {
    this.#wire = wire;
    // Until it is told more of a channel, it stands there where it was.
    if (since !== undefined) this.#positions = parseCursor(since, channels[0]);
  }

  /**
   * Connects, and waits until everything is subscribed, as far as the wire tells.
   *
   * @throws {Refused} when the server does not take it
   */
  static async open(open: OpenWire, gong: Place, wish: Wish): Promise<DoorClient> {
    const client = new DoorClient(await open(gong, wish), wish);
    try {
      for (;;) {
        const item = await client.#read();
        client.#ahead.push(item);
        if (item.kind === "ready" || item.kind === "end") return client;
      }
    } catch (error) {
      client.drop();
      throw error;
    }
  }

  /** What it has to give as `since` to go on after what it has taken; of a wire that tells no position, nothing. */
  get cursor(): string | undefined {
    while (this.#ahead.length > 0 && !["publication", "end"].includes(this.#ahead[0]!.kind)) {
      this.#apply(this.#ahead.shift()!);
    }
    if (this.#wire.positions === false) return undefined;
    return this.#cursor ?? (this.#positions.size > 0 ? formatCursor(this.#positions) : undefined);
  }

  /** Whether nothing was lost, as far as it was told. */
  get recovered(): boolean {
    return this.lost.size === 0;
  }

  /**
   * The next publication.
   *
   * @throws when the connection ends first, or nothing comes for `within` milliseconds
   */
  async next(within = PATIENCE): Promise<Heard> {
    for (;;) {
      const item = await this.#take(within);
      if (item.kind === "publication") return item.heard;
      if (item.kind === "end") throw new Error(`the connection ended with ${JSON.stringify(item.end)}`);
    }
  }

  /** So many publications. */
  async take(count: number, within?: number): Promise<Heard[]> {
    const heard: Heard[] = [];
    while (heard.length < count) heard.push(await this.next(within));
    return heard;
  }

  /** The next item of this kind; what comes before it is taken too. */
  async until<K extends Item["kind"]>(kind: K): Promise<Extract<Item, { kind: K }>> {
    return await this.either(kind);
  }

  /** The next item of one of these kinds. */
  async either<K extends Item["kind"]>(...kinds: readonly K[]): Promise<Extract<Item, { kind: K }>> {
    for (;;) {
      const item = await this.#take(PATIENCE);
      if (kinds.includes(item.kind as K)) return item as Extract<Item, { kind: K }>;
      if (item.kind === "end") throw new Error(`the connection ended with ${JSON.stringify(item.end)}`);
    }
  }

  /** How the server ends it; publications before that are passed over. */
  async end(within = PATIENCE): Promise<End> {
    for (;;) {
      const item = await this.#take(within);
      if (item.kind === "end") return item.end;
    }
  }

  /** Publishes a text, by a door that can. */
  async publish(channel: string, text: string): Promise<void> {
    if (!this.#wire.publish) throw new Error("nothing can be published by this door");
    await this.#wire.publish(channel, text);
  }

  /** Ends the TCP connection without a word. */
  drop(): void {
    this.#wire.drop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.drop();
    // What waits for more is told that nothing comes; a test that failed in the middle of it does not wait for that.
    await Promise.race([this.#wire.items.return?.(), delay(1000, undefined, { ref: false })]);
  }

  async #take(within: number): Promise<Item> {
    const item = this.#ahead.shift() ?? await this.#read(within);
    this.#apply(item);
    return item;
  }

  async #read(within = PATIENCE): Promise<Item> {
    if (this.#end) return { kind: "end", end: this.#end };
    const { promise: silence, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      this.drop();
      reject(new Error(`nothing came within ${within} ms, after ${this.#story.join(" ") || "nothing"}`));
    }, within);
    try {
      const { value, done } = await Promise.race([this.#wire.items.next(), silence]);
      const item: Item = done ? { kind: "end", end: { code: "vanished" } } : value;
      this.#note(item);
      return item;
    } finally {
      clearTimeout(timer);
    }
  }

  /** What is true as soon as it was read. */
  #note(item: Item): void {
    this.#story.push(JSON.stringify(item).slice(0, 200));
    if (this.#story.length > STORY) this.#story.shift();
    if (item.kind === "welcome") [this.session, this.user] = [item.session, item.user];
    if (item.kind === "end") this.#end = item.end;
    if (item.kind !== "subscribed") return;
    this.subscribed.push(item);
    if (!item.recovered) this.lost.set(item.channel, item.position);
  }

  /** Where it stands after this. */
  #apply(item: Item): void {
    if (item.kind === "subscribed") this.#positions.set(item.channel, item.position);
    if (item.kind === "unsubscribed") this.#positions.delete(item.channel);
    if (item.kind === "cursor") this.#stand(item.cursor);
    if (item.kind !== "publication") return;
    const { channel, position } = item.heard;
    if (channel !== undefined && position !== undefined) this.#positions.set(channel, position);
    if (item.cursor !== undefined) this.#stand(item.cursor);
    else this.#cursor = undefined;
  }

  #stand(cursor: string): void {
    this.#cursor = cursor;
    this.#positions = parseCursor(cursor);
  }
}
