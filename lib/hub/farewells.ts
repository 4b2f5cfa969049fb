/**
 * The leaving of sessions whose node is gone, published where a rule has `presence=joins`. Every other node does that, under
 * the same ids: one of them is heard.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { encodeMovement } from "../codecs/presence.ts";
import { type ErrorCode, ERRORS } from "../errors.ts";
import { startTimer, type Timer } from "../timer.ts";
import type { Draft, PageRequest, PresencePage, Present, PublishResult } from "../types.ts";

/** What {@linkcode Farewells} ask. */
export interface FarewellsOptions {
  /** Where the channel's joining and leaving is published; undefined, it is not. */
  readonly nameOf: (channel: string) => string | undefined;
  readonly page: (channel: string, page: PageRequest) => PresencePage;
  readonly publish: (draft: Draft) => Promise<PublishResult>;
  /** Bytes of one publication. */
  readonly bytes: number;
  /** Milliseconds; only differences count. Default `performance.now`. */
  readonly now?: () => number;
  /** Default `setTimeout`. */
  readonly timer?: Timer;
}

/** Entries in one publication. */
const MOST = 100;
/** Bits of a digest. */
const MOST_BITS = 256;
/** Publications that are under way at once. */
const AT_ONCE = 100;
/** How long one that was not taken waits, in milliseconds. */
const RETRY = 1000;
/** How long it is tried, in milliseconds: for less long than ids are remembered, which is five minutes. */
const PATIENCE = 240_000;
/** Who publishes for a node that is gone. */
const GONE = "$gone";

/** One publication that has to be made. */
interface Farewell {
  readonly node: number;
  readonly channel: string;
  /** Where it is published. */
  readonly name: string;
  readonly id: string;
  readonly left: readonly Present[];
  readonly since: number;
}

/** What has to be said for nodes that cannot. */
export class Farewells {
  readonly #options: FarewellsOptions;
  readonly #now: () => number;
  readonly #timer: Timer;
  /** Those that nobody has taken yet; also those that are under way. */
  readonly #due = new Set<Farewell>();
  #isBusy = false;
  #isClosed = false;
  #stopTimer: () => void = () => {};

  constructor(options: FarewellsOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#timer = options.timer ?? startTimer;
  }

  /** @param left who has left with the node, by channel */
  say(node: number, run: string, left: ReadonlyMap<string, readonly Present[]>): void {
    const since = this.#now();
    for (const [channel, present] of left) {
      const name = this.#options.nameOf(channel);
      if (name === undefined) continue;
      const sorted = [...present].sort((one, other) => one.session < other.session ? -1 : 1);
      for (const [part, left] of split(sorted)) {
        const id = digest(`${run} ${channel} ${part}`).toString("base64url");
        this.#due.add({ node, channel, name, id, left, since });
      }
    }
    void this.#publishAll();
  }

  /** The node is there again, and says itself who is there: what was not said yet is not so. */
  returned(node: number): void {
    for (const farewell of this.#due) if (farewell.node === node) this.#due.delete(farewell);
  }

  close(): void {
    this.#isClosed = true;
    this.#stopTimer();
  }

  async #publishAll(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    this.#stopTimer();
    let some: Farewell[] = [];
    // Also what comes meanwhile.
    for (const farewell of this.#due) {
      some.push(farewell);
      if (some.length < AT_ONCE) continue;
      await Promise.all(some.map((farewell) => this.#publish(farewell)));
      some = [];
    }
    await Promise.all(some.map((farewell) => this.#publish(farewell)));
    this.#isBusy = false;
    if (this.#due.size > 0 && !this.#isClosed) this.#stopTimer = this.#timer(RETRY, () => void this.#publishAll());
  }

  /** One that is refused stays due; `conflict` is what another node has said in other words. */
  async #publish(farewell: Farewell): Promise<void> {
    const { page, publish, bytes } = this.#options;
    const { channel, name, id, left, since } = farewell;
    if (this.#due.has(farewell) && !this.#isClosed) {
      const { count, users } = page(channel, { limit: 0 });
      const data = encodeMovement({ count, users, joined: [], left }, MOST, bytes);
      const result = await publish({ channel: name, data, contentType: "application/json", id, publisher: GONE });
      const isRefused = "error" in result && ERRORS[result.error.code as ErrorCode]?.retry;
      if (isRefused && this.#now() - since < PATIENCE) return;
    }
    this.#due.delete(farewell);
  }
}

/**
 * Parts that are small enough, by bits of their sessions' digests: of two nodes that do not know quite the same of a third
 * one, one may split what the other does not, or a part has one session more; so one may be told of twice, but none is
 * between the parts.
 */
function* split(present: readonly Present[], part = ""): Generator<[part: string, present: readonly Present[]]> {
  if (present.length <= MOST || part.length === MOST_BITS) return yield [part, present];
  const isSet = ({ session }: Present) => digest(session)[part.length >> 3]! >> (part.length & 7) & 1;
  yield* split(present.filter((one) => !isSet(one)), `${part}0`);
  yield* split(present.filter(isSet), `${part}1`);
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
