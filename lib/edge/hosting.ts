/**
 * The channels that an edge hosts: where each one stands, and how those who come later join history and live. Answers of
 * the hub overtake what the bus brings, so whoever joins first holds what comes live, then reads, then gets the one
 * after the other; each offset once, in ascending order. Who has missed more than one page gets page by page, as fast as
 * it takes them, and nothing is held for it before the last.
 *
 * @module
 */
import { GongError } from "../errors.ts";
import { Multimap } from "../multimap.ts";
import type { History, PageLimit, Position, Publication, Start } from "../types.ts";

/** What a {@linkcode Hosting} asks and tells. */
export interface HostingOptions {
  /**
   * Hosts the channel from now on; history after the start, a page of it, and top of one instant. Without a start, with
   * what was announced after the batch of number `after`. It may take its time until it asks, and calls `begin` then:
   * false when the answer is not wanted any more, and nothing is to be asked. What it rejects with does not count then.
   * A repair is urgent: all who listen wait for it, and what comes live meanwhile is held.
   */
  readonly read: (request: ReadRequest, begin: () => boolean, isUrgent?: boolean) => Promise<History>;
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
  /** Pages of what is read again for all who listen. */
  readonly limit: PageLimit;
  /** Resolves when those who listen have had time for a page. */
  readonly pause: () => Promise<void>;
  /** How long to wait before a failed repair is tried again, in milliseconds. Default 100. */
  readonly retry?: number;
}

/** What is read of a channel. */
export interface ReadRequest {
  readonly channel: string;
  readonly start: Start | undefined;
  /** Number of the last batch that the bus had brought. */
  readonly after: number;
  readonly limit: PageLimit;
  /** It has listened all the time, elsewhere: what was announced after that batch counts beside history. */
  readonly moved?: true;
}

/** Somebody who wants to hear a channel: pages come, if there are any, then one of the others, unless it is cancelled. */
export interface Joiner {
  /** How much the next page of what it has missed may be. */
  limit(): PageLimit;
  /** It stands at `position` and `missed` follows, and not yet the last of it. Resolves when it may get more. */
  page(position: Position, missed: readonly Publication[]): Promise<void>;
  /**
   * It stands at `position`, `missed` follows, then it hears what is live. After pages `position` is where they ended,
   * unless something was lost since (`recovered` is false).
   *
   * @returns false, and nothing has happened, when what was missed is too much at once: it comes as a page then
   */
  joined(position: Position, recovered: boolean, missed: readonly Publication[]): boolean;
  /**
   * Asked before `joined` each time: false, and it is not let in yet, but stands at `position` and waits for
   * {@linkcode Hosting.letIn}. Default: it enters at once.
   */
  enters?(position: Position, recovered: boolean): boolean;
  failed(error: GongError): void;
}

/** A join that is under way. */
interface Join<J extends Joiner> {
  readonly joiner: J;
  /** From where on is read: moves on with every page. */
  start: Start | undefined;
  /** Where the bus was when it came, however often the hub has to be asked; or how far that was delivered elsewhere. */
  readonly after: number;
  readonly isMoved: boolean;
  /** What the bus brought since the hub was asked; nothing while it waits for that, or takes a page. */
  held: Publication[] | undefined;
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

/** How somebody joins. */
export interface JoinOptions {
  /** What the hub says to who has just now asked it to have the channel hosted here, without a start. */
  readonly answer?: Promise<History> | undefined;
  /** It comes from another edge, which had delivered the batches up to this number. */
  readonly after?: number | undefined;
}

/** What is known before the hub is asked. */
interface HeadStart {
  /** What the joiner gets before the rest. */
  readonly first?: Pick<Reading, "start" | "publications">;
  /** It was asked already. */
  readonly answer?: Promise<History> | undefined;
}

interface Hosted {
  readonly channel: string;
  /** Where those who listen stand; unknown until the first answer. */
  position: Position | undefined;
  /** While what was lost is read again: what came live in the meantime. */
  repairing: Publication[] | undefined;
}

/** All channels of an edge. */
export class Hosting<J extends Joiner = Joiner> {
  readonly #options: HostingOptions;
  readonly #hosted = new Map<string, Hosted>();
  readonly #joinings = new Multimap<Hosted, Join<J>>();
  #live: Publication[] = [];

  constructor(options: HostingOptions) {
    this.#options = options;
  }

  /** Number of the last batch that the bus has brought. */
  get seen(): number {
    return this.#options.seen();
  }

  /** Whether publications of the channel are wanted. */
  has(channel: string): boolean {
    return this.#hosted.has(channel);
  }

  /** Where those who listen to the channel stand. */
  position(channel: string): Position | undefined {
    return this.#hosted.get(channel)?.position;
  }

