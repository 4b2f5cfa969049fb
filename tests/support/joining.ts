/**
 * A hub, a bus and an edge of which only `Hosting` is real, and every step happens when it is told to: what is
 * published, what the hub answers, what the bus brings, what is lost. It watches over what subscribers are promised.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { GongError } from "../../lib/errors.ts";
import { Hosting } from "../../lib/edge/hosting.ts";
import type { History, Position, Publication } from "../../lib/types.ts";

const CHANNEL = "c";

/** What may happen next; the letter of the step that does it. */
export type Step =
  /** A publication is numbered, and posted to the bus. */
  | "publish"
  /** It is the turn of the next who waits to ask the hub. */
  | "turn"
  /** Whoever has waited longest for room for a page takes it. */
  | "room"
  /** The hub takes the next message of the port. */
  | "hub"
  /** The hub refuses the next message of the port. */
  | "refuse"
  /** The edge gets the hub's next answer. */
  | "answer"
  /** The edge gets the next batch. */
  | "batch"
  /** The edge gets all batches there are, in one turn. */
  | "batches"
  /** The next batch is lost for good, and the edge finds out. */
  | "lose"
  /** A batch of other channels is lost: the edge cannot know that nothing of this one was in it. */
  | "scare"
  /** History forgets its oldest publication. */
  | "trim"
  /** The numbering is lost. */
  | "renumber"
  /** The broker forgets the channel, which it may when nobody hosts it. */
  | "forget";

export interface WorldOptions {
  /** Publications the hub answers at once. Default all. */
  readonly page?: number;
  /** Publications that a subscriber takes at once when it is let in. Default any number. */
  readonly most?: number;
  /** Whether who resumes waits for its turn to ask, and who waits for the same is answered together. Default never. */
  readonly queues?: boolean;
  /** Whether a page waits for room. Default never. */
  readonly slow?: boolean;
  /** Whether joins and repairs may be told that something is gone. Default never. */
  readonly losses?: boolean;
}

interface Request {
  readonly kind: "read" | "release";
  readonly since?: Position | undefined;
  readonly after?: number;
  readonly answer?: PromiseWithResolvers<History>;
}

/** Who waits for a turn to ask the same. */
interface Queued {
  readonly request: Request;
  readonly begin: (() => boolean)[];
}

/** When a subscriber leaves by itself, in the middle of what it is told: at that moment, never by default. */
export type Fragility = "joining" | "page" | "publication" | "loss";

/** One who listens, and what it was promised. */
export class Subscriber {
  state: "joining" | "listening" | "failed" | "gone" = "joining";
  /** Where it stands, by what it was told and given. */
  position: Position | undefined;
  readonly told: string[] = [];
  fragile: Fragility | undefined;
  /** Whether it was given pages, and is being given one. */
  hasPages = false;
  isPaging = false;

  /**
   * @param top where the log was when it joined
   * @param stood where the bus was then
   */
  constructor(
    readonly name: string,
    readonly since: Position | undefined,
    readonly top: Position,
    readonly stood: Position | undefined,
  ) {}

  /** Whether `since` was beyond the log when it joined. */
  get isAhead(): boolean {
    return this.since?.epoch === this.top.epoch && this.since.offset > this.top.offset;
  }

  take({ epoch, offset, data }: Publication): void {
    this.told.push(`${epoch}:${offset}`);
    assertEquals(data, `${epoch}:${offset}`);
    assertEquals(`${epoch}:${offset}`, `${this.position!.epoch}:${this.position!.offset + 1}`, this.story());
    this.position = { epoch, offset };
  }

  /** Everything that happened to it, for the message of a failure. */
  story(): string {
    return `${this.name} since ${this.since ? show(this.since) : "now"}: ${this.told.join(" ")}`;
  }
}

