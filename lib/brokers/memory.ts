import { sizeOf } from "../bytes.ts";
import { GongError } from "../errors.ts";
import type { Announce, Broker, Draft, History, PageLimit, Publication, PublishResult, Start } from "../types.ts";

/** Bounds of what is kept, and what a test replaces. */
export interface MemoryBrokerOptions {
  /** Publications kept a channel. Default 1,000. */
  readonly historyCount?: number;
  /** Bytes kept a channel, data and about 256 each. Default 1 MiB. */
  readonly historyBytes?: number;
  /** Seconds a publication is kept. Default 600. */
  readonly historyAge?: number;
  /** Bytes kept over all channels; past it the channels longest without a publication lose theirs first. Default 64 MiB. */
  readonly historyBudget?: number;
  /** Channels known at once; past it an idle one is forgotten. Default 100,000. */
  readonly maxChannels?: number;
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
  /** A new random epoch. */
  readonly newEpoch?: () => string;
}

interface Channel {
  readonly name: string;
  readonly epoch: string;
  offset: number;
  /** Ascending, without a gap, the last one is `offset`; those before `head` are gone. */
  kept: (Publication | undefined)[];
  /** How many at the front of `kept` are gone already; cut off when they are half of it. */
  head: number;
  bytes: number;
  hosted: boolean;
}

function randomEpoch(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(36).padStart(2, "0")).join("");
}

/** Makes it the last of the set. */
function moveToEnd<T>(set: Set<T>, item: T): void {
  set.delete(item);
  set.add(item);
}

/** Keeps channels in memory: they survive the disconnection of a client, and nothing else. */
export function createMemoryBroker(announce: Announce, options: MemoryBrokerOptions = {}): Broker {
  const { historyCount = 1000, historyBytes = 1 << 20, historyAge = 600, historyBudget = 64 << 20 } = options;
  const { maxChannels = 100_000, now = Date.now, newEpoch = randomEpoch } = options;
  const channels = new Map<string, Channel>();
  // All in the order of use, so that neither the next to be forgotten nor the next to lose history is searched for. Who
  // listens to one name after the other cannot push out what somebody has published.
  const unused = new Set<Channel>();
  const idle = new Set<Channel>();
  const keeping = new Set<Channel>();
  let publications = 0;
  let bytes = 0;

  function dropOldest(channel: Channel): void {
    const size = sizeOf(channel.kept[channel.head]!);
    channel.kept[channel.head++] = undefined;
    channel.bytes -= size;
    bytes -= size;
    publications--;
    if (kept(channel) === 0) keeping.delete(channel);
    if (channel.head * 2 >= channel.kept.length) {
      channel.kept = channel.kept.slice(channel.head);
      channel.head = 0;
    }
  }

  function kept(channel: Channel): number {
    return channel.kept.length - channel.head;
  }

  function expire(channel: Channel): void {
    const oldest = now() - historyAge * 1000;
    while (kept(channel) > 0 && channel.kept[channel.head]!.time < oldest) dropOldest(channel);
  }

  function forgetIdle(): void {
    const [channel] = unused.size > 0 ? unused : idle;
    if (!channel) throw new GongError("overloaded", "There are too many channels.", { retryAfter: 60 });
    while (kept(channel) > 0) dropOldest(channel);
    shelf(channel).delete(channel);
    channels.delete(channel.name);
  }

  /** Where the channel waits to be forgotten, when nobody here listens to it. */
  function shelf(channel: Channel): Set<Channel> {
    return channel.offset === 0 ? unused : idle;
  }

  function open(name: string): Channel {
    let channel = channels.get(name);
    if (!channel) {
      if (channels.size >= maxChannels) forgetIdle();
      channel = { name, epoch: newEpoch(), offset: 0, kept: [], head: 0, bytes: 0, hosted: false };
      channels.set(name, channel);
      unused.add(channel);
    }
    return channel;
  }

  function use(channel: Channel): void {
    if (!channel.hosted) moveToEnd(shelf(channel), channel);
  }

  function store(draft: Draft): Publication {
    const channel = open(draft.channel);
    unused.delete(channel);
    const publication = { ...draft, epoch: channel.epoch, offset: ++channel.offset, time: now() };
    channel.kept.push(publication);
    moveToEnd(keeping, channel);
    use(channel);
    publications++;
    const size = sizeOf(publication);
    channel.bytes += size;
    bytes += size;
    expire(channel);
    while (kept(channel) > historyCount || channel.bytes > historyBytes && kept(channel) > 0) dropOldest(channel);
    return publication;
  }

  function keepBudget(): void {
    for (const channel of keeping) {
      while (bytes > historyBudget && kept(channel) > 0) dropOldest(channel);
      if (bytes <= historyBudget) return;
    }
  }

  /** Opens every channel first, so that an atomic call fails before it numbers anything. */
  function numberAll(drafts: readonly Draft[], atomic: boolean): { results: PublishResult[]; stored: Publication[] } {
    const stored: Publication[] = [];
    try {
      if (atomic) { for (const { channel } of drafts) use(open(channel)); }
    } catch (error) {
      return { results: drafts.map(() => ({ error: GongError.from(error).toRefusal() })), stored };
    }
    const results = drafts.map((draft): PublishResult => {
      try {
        const publication = store(draft);
        stored.push(publication);
        return { epoch: publication.epoch, offset: publication.offset };
      } catch (error) {
        return { error: GongError.from(error).toRefusal() };
      }
    });
    return { results, stored };
  }

  function history(
    channel: Channel,
    start: Start | undefined,
    { count = Infinity, bytes = Infinity }: PageLimit,
  ): History {
    const top = { epoch: channel.epoch, offset: channel.offset };
    if (!start) return { top, publications: [], recovered: true };
    expire(channel);
    const since = "last" in start
      ? { epoch: channel.epoch, offset: channel.offset - Math.min(start.last, kept(channel)) }
      : start;
    const missed = channel.offset - since.offset;
    if (since.epoch !== channel.epoch || missed < 0 || missed > kept(channel)) {
      return { top, publications: [], recovered: false };
    }
    const from = channel.kept.length - missed;
    const publications: Publication[] = [];
    let sum = 0;
    for (const publication of channel.kept.slice(from) as Publication[]) {
      sum += sizeOf(publication);
      if (publications.length >= count || publications.length > 0 && sum > bytes) break;
      publications.push(publication);
    }
    return { top, from: since, publications, recovered: true };
  }

  return {
    capabilities: { atomic: true, survives: "disconnection" },
    // deno-lint-ignore require-await -- so that a throw becomes a rejection
    async publish(drafts, { atomic = false } = {}) {
      const { results, stored } = numberAll(drafts, atomic);
      keepBudget();
      if (stored.length > 0) announce(stored);
      return results;
    },
    // deno-lint-ignore require-await
    async read(name, start, limit = {}) {
      return history(open(name), start, limit);
    },
    // deno-lint-ignore require-await
    async subscribe(name) {
      const channel = open(name);
      channel.hosted = true;
      shelf(channel).delete(channel);
    },
    // deno-lint-ignore require-await
    async unsubscribe(name) {
      const channel = channels.get(name);
      if (!channel) return;
      channel.hosted = false;
      shelf(channel).add(channel);
    },
    stats: () => ({ channels: channels.size, publications, bytes }),
    close: () => Promise.resolve(),
  };
}
