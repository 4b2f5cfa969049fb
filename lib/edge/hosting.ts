/**
 * The channels that an edge hosts: where each one stands, and how those who come later join history and live. Answers of
 * the hub overtake what the bus brings, so whoever joins first holds what comes live, then reads, then gets the one
 * after the other; each offset once, in ascending order.
 *
 * @module
 */
import { GongError } from "../errors.ts";
import type { History, Position, Publication } from "../types.ts";

/** What a {@linkcode Hosting} asks and tells. */
export interface HostingOptions {
  /**
   * Hosts the channel from now on; history after `since` and top of one instant. Without `since`, with what was announced
   * after the batch of number `after`.
   */
  readonly read: (channel: string, since: Position | undefined, after: number) => Promise<History>;
  /** Number of the last batch that the bus has brought. */
  readonly seen: () => number;
  /** Nobody here listens to the channel any more. */
  readonly release: (channel: string) => void;
  /** The next publications for all who listen, in order. */
  readonly live: (publications: readonly Publication[]) => void;
  /** What all who listen have missed up to this position is gone for good. */
  readonly lost: (channel: string, position: Position) => void;
  /** Whether anybody listens to the channel, beside those who are about to. */
  readonly isHeard: (channel: string) => boolean;
  /** How long to wait before a failed repair is tried again, in milliseconds. Default 100. */
  readonly retry?: number;
}

/** Somebody who wants to hear a channel. One of the two is called, once, unless it is cancelled before. */
export interface Joiner {
  /** It stands at `position`, `missed` follows, then it hears what is live. */
  joined(position: Position, recovered: boolean, missed: readonly Publication[]): void;
  failed(error: GongError): void;
}

/** From where on something is read: a position, or what the bus had brought. */
interface Start {
  readonly since: Position | undefined;
  readonly after: number;
}

/** A join that is under way; `after` is where the bus was when it came, however often the hub has to be asked. */
interface Joining extends Start {
  readonly joiner: Joiner;
  /** What the bus brought since the hub was asked. */
  held: Publication[];
  /** What the hub answered. */
  read: Reading | undefined;
  /** Counts the times that it was asked; an answer to an earlier question is void. */
  round: number;
}

interface Reading {
  /** Where `publications` begin. */
  readonly start: Position;
  readonly top: Position;
  readonly publications: readonly Publication[];
  readonly recovered: boolean;
}

interface Hosted {
  readonly channel: string;
  /** Where those who listen stand; unknown until the first answer. */
  position: Position | undefined;
  /** While what was lost is read again: what came live in the meantime. */
  repairing: Publication[] | undefined;
  readonly joinings: Set<Joining>;
}

/** All channels of an edge. */
export class Hosting {
  readonly #options: HostingOptions;
  readonly #hosted = new Map<string, Hosted>();
  #live: Publication[] = [];

  constructor(options: HostingOptions) {
    this.#options = options;
  }

  /** Whether publications of the channel are wanted. */
  has(channel: string): boolean {
    return this.#hosted.has(channel);
  }

  /** Where those who listen to the channel stand. */
  position(channel: string): Position | undefined {
    return this.#hosted.get(channel)?.position;
  }

  /** Joins; answers at once when nothing was missed and the channel is known. Returns how to cancel. */
  join(channel: string, since: Position | undefined, joiner: Joiner): () => void {
    const hosted = this.#open(channel);
    if (!since && hosted.position) {
      joiner.joined(hosted.position, true, []);
      return () => {};
    }
    const joining: Joining = { joiner, since, after: this.#options.seen(), held: [], read: undefined, round: 0 };
    hosted.joinings.add(joining);
    void this.#ask(hosted, joining);
    return () => {
      if (hosted.joinings.delete(joining)) this.releaseUnheard(channel);
    };
  }

  /** Gives the channel up if nobody listens to it or is about to. */
  releaseUnheard(channel: string): void {
    const hosted = this.#hosted.get(channel);
    if (!hosted || hosted.joinings.size > 0 || this.#options.isHeard(channel)) return;
    this.#hosted.delete(channel);
    this.#options.release(channel);
  }

  /** Takes what the bus brought, in its order. */
  receive(publications: readonly Publication[]): void {
    const joined = new Set<Hosted>();
    for (const publication of publications) {
      const hosted = this.#hosted.get(publication.channel);
      if (!hosted) continue;
      for (const joining of hosted.joinings) joining.held.push(publication);
      if (hosted.joinings.size > 0) joined.add(hosted);
      this.#accept(hosted, publication);
    }
    this.#flush();
    for (const hosted of joined) this.#completeAll(hosted);
  }

  /** The bus has lost something, nobody knows what: every channel is read again from where it stands. */
  repairAll(): void {
    for (const hosted of this.#hosted.values()) {
      if (hosted.position) this.#repair(hosted, hosted.position);
      else for (const joining of hosted.joinings) void this.#ask(hosted, joining);
    }
  }

  #open(channel: string): Hosted {
    let hosted = this.#hosted.get(channel);
    if (!hosted) {
      hosted = { channel, position: undefined, repairing: undefined, joinings: new Set() };
      this.#hosted.set(channel, hosted);
    }
    return hosted;
  }

  /** One publication for those who listen: passed on, dropped as known, or held while a repair is under way. */
  #accept(hosted: Hosted, publication: Publication): void {
    const { position } = hosted;
    if (hosted.repairing) return void hosted.repairing.push(publication);
    if (!position) return;
    const { epoch, offset } = publication;
    if (epoch === position.epoch && offset <= position.offset) return;
    if (epoch !== position.epoch || offset > position.offset + 1) return this.#repair(hosted, position, publication);
    hosted.position = { epoch, offset };
    this.#live.push(publication);
  }