/** The whole of it. */
export class World {
  readonly subscribers: Subscriber[] = [];
  readonly hosting: Hosting;
  readonly #options: WorldOptions;
  readonly #cancels = new Map<Subscriber, () => void>();
  readonly #queue: Queued[] = [];
  readonly #rooms: (() => void)[] = [];
  readonly #port: Request[] = [];
  readonly #answers: (() => void)[] = [];
  readonly #bus: Publication[] = [];
  /** All epochs there were, oldest first. */
  readonly #epochs = ["e1"];
  #log: Publication[] = [];
  #offset = 0;
  /** Batches have one publication each; how many the bus has brought, and how many of the first the hub forgot. */
  #seen = 0;
  #lost = 0;
  #repaired = false;
  readonly #announced: Publication[] = [];
  #hosted = false;
  #refused = false;

  constructor(options: WorldOptions = {}) {
    this.#options = options;
    this.hosting = new Hosting({
      read: ({ start, after }, begin) => {
        const since = start as Position | undefined;
        const same = since && this.#queue.find(({ request }) => show(request.since!) === show(since));
        if (same) {
          same.begin.push(begin);
          return same.request.answer!.promise;
        }
        const request = { kind: "read", since, after, answer: Promise.withResolvers<History>() } as const;
        this.#queue.push({ request, begin: [begin] });
        if (!since || !options.queues) this.#takeTurn(this.#queue.length - 1);
        return request.answer.promise;
      },
      seen: () => this.#seen,
      release: () => this.#port.push({ kind: "release" }),
      live: (publications) => {
        for (const subscriber of this.#listening()) {
          publications.forEach((publication) => this.#give(subscriber, publication));
        }
      },
      lost: (_, position) => this.#lose(position),
      isHeard: () => this.#listening().length > 0,
      limit: {},
      pause: () => Promise.resolve(),
      retry: 0,
    });
  }

  get top(): Position {
    return { epoch: this.#epochs.at(-1)!, offset: this.#offset };
  }

  /** Whether the step can happen now. */
  can(step: Step): boolean {
    switch (step) {
      case "turn":
        return this.#queue.length > 0;
      case "room":
        return this.#rooms.length > 0;
      case "hub":
      case "refuse":
        return this.#port.length > 0;
      case "answer":
        return this.#answers.length > 0;
      case "batch":
      case "lose":
        return this.#bus.length > 0;
      case "batches":
        return this.#bus.length > 1;
      case "trim":
        return this.#log.length > 0;
      case "forget":
        return !this.#hosted;
      default:
        return true;
    }
  }

  do(step: Step): void {
    if (["lose", "scare", "renumber", "forget"].includes(step)) this.#repaired = true;
    switch (step) {
      case "publish": {
        const { epoch } = this.top;
        const offset = ++this.#offset;
        const data = `${epoch}:${offset}`;
        const publication = { channel: CHANNEL, epoch, offset, data, contentType: "text/plain", time: 0 };
        this.#log.push(publication);
        this.#announced.push(publication);
        this.#bus.push(publication);
        return;
      }
      case "turn":
        return this.#takeTurn(0);
      case "room":
        return this.#rooms.shift()!();
      case "hub":
        return this.#serve(this.#port.shift()!);
      case "refuse": {
        const { kind, answer } = this.#port.shift()!;
        this.#refused = true;
        if (kind === "release") this.#hosted = false;
        else this.#answers.push(() => answer!.reject(new GongError("overloaded")));
        return;
      }
      case "answer":
        return this.#answers.shift()!();
      case "batch":
        return this.#receive(this.#bus.splice(0, 1));
      case "batches":
        return this.#receive(this.#bus.splice(0));
      case "lose":
        this.#bus.shift();
        this.#lost = ++this.#seen;
        return this.hosting.repairAll();
      case "scare":
        return this.hosting.repairAll();
      case "trim":
        this.#log.shift();
        return;
      case "renumber":
      case "forget":
        this.#epochs.push(`e${this.#epochs.length + 1}`);
        this.#log = [];
        this.#offset = 0;
    }
  }

  join(name: string, since?: Position, fragile?: Fragility): Subscriber {
    const subscriber = new Subscriber(name, since, this.top, this.#announced[this.#seen - 1]);
    subscriber.fragile = fragile;
    this.subscribers.push(subscriber);
    const cancel = this.hosting.join(CHANNEL, since, {
      limit: () => ({}),
      page: async (position, missed) => {
        assert(!subscriber.isPaging, `one page at a time: ${subscriber.story()}`);
        subscriber.isPaging = true;
        if (this.#options.slow) await new Promise<void>((resolve) => this.#rooms.push(resolve));
        if (subscriber.state === "joining") this.#turnPage(subscriber, position, missed);
        await Promise.resolve();
        subscriber.isPaging = false;
      },
      joined: (position, recovered, missed) => this.#joined(subscriber, position, recovered, missed),
      failed: ({ code }) => {
        assertEquals([subscriber.state, code], ["joining", "overloaded"]);
        subscriber.state = "failed";
      },
    });
    this.#cancels.set(subscriber, cancel);
    return subscriber;
  }

  leave(subscriber: Subscriber): void {
    const { state } = subscriber;
    subscriber.state = "gone";
    if (state === "joining") this.#cancels.get(subscriber)!();
    if (state === "listening") this.hosting.releaseUnheard(CHANNEL);
  }

  /** Delivers what is under way, also what is tried again after a while. */
  async finish(): Promise<void> {
    const moves = ["turn", "room", "hub", "answer", "batch"] as const;
    for (let idle = 0, steps = 0; idle < 2; steps++) {
      assert(steps < 1000, "it does not come to rest");
      const move = moves.find((step) => this.can(step));
      if (move) this.do(move);
      await settle();
      idle = move ? 0 : idle + 1;
      if (!move && this.#refused) await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  /** Nothing is under way any more: is everybody where they were promised to be? */
  check(): void {
    const listening = this.#listening();
    for (const subscriber of this.subscribers) {
      assert(subscriber.state !== "joining", `never answered: ${subscriber.story()}`);
    }
    for (const subscriber of listening) {
      // Of a new numbering that nothing was published in, there is nothing to miss.
      if (this.#offset === 0 && subscriber.position!.epoch !== this.top.epoch) continue;
      assertEquals(show(subscriber.position!), show(this.top), `left behind: ${subscriber.story()}`);
    }
    assertEquals(this.hosting.has(CHANNEL), listening.length > 0, "the edge hosts what is heard");
    assertEquals(this.#hosted, listening.length > 0, "the hub knows it");
  }

  #listening(): Subscriber[] {
    return this.subscribers.filter(({ state }) => state === "listening");
  }

  /** A page: it is told where it stands with the first, and each goes on where the one before ended. */
  #turnPage(subscriber: Subscriber, position: Position, missed: readonly Publication[]): void {
    assertEquals(subscriber.state, "joining", subscriber.story());
    assert(missed.length > 0, subscriber.story());
    subscriber.told.push(`page@${show(position)}`);
    assertEquals(position, subscriber.position ?? subscriber.since ?? position, subscriber.story());
    subscriber.position = position;
    subscriber.hasPages = true;
    missed.forEach((publication) => subscriber.take(publication));
    this.#breakAt("page", subscriber);
  }

  #joined(
    subscriber: Subscriber,
    position: Position,
    recovered: boolean,
    missed: readonly Publication[],
  ): boolean {
    assertEquals(subscriber.state, "joining", subscriber.story());
    if (this.#options.most !== undefined && recovered && missed.length > this.#options.most) return false;
    subscriber.state = "listening";
    if (subscriber.hasPages) this.#goOn(subscriber, position, recovered);
    else this.#begin(subscriber, position, recovered);
    missed.forEach((publication) => this.#give(subscriber, publication));
    return true;
  }

  /** After pages it stands where they ended, or something was lost since. */
  #goOn(subscriber: Subscriber, position: Position, recovered: boolean): void {
    subscriber.told.push(`${recovered ? "went on" : "LOST"}@${show(position)}`);
    if (recovered) assertEquals(position, subscriber.position, subscriber.story());
    else this.#justify(subscriber.position!, subscriber);
    subscriber.position = position;
    this.#breakAt("joining", subscriber);
  }

  #begin(subscriber: Subscriber, position: Position, recovered: boolean): void {
    const { since } = subscriber;
    subscriber.told.push(`${recovered ? "joined" : "NOT RECOVERED"}@${show(position)}`);
    subscriber.position = position;
    if (since && recovered) assertEquals(position, since, subscriber.story());
    if (!since) assert(recovered, subscriber.story());
    const { top, stood } = subscriber;
    // Whoever is told that it is connected has missed nothing from then on.
    if (!since && this.#lost === 0 && position.epoch === top.epoch) {
      assert(position.offset <= top.offset, `from ${show(top)} on: ${subscriber.story()}`);
      // During a repair all stand where it began.
      const { epoch, offset } = this.#repaired ? position : stood ?? position;
      assert(position.epoch !== epoch || position.offset >= offset, `and nothing before: ${subscriber.story()}`);
    }
    if (!recovered) this.#justify(since!, subscriber);
    this.#breakAt("joining", subscriber);
  }

  #give(subscriber: Subscriber, publication: Publication): void {
    if (subscriber.state !== "listening") return;
    subscriber.take(publication);
    this.#breakAt("publication", subscriber);
  }

  #breakAt(moment: Fragility, subscriber: Subscriber): void {
    if (subscriber.fragile === moment) this.leave(subscriber);
  }

  #lose(position: Position): void {
    for (const subscriber of this.#listening()) {
      const stood = subscriber.position!;
      subscriber.told.push(`LOST@${show(position)}`);
      const age = (epoch: string) => this.#epochs.indexOf(epoch);
      assert(age(position.epoch) >= age(stood.epoch), `back to an old numbering: ${subscriber.story()}`);
      assert(position.epoch !== stood.epoch || position.offset > stood.offset, `back: ${subscriber.story()}`);
      this.#justify(stood, subscriber);
      subscriber.position = position;
      this.#breakAt("loss", subscriber);
    }
  }

  /** That something is gone is only said when it is. */
  #justify(since: Position, subscriber: Subscriber): void {
    if (subscriber.isAhead && since === subscriber.since) return;
    assert(this.#options.losses, `nothing was lost: ${subscriber.story()}`);
    const { epoch, offset } = this.top;
    const first = this.#log[0]?.offset ?? offset + 1;
    const gone = since.epoch !== epoch || since.offset > offset || since.offset + 1 < first;
    assert(gone, `nothing after ${show(since)} was lost: ${subscriber.story()}`);
  }

  #takeTurn(at: number): void {
    const [{ request, begin }] = this.#queue.splice(at, 1) as [Queued];
    if (begin.map((begin) => begin()).includes(true)) this.#port.push(request);
    else request.answer!.reject(new GongError("conflict"));
  }

  #serve({ kind, since, after = 0, answer }: Request): void {
    this.#hosted = kind === "read";
    if (kind === "release") return;
    const history = since ? this.#history(since) : this.#unseen(after);
    this.#answers.push(() => answer!.resolve(history));
  }

  #unseen(after: number): History {
    const { top } = this;
    const publications = this.#announced.slice(Math.max(after, this.#lost)).filter(({ epoch }) => epoch === top.epoch);
    const [first] = publications;
    if (!first) return { top, publications, recovered: true };
    return { top, publications, from: { epoch: top.epoch, offset: first.offset - 1 }, recovered: true };
  }

  #history(since: Position): History {
    const { top } = this;
    const first = this.#log[0]?.offset ?? top.offset + 1;
    if (since.epoch !== top.epoch || since.offset > top.offset || since.offset + 1 < first) {
      return { top, publications: [], recovered: false };
    }
    const missed = this.#log.filter(({ offset }) => offset > since.offset);
    return { top, publications: missed.slice(0, this.#options.page ?? Infinity), recovered: true };
  }

  #receive(publications: Publication[]): void {
    this.#seen += publications.length;
    // What the edge does not host it does not even decode.
    this.hosting.receive(publications.filter(({ channel }) => this.hosting.has(channel)));
  }
}

export function show({ epoch, offset }: Position): string {
  return `${epoch}:${offset}`;
}

/** Lets everything happen that needs nothing more. */
export async function settle(): Promise<void> {
  for (let n = 0; n < 12; n++) await Promise.resolve();
}
