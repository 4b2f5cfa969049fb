/**
 * What the broker announces, on its way to the edges: the publications of one turn leave as batches of a size that an edge
 * can deliver in one turn, and edges that lag are told so.
 *
 * @module
 */
import { allocateBatch, type BusSender } from "../bus.ts";
import { sizeOf } from "../bytes.ts";
import { decodeBatch, encodeBatch } from "../codecs/batch.ts";
import type { Turn } from "../turn.ts";
import type { Publication } from "../types.ts";

/**
 * How often the bus is looked at for silence while an edge lags, in milliseconds: a batch that was dropped and followed by
 * none is found within twice that. Looking, rather than a timer that each batch winds up again, costs a busy hub less.
 */
const SILENCE = 200;

/** What an {@linkcode Announcer} is made of. */
export interface AnnouncerOptions {
  readonly bus: BusSender;
  /** The isolate's. */
  readonly turn: Turn;
  /** Bytes that go into one batch. */
  readonly batch: number;
  /** Tells an edge the number of the newest batch. */
  readonly remind: (edge: number, last: number) => void;
}

/** The way from the broker to the bus. */
export class Announcer {
  readonly #options: AnnouncerOptions;
  #pending: Publication[] = [];
  #born = 0;
  #reminder: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
  }

  announce(publications: readonly Publication[]): void {
    if (this.#pending.length === 0) {
      this.#born = performance.timeOrigin + performance.now();
      this.#options.turn.leave(() => this.#flush());
    }
    for (const publication of publications) this.#pending.push(publication);
  }

  /** What has been announced of the channel since the batch of number `after`, as far as it is still held. */
  unseen(channel: string, after: number): Publication[] {
    const unseen: Publication[] = [];
    const wants = (name: string) => name === channel;
    for (const batch of this.#options.bus.replay(after + 1).batches) decodeBatch(batch, wants, unseen);
    for (const publication of this.#pending) if (publication.channel === channel) unseen.push(publication);
    return unseen;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#reminder);
  }

  #flush(): void {
    if (this.#closed) return;
    const publications = this.#pending;
    this.#pending = [];
    let start = 0;
    let bytes = 0;
    for (let end = 0; end < publications.length; end++) {
      const size = sizeOf(publications[end]!);
      if (bytes > 0 && bytes + size > this.#options.batch) {
        this.#send(publications.slice(start, end));
        start = end;
        bytes = 0;
      }
      bytes += size;
    }
    this.#send(start === 0 ? publications : publications.slice(start));
    this.#awaitSilence();
  }

  #send(publications: readonly Publication[]): void {
    this.#options.bus.send((number) => encodeBatch(number, this.#born, publications, allocateBatch));
  }

  /** A busy bus has no silence, and its edges find what is missing by what follows. */
  #awaitSilence(): void {
    const { bus } = this.#options;
    const { last } = bus;
    this.#reminder ??= setTimeout(() => {
      this.#reminder = undefined;
      if (bus.last === last) this.#remind();
      else this.#awaitSilence();
    }, SILENCE);
  }

  /** Whoever lags is told the newest number, until all have it. */
  #remind(): void {
    const { bus, remind } = this.#options;
    const behind = bus.behind();
    for (const edge of behind) remind(edge, bus.last);
    if (behind.length > 0) this.#awaitSilence();
  }
}