  #flush(): void {
    const live = this.#live;
    if (live.length === 0) return;
    this.#live = [];
    this.#options.live(live);
  }

  #lose(hosted: Hosted, position: Position): void {
    this.#flush();
    hosted.position = position;
    this.#options.lost(hosted.channel, position);
  }

  /**
   * Reads again what lies after `since`, while what comes live is held.
   *
   * @param first a publication that does not follow `since`: something before it is missing, or the numbering is another
   */
  #repair(hosted: Hosted, since: Position, first?: Publication): void {
    const held: Publication[] = first ? [first] : [];
    hosted.repairing = held;
    const isVoid = () => hosted.repairing !== held || this.#hosted.get(hosted.channel) !== hosted;
    this.#read(hosted.channel, { since, after: this.#options.seen() }, isVoid).then((reading) => {
      if (!reading) return;
      const { top, publications, recovered } = reading;
      if (held.some((publication) => publication !== first && publication.epoch !== top.epoch)) {
        return this.#repair(hosted, since);
      }
      // Of another numbering, `first` was late: what was read is newer than what came before it was asked for.
      const live = held.filter(({ epoch }) => epoch === top.epoch);
      hosted.repairing = undefined;
      if (!recovered) this.#loseUntil(hosted, since, top, live);
      for (const publication of publications) this.#accept(hosted, publication);
      for (const publication of live) this.#accept(hosted, publication);
      this.#flush();
      this.#completeAll(hosted);
    }, () => {
      setTimeout(() => isVoid() || this.#repair(hosted, since), this.#options.retry ?? 100);
    });
  }

  /** History does not have what lies after `since`. What came live may still follow it, or begin before the top. */
  #loseUntil(hosted: Hosted, since: Position, { epoch, offset }: Position, live: readonly Publication[]): void {
    const isSame = epoch === since.epoch;
    const next = live.find((publication) => !isSame || publication.offset > since.offset);
    const until = next ? Math.min(offset, next.offset - 1) : offset;
    if (!isSame || until > since.offset) this.#lose(hosted, { epoch, offset: until });
  }

  /** Everything after `since`, page by page, up to the top of the last page; undefined as soon as it is void. */
  async #read(channel: string, { since, after }: Start, isVoid: () => boolean): Promise<Reading | undefined> {
    const publications: Publication[] = [];
    for (let from = since;;) {
      const page = await this.#options.read(channel, from, after);
      // To ask for another page is to host the channel, which may have been given up.
      if (isVoid()) return undefined;
      const { top, recovered } = page;
      if (!recovered) return { start: top, top, publications: [], recovered };
      for (const publication of page.publications) publications.push(publication);
      const last = publications.at(-1);
      const start = since ?? page.from ?? top;
      if (!from || !last || last.offset >= top.offset) return { start, top, publications, recovered };
      from = { epoch: last.epoch, offset: last.offset };
    }
  }

  async #ask(hosted: Hosted, joining: Joining): Promise<void> {
    const round = ++joining.round;
    joining.held = [];
    joining.read = undefined;
    const isVoid = () => joining.round !== round || !hosted.joinings.has(joining);
    try {
      const reading = await this.#read(hosted.channel, joining, isVoid);
      if (!reading) return;
      joining.read = reading;
      this.#begin(hosted, joining, reading.top);
      this.#completeAll(hosted);
    } catch (error) {
      if (isVoid()) return;
      hosted.joinings.delete(joining);
      joining.joiner.failed(GongError.from(error));
      this.releaseUnheard(hosted.channel);
    }
  }

  /** The first answer says where the channel stands. */
  #begin(hosted: Hosted, joining: Joining, top: Position): void {
    if (hosted.position) return;
    hosted.position = top;
    for (const publication of joining.held) this.#accept(hosted, publication);
    this.#flush();
  }

  /** Lets in whoever has its answer, as soon as the bus has brought what the answer knew. */
  #completeAll(hosted: Hosted): void {
    const { position, repairing } = hosted;
    if (!position || repairing) return;
    for (const joining of hosted.joinings) {
      const { read } = joining;
      if (!read) continue;
      if (read.top.epoch !== position.epoch) {
        // One of the two is of an old numbering.
        void this.#ask(hosted, joining);
        return this.#repair(hosted, position);
      }
      if (read.top.offset > position.offset) continue;
      const { top } = read;
      const later = joining.held.filter(({ epoch, offset }) =>
        epoch === top.epoch && offset > top.offset && offset <= position.offset
      );
      if (later.length < position.offset - top.offset) {
        // The others were brought here by a repair, and know what neither this answer nor the bus has.
        void this.#ask(hosted, joining);
        continue;
      }
      hosted.joinings.delete(joining);
      complete(joining, read, later);
    }
  }
}

function complete({ joiner }: Joining, { start, publications, recovered }: Reading, later: Publication[]): void {
  joiner.joined(start, recovered, [...publications, ...later]);
}
