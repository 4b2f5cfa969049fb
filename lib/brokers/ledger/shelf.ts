/**
 * Channels that nobody listens to, in the order in which they are forgotten.
 *
 * @module
 */
import type { Channel } from "./store.ts";

/**
 * Idle channels, the longest unused first, so that the next to go is never searched for. Those that nobody has published
 * to go first: who listens to one name after the other cannot push out what somebody has published.
 */
export class Shelf {
  readonly #unused = new Set<Channel>();
  readonly #used = new Set<Channel>();
  /** Those of the used ones that hold bytes. */
  readonly #holding = new Set<Channel>();

  /** The channel was used, or its figures have changed: it is the last to go. One that is hosted is not idle. */
  put(channel: Channel): void {
    this.remove(channel);
    if (channel.hosted) return;
    if (channel.offset === 0) return void this.#unused.add(channel);
    this.#used.add(channel);
    if (channel.bytes + channel.idBytes > 0) this.#holding.add(channel);
  }

  remove(channel: Channel): void {
    this.#unused.delete(channel);
    this.#used.delete(channel);
    this.#holding.delete(channel);
  }

  /** It holds nothing any more. */
  empty(channel: Channel): void {
    this.#holding.delete(channel);
  }

  /** The next to go, to have one channel less; those of `spared` are the last of all. */
  next(spared: ReadonlySet<Channel>): Channel | undefined {
    return firstOf(this.#unused, spared) ?? firstOf(this.#used, spared);
  }

  /** The next to go, to have room. */
  nextHolding(spared: ReadonlySet<Channel>): Channel | undefined {
    return firstOf(this.#holding, spared);
  }
}

/** Who is spared was just used, so behind the first one of them there are only others of them. */
function firstOf(channels: ReadonlySet<Channel>, spared: ReadonlySet<Channel>): Channel | undefined {
  for (const channel of channels) return spared.has(channel) ? undefined : channel;
  return undefined;
}