  /** Those who are about to hear the channel. */
  *joiners(channel: string): Generator<J> {
    const hosted = this.#hosted.get(channel);
    if (hosted) { for (const { joiner } of this.#joinings.get(hosted)) yield joiner; }
  }

  /**
   * Joins; answers at once when nothing was missed and the channel is known. Returns how to cancel.
   */
  join(channel: string, start: Start | undefined, joiner: J, { answer, after }: JoinOptions = {}): () => void {
    const hosted = this.#open(channel);
    const { position } = hosted;
    const isThere = !start || after !== undefined && position !== undefined && isAt(start, position);
    const enters = !position || !isThere || (joiner.enters?.(position, true) ?? true);
    if (position && isThere && enters && joiner.joined(position, true, [])) return () => {};
    const joining: Join<J> = {
      ...{ joiner, start, after: after ?? this.#options.seen(), isMoved: after !== undefined },
      ...{ held: undefined, read: undefined, round: 0 },
    };
    this.#joinings.add(hosted, joining);
    if (!enters) {
      // What comes from now on is held for it.
      joining.held = [];
      joining.read = { start: position!, top: position!, publications: [], recovered: true };
    } else void this.#ask(hosted, joining, { answer });
    return () => {
      if (this.#joinings.delete(hosted, joining)) this.releaseUnheard(channel);
    };
  }

  /** Lets those in who have waited for that. */
  letIn(channel: string): void {
    const hosted = this.#hosted.get(channel);
    if (hosted) this.#completeAll(hosted);
  }

  /** Gives the channel up if nobody listens to it or is about to. */
  releaseUnheard(channel: string): void {
    const hosted = this.#hosted.get(channel);
    if (!hosted || this.#joinings.has(hosted) || this.#options.isHeard(channel)) return;
    this.#hosted.delete(channel);
    this.#options.release(channel);
  }

  /** Takes what the bus brought, in its order. */
  receive(publications: readonly Publication[]): void {
    const joined = new Set<Hosted>();
    for (const publication of publications) {
      const hosted = this.#hosted.get(publication.channel);
      if (!hosted) continue;
      for (const joining of this.#joinings.get(hosted)) joining.held?.push(publication);
      if (this.#joinings.has(hosted)) joined.add(hosted);
      this.#accept(hosted, publication);
    }
    this.#flush();
    for (const hosted of joined) this.#completeAll(hosted);
  }

  /** The bus has lost something, nobody knows what: every channel is read again from where it stands. */
  repairAll(): void {
    for (const hosted of this.#hosted.values()) this.#readAgain(hosted);
  }

  /** Something of these channels was never announced: they are read again from where they stand. */
  repair(channels: readonly string[]): void {
    for (const channel of channels) {
      const hosted = this.#hosted.get(channel);
      if (hosted) this.#readAgain(hosted);
    }
  }

  #readAgain(hosted: Hosted): void {
    if (hosted.position) this.#repair(hosted);
    else this.#askAgain(hosted);
  }

  /** What was lost may be missing in what is held. Who holds nothing has not asked: it waits for that, or takes a page. */
  #askAgain(hosted: Hosted): void {
    for (const joining of this.#joinings.get(hosted)) if (joining.held) void this.#ask(hosted, joining);
  }

  #open(channel: string): Hosted {
    let hosted = this.#hosted.get(channel);
    if (!hosted) {
      hosted = { channel, position: undefined, repairing: undefined };
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
    if (epoch !== position.epoch || offset > position.offset + 1) return this.#repair(hosted, publication);
    this.#advance(hosted, publication);
  }

  #advance(hosted: Hosted, publication: Publication): void {
    hosted.position = positionOf(publication);
    if (!publication.expired) this.#live.push(publication);
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
   * Reads again what lies after where those who listen stand, while what comes live is held.
   *
   * @param first a publication that does not follow: something before it is missing, or the numbering is another
   */
  #repair(hosted: Hosted, first?: Publication): void {
    const held: Publication[] = first ? [first] : [];
    hosted.repairing = held;
    const isVoid = () => hosted.repairing !== held || this.#hosted.get(hosted.channel) !== hosted;
    void this.#mend(hosted, held, isVoid);
  }

  async #mend(hosted: Hosted, held: Publication[], isVoid: () => boolean): Promise<void> {
    const { limit, pause, seen, read, retry = 100 } = this.#options;
    const { channel } = hosted;
    const [first] = held;
    for (;;) {
      const request = { channel, start: hosted.position, after: seen(), limit };
      const page = await read(request, () => !isVoid(), true).catch(() => undefined);
      if (isVoid()) return;
      if (!page) return void setTimeout(() => isVoid() || this.#repair(hosted), retry);
      if (!isAmid(page)) return this.#resume(hosted, page, held, first);
      for (const publication of page.publications) this.#advance(hosted, publication);
      // Whatever came live until now is in what is read next.
      held.length = 0;
      this.#flush();
      await pause();
      if (isVoid()) return;
    }
  }

  /** The last page is there: what came live follows it. */
  #resume(hosted: Hosted, { top, publications, recovered }: History, held: Publication[], first?: Publication): void {
    if (held.some((publication) => publication !== first && publication.epoch !== top.epoch)) {
      return this.#repair(hosted);
    }
    // Of another numbering, `first` was late: what was read is newer than what came before it was asked for.
    const live = held.filter(({ epoch }) => epoch === top.epoch);
    hosted.repairing = undefined;
    if (!recovered) this.#loseUntil(hosted, top, live);
    for (const publication of publications) this.#accept(hosted, publication);
    for (const publication of live) this.#accept(hosted, publication);
    this.#flush();
    this.#completeAll(hosted);
  }

  /** History does not have what follows where they stand. What came live may still, or begin before the top. */
  #loseUntil(hosted: Hosted, { epoch, offset }: Position, live: readonly Publication[]): void {
    const since = hosted.position!;
    const isSame = epoch === since.epoch;
    const next = live.find((publication) => !isSame || publication.offset > since.offset);
    const until = next ? Math.min(offset, next.offset - 1) : offset;
    if (!isSame || until > since.offset) this.#lose(hosted, { epoch, offset: until });
  }

  /** Asks for what it has missed: pages until the last one, with which it is let in. */
  async #ask(hosted: Hosted, joining: Join<J>, { first, answer }: HeadStart = {}): Promise<void> {
    const round = ++joining.round;
    const isVoid = () => joining.round !== round || !this.#joinings.hasValue(hosted, joining);
    const { channel } = hosted;
    const begin = () => {
      if (isVoid()) return false;
      joining.held = [];
      return true;
    };
    try {
      if (first) await this.#turnPage(joining, first);
      if (isVoid()) return;
      for (;;) {
        joining.held = joining.read = undefined;
        const page = await this.#readPage(channel, joining, begin, answer);
        answer = undefined;
        // To ask for another page is to host the channel, which may have been given up.
        if (isVoid()) return;
        const reading = readingOf(page, joining.start);
        if (!isAmid(page)) {
          joining.read = reading;
          break;
        }
        await this.#turnPage(joining, reading);
        if (isVoid()) return;
      }
      this.#begin(hosted, joining, joining.read.top);
      this.#completeAll(hosted);
    } catch (error) {
      if (isVoid()) return;
      this.#joinings.delete(hosted, joining);
      joining.joiner.failed(GongError.from(error));
      this.releaseUnheard(channel);
    }
  }

  #readPage(channel: string, joining: Join<J>, begin: () => boolean, answer?: Promise<History>): Promise<History> {
    const { joiner, start, after, isMoved } = joining;
    if (answer) {
      begin();
      return answer;
    }
    const request = { channel, start, after, limit: joiner.limit() };
    // Who was listening a moment ago does not wait for those who come back.
    return isMoved ? this.#options.read({ ...request, moved: true }, begin, true) : this.#options.read(request, begin);
  }

  /** Gives it a page, and holds nothing for it meanwhile: what comes is in what is read next. */
  #turnPage(joining: Join<J>, { start, publications }: Pick<Reading, "start" | "publications">): Promise<void> {
    joining.held = joining.read = undefined;
    joining.start = positionOf(publications.at(-1)!);
    return joining.joiner.page(start, publications);
  }

  /** The first answer says where the channel stands. */
  #begin(hosted: Hosted, joining: Join<J>, top: Position): void {
    if (hosted.position) return;
    hosted.position = top;
    for (const publication of joining.held!) this.#accept(hosted, publication);
    this.#flush();
  }

