/**
 * Which edges host which channels, and what they are told of them.
 *
 * @module
 */
import { sizeOf } from "../bytes.ts";
import { type PackedHistory, packHistory } from "../codecs/page.ts";
import type { Logger } from "../log.ts";
import type { HubMethods } from "../methods.ts";
import { Multimap } from "../multimap.ts";
import { ADMIN_CHANNEL } from "../reserved.ts";
import type { Broker, History, PageLimit, Position, Publication, Start } from "../types.ts";

type Order<M extends keyof HubMethods> = Parameters<HubMethods[M]>[0];

/** What {@linkcode Channels} are made of. */
export interface ChannelsOptions {
  readonly broker: Pick<Broker, "read" | "subscribe" | "unsubscribe">;
  /** What was announced of the channel since the batch of that number, as far as it is still held. */
  readonly unseen: (channel: string, after: number) => readonly Publication[];
  readonly announce: (publications: readonly Publication[]) => void;
  readonly log: Pick<Logger, "error">;
}

/** The channels that edges host. */
export class Channels {
  readonly #options: ChannelsOptions;
  /** Edges by the channels that they host. */
  readonly #hosts = new Multimap<string, number>();
  /** Where the admin page's feed stands. */
  readonly #feed = { epoch: crypto.randomUUID(), offset: 0 };

  constructor(options: ChannelsOptions) {
    this.#options = options;
  }

  /** Channels that some edge hosts. */
  get size(): number {
    return this.#hosts.size;
  }

  /** Whether an edge hosts the channel: somebody may be listening. */
  has(channel: string): boolean {
    return this.#hosts.has(channel);
  }

  /** As {@linkcode HubMethods.subscribe}. */
  async host(edge: number, { channel, start, after, limit, moved }: Order<"subscribe">): Promise<PackedHistory> {
    this.#hosts.add(channel, edge);
    if (channel === ADMIN_CHANNEL) return packHistory(this.#readFeed(start));
    // When it fails, the edge says whether it still hosts the channel for others.
    await this.#options.broker.subscribe(channel);
    const history = await this.#options.broker.read(channel, start, limit);
    if (!start) return packHistory(this.#withUnseen(channel, history, after));
    if (!moved || !("offset" in start)) return packHistory(history);
    return packHistory(this.#withLive(channel, history, { start, after, limit }));
  }

  unhost(edge: number, channel: string): void {
    if (!this.#hosts.delete(channel, edge) || this.#hosts.has(channel)) return;
    void this.#options.broker.unsubscribe(channel).catch((error) => {
      this.#options.log.error("broker.fault", { error: String(error) });
    });
  }

  /** The edge is gone. */
  unhostAll(edge: number): void {
    for (const channel of [...this.#hosts.keys()]) this.unhost(edge, channel);
  }

  /** Reads a channel that need not be hosted. */
  async read({ channel, start, limit }: Order<"history">): Promise<PackedHistory> {
    if (channel === ADMIN_CHANNEL) return packHistory(this.#readFeed(start));
    return packHistory(await this.#options.broker.read(channel, start, limit));
  }

  /** Publishes to the admin page's feed: numbered, not stored. */
  feed(data: string): void {
    const { epoch } = this.#feed;
    const offset = ++this.#feed.offset;
    const contentType = "application/json";
    this.#options.announce([{ channel: ADMIN_CHANNEL, epoch, offset, time: Date.now(), data, contentType }]);
  }

  /** The feed keeps nothing. */
  #readFeed(start: Start | undefined): History {
    const top = { ...this.#feed };
    const recovered = !start || "last" in start || start.epoch === top.epoch && start.offset === top.offset;
    return { top, publications: [], recovered };
  }

  /**
   * Adds what an edge that has seen the batches up to `after` does not know of the channel: as far as that leads to the
   * top without a gap. Of a channel that nobody listened to, only what this node publishes was announced.
   */
  #withUnseen(channel: string, history: History, after: number): History {
    const { epoch, offset } = history.top;
    // Most who come ask for a channel of their own: what others are told is not gone through for that.
    if (offset === 0) return history;
    const unseen = this.#options.unseen(channel, after)
      .filter((publication) => publication.epoch === epoch && publication.offset <= offset);
    let first = unseen.length;
    while (first > 0 && unseen[first - 1]!.offset === offset - (unseen.length - first)) first--;
    const publications = unseen.slice(first);
    if (publications.length === 0) return history;
    return { ...history, publications, from: { epoch, offset: publications[0]!.offset - 1 } };
  }

  /**
   * For who was listening all the time: what was announced, whether it is kept or not; where that is not all there any
   * more, what is kept.
   */
  #withLive(
    channel: string,
    history: History,
    { start, after, limit }: { readonly start: Position; readonly after: number; readonly limit: PageLimit },
  ): History {
    const { top } = history;
    if (start.epoch !== top.epoch || start.offset >= top.offset) return history;
    const live = this.#options.unseen(channel, after)
      .filter(({ epoch, offset }) => epoch === top.epoch && offset > start.offset && offset <= top.offset);
    if (live.length === top.offset - start.offset) {
      return { top, recovered: true, publications: pageOf(live, limit) };
    }
    const byOffset = new Map(live.map((publication) => [publication.offset, publication]));
    const publications = history.publications.map((kept) => kept.expired ? byOffset.get(kept.offset) ?? kept : kept);
    return { ...history, publications };
  }
}

/** The first of them, as much as the limit allows; one, whatever its size. */
function pageOf(
  publications: readonly Publication[],
  { count = Infinity, bytes = Infinity }: PageLimit,
): Publication[] {
  let size = 0;
  const end = publications.findIndex((publication, index) => {
    size += sizeOf(publication);
    return index > 0 && (index >= count || size > bytes);
  });
  return publications.slice(0, end < 0 ? publications.length : end);
}
