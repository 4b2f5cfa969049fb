import { sizeOf } from "../bytes.ts";
import type { Announce, Broker, PageLimit, Publication, RecordChange } from "../types.ts";
import { toPlace } from "./ledger/content.ts";
import { Deadlines } from "../deadlines.ts";
import { Ledger, type LedgerOptions } from "./ledger.ts";
import { MemoryQueues } from "./memory/queues.ts";
import type { Channel, Freed, KeptChannel, KnownId, Store, Weight } from "./ledger/store.ts";

interface Shelf {
  /** Ascending, without a gap. Those before `head` are gone; they are cut off when they are half of it. */
  publications: (Publication | undefined)[];
  head: number;
  /** Offset of the first of `publications`, whether it is gone or not. */
  base: number;
  /** The oldest first. */
  readonly ids: Map<string, KnownId>;
  /** Its oldest id is awaited. */
  isRemembering: boolean;
}

/** Keeps channels in memory: they survive the disconnection of a client, and nothing else. */
export function createMemoryBroker(announce: Announce, options: LedgerOptions = {}): Broker {
  const capabilities = { atomic: true, queues: true, survives: "disconnection" } as const;
  return new Ledger(new MemoryStore(), announce, capabilities, options);
}

class MemoryStore implements Store {
  readonly isLasting = false;
  readonly queues = new MemoryQueues();
  readonly #shelves = new Map<Channel, Shelf>();
  readonly #records = new Map<string, string>();
  readonly #expiring = new Deadlines<{ channel: Channel; offset: number }>(({ channel, offset }) => {
    return this.#shelves.has(channel) && offset >= channel.first;
  });
  readonly #remembering = new Deadlines<Channel>((channel) => this.#shelves.has(channel));

  load(): Iterable<KeptChannel> {
    return [];
  }

  append(channel: Channel, publication: Publication, _bytes: number, expires: number | undefined): void {
    const { offset } = publication;
    const shelf = this.#open(channel);
    // Behind one that is not kept nothing is left.
    if (offset !== shelf.base + shelf.publications.length) {
      Object.assign(shelf, { publications: [], base: offset, head: 0 });
    }
    shelf.publications.push(publication);
    if (expires !== undefined) this.#expiring.add(expires, { channel, offset });
  }

  save(channel: Channel): void {
    const shelf = this.#shelves.get(channel);
    if (!shelf) return;
    const gone = Math.min(channel.first - shelf.base, shelf.publications.length);
    while (shelf.head < gone) shelf.publications[shelf.head++] = undefined;
    if (shelf.head === 0 || shelf.head * 2 < shelf.publications.length) return;
    shelf.publications = shelf.publications.slice(shelf.head);
    shelf.base += shelf.head;
    shelf.head = 0;
  }

  forget(channel: Channel): void {
    this.#shelves.delete(channel);
  }

  weigh(channel: Channel, offset: number): Weight {
    const { publications, base } = this.#shelves.get(channel)!;
    const publication = publications[offset - base]!;
    return { time: publication.time, bytes: sizeOf(publication) };
  }

  read(channel: Channel, first: number, { count = Infinity, bytes = Infinity }: PageLimit): Publication[] {
    const shelf = this.#shelves.get(channel);
    if (!shelf) return [];
    const from = first - shelf.base;
    const page = shelf.publications.slice(from, from + count) as Publication[];
    if (bytes === Infinity) return page;
    let size = 0;
    const end = page.findIndex((publication, index) => (size += sizeOf(publication)) > bytes && index > 0);
    return end < 0 ? page : page.slice(0, end);
  }

  *expire(now: number, most: number): Iterable<Freed & { offset: number }> {
    for (let looked = 0; looked < most; looked++) {
      const due = this.#expiring.take(now);
      if (!due) return;
      const { channel, offset } = due;
      const shelf = this.#shelves.get(channel);
      // Whoever asks for so many goes on asking until there are fewer.
      if (!shelf || offset < channel.first) {
        looked--;
        continue;
      }
      const publication = shelf.publications[offset - shelf.base]!;
      const place = toPlace(publication);
      shelf.publications[offset - shelf.base] = place;
      yield { name: channel.name, offset, bytes: sizeOf(publication) - sizeOf(place) };
    }
  }

  findId(channel: Channel, publisher: string, id: string): KnownId | undefined {
    return this.#shelves.get(channel)?.ids.get(keyOf(publisher, id));
  }

  addId(channel: Channel, known: KnownId): void {
    const shelf = this.#open(channel);
    shelf.ids.set(keyOf(known.publisher, known.id), known);
    if (!shelf.isRemembering) this.#remembering.add(known.time, channel);
    shelf.isRemembering = true;
  }

  dropId(channel: Channel, { publisher, id }: KnownId): void {
    this.#shelves.get(channel)!.ids.delete(keyOf(publisher, id));
  }

  *expireIds(time: number, most: number): Iterable<Freed> {
    for (let left = most; left > 0;) {
      const channel = this.#remembering.take(time - 1);
      if (!channel) return;
      const shelf = this.#shelves.get(channel);
      if (!shelf) continue;
      let bytes = 0;
      shelf.isRemembering = false;
      for (const [key, known] of shelf.ids) {
        if (known.time >= time || left-- <= 0) {
          this.#remembering.add(known.time, channel);
          shelf.isRemembering = true;
          break;
        }
        shelf.ids.delete(key);
        bytes += known.bytes;
      }
      if (bytes > 0) yield { name: channel.name, bytes };
      left--;
    }
  }

  records(prefix: string): Map<string, string> {
    return new Map([...this.#records].filter(([key]) => key.startsWith(prefix)));
  }

  changeRecord({ key, value }: RecordChange): void {
    if (value === undefined) this.#records.delete(key);
    else this.#records.set(key, value);
  }

  commit(): void {}

  rollback(): void {}

  close(): void {}

  #open(channel: Channel): Shelf {
    let shelf = this.#shelves.get(channel);
    if (!shelf) {
      shelf = { publications: [], head: 0, base: channel.first, ids: new Map(), isRemembering: false };
      this.#shelves.set(channel, shelf);
    }
    return shelf;
  }
}

/** Different for different pairs, whatever is in them. */
function keyOf(publisher: string, id: string): string {
  return `${publisher.length}:${publisher}${id}`;
}