  /** Lets in whoever has its answer, as soon as the bus has brought what the answer knew. */
  #completeAll(hosted: Hosted): void {
    const { position, repairing } = hosted;
    if (!position || repairing) return;
    for (const joining of this.#joinings.get(hosted)) {
      const { read } = joining;
      if (!read) continue;
      if (read.top.epoch !== position.epoch) {
        // One of the two is of an old numbering.
        void this.#ask(hosted, joining);
        return this.#repair(hosted);
      }
      if (read.top.offset > position.offset) continue;
      if (joining.joiner.enters?.(read.start, read.recovered) === false) continue;
      const { top } = read;
      const later = joining.held!.filter(({ epoch, offset }) =>
        epoch === top.epoch && offset > top.offset && offset <= position.offset
      );
      if (later.length < position.offset - top.offset) {
        // The others were brought here by a repair, and know what neither this answer nor the bus has.
        void this.#ask(hosted, joining);
        continue;
      }
      this.#letIn(hosted, joining, read, [...read.publications, ...later]);
    }
  }

  #letIn(hosted: Hosted, joining: Join<J>, { start, recovered }: Reading, missed: Publication[]): void {
    this.#joinings.delete(hosted, joining);
    if (joining.joiner.joined(start, recovered, missed)) return;
    this.#joinings.add(hosted, joining);
    void this.#ask(hosted, joining, { first: { start, publications: missed } });
  }
}

/** Whether there is more after the page. */
export function isAmid({ top, publications, recovered }: History): boolean {
  const last = publications.at(-1);
  return recovered && last !== undefined && last.offset < top.offset;
}

function readingOf({ top, from, publications, recovered }: History, start: Start | undefined): Reading {
  const begin = start && "offset" in start ? start : from ?? top;
  return { start: recovered ? begin : top, top, publications, recovered };
}

function isAt(start: Start, { epoch, offset }: Position): boolean {
  return "offset" in start && start.epoch === epoch && start.offset === offset;
}

function positionOf({ epoch, offset }: Position): Position {
  return { epoch, offset };
}
