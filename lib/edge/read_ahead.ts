/**
 * Pages of a resume on their way while the one before is written: the hub reads and the edge encodes at the same time.
 *
 * @module
 */
import type { HistoryRequest } from "../methods.ts";
import type { History } from "../types.ts";
import { isAmid, type ReadRequest } from "./hosting.ts";

/** How long one may wait, in milliseconds. */
const FRESH = 1000;

/** A read as `HostingOptions.read` has it. */
type Read = (request: ReadRequest, begin: () => boolean, isUrgent?: boolean) => Promise<History>;

/** What a {@linkcode ReadAhead} is made of. */
export interface ReadAheadOptions {
  /** Hosts the channel and reads. */
  readonly read: Read;
  /** Only reads. */
  readonly peek: (request: HistoryRequest) => Promise<History>;
  /** Bytes that pages which nobody has asked for may have; past it there are no more of them. */
  readonly most: number;
  /** Whether there is room for a read that nobody has asked for; it counts like any other then. */
  readonly mayPeek: () => boolean;
  /** Milliseconds; only differences count. Default `performance.now`. */
  readonly now?: () => number;
}

interface Page {
  readonly history: Promise<History | undefined>;
  /** What it has at most. */
  readonly bytes: number;
  readonly asked: number;
}

/**
 * Reads the page after each that is not the last. What lies between two offsets does not change, so that such a page is
 * as good as one that is read later, but for the last: it says where the channel stands now, and is read then.
 */
export class ReadAhead {
  readonly #options: ReadAheadOptions;
  readonly #now: () => number;
  /** In the order of asking. */
  readonly #pages = new Map<string, Page>();
  #bytes = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: ReadAheadOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** What is not there is asked for at once: nothing that is said to the hub later may overtake it. */
  async read(request: ReadRequest, begin: () => boolean, isUrgent?: boolean): Promise<History> {
    const page = this.#take(request);
    const ahead = page && await page.history;
    const history = ahead && isAmid(ahead) ? ahead : await this.#options.read(request, begin, isUrgent);
    if (request.start && isAmid(history)) this.#begin({ ...request, start: request.start }, history);
    return history;
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #take(request: ReadRequest): Page | undefined {
    const key = keyOf(request);
    const page = this.#pages.get(key);
    if (page) this.#drop(key, page);
    return page && this.#now() - page.asked <= FRESH ? page : undefined;
  }

  /** Reads what follows the page, unless it is there already. */
  #begin({ channel, limit }: HistoryRequest, { publications }: History): void {
    const { epoch, offset } = publications.at(-1)!;
    const next = { channel, start: { epoch, offset }, limit };
    const key = keyOf(next);
    const { bytes = Infinity } = limit;
    if (this.#pages.has(key) || this.#bytes + bytes > this.#options.most || !this.#options.mayPeek()) return;
    this.#bytes += bytes;
    const history = this.#options.peek(next).catch(() => undefined);
    this.#pages.set(key, { history, bytes, asked: this.#now() });
    this.#timer ??= setTimeout(() => this.#tidy(), FRESH);
  }

  #drop(key: string, { bytes }: Page): void {
    this.#pages.delete(key);
    this.#bytes -= bytes;
  }

  /** Nobody came for what is old by now. */
  #tidy(): void {
    this.#timer = undefined;
    for (const [key, page] of this.#pages) if (this.#now() - page.asked > FRESH) this.#drop(key, page);
    if (this.#pages.size > 0) this.#timer = setTimeout(() => this.#tidy(), FRESH);
  }
}

function keyOf({ channel, start, limit }: Pick<ReadRequest, "channel" | "start" | "limit">): string {
  return JSON.stringify([channel, start, limit]);
}
