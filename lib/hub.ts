/**
 * The main isolate: the broker, the bus, and what is counted over all edges.
 *
 * @module
 */
import { openBroker } from "./brokers/mod.ts";
import { allocateBatch, BusSender, bytesPerTurn } from "./bus.ts";
import { byteLength } from "./bytes.ts";
import { decodeBatch, encodeBatch } from "./codecs/batch.ts";
import type { Config } from "./config.ts";
import { Directory } from "./directory.ts";
import { ADMIN_CHANNEL } from "./globs.ts";
import { Guard } from "./guard.ts";
import { Intake } from "./intake.ts";
import { Link, type Port } from "./link.ts";
import type { Logger } from "./log.ts";
import type { EdgeMethods, HubMethods } from "./methods.ts";
import type { Metrics } from "./metrics.ts";
import { Turn } from "./turn.ts";
import type { Broker, Glimpse, History, Position, Publication, Sample } from "./types.ts";

/** What edges say that concerns whoever runs them. */
export interface HubEvents {
  ready(edge: number): void;
  failed(edge: number, reason: string): void;
  /** The edge's stuck sockets hold too much: it wants to be drained and replaced. */
  exhausted(edge: number, bytes: number): void;
}

/** What a hub needs beside its configuration. */
export interface HubOptions {
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Name of the BroadcastChannel: one a server, so that two of them in a process do not mix. */
  readonly busName: string;
  readonly events?: HubEvents;
  /** Brings figures up to date that the hub does not know. */
  readonly measure?: () => void;
  /** Opens the broker; by default the one that the configuration names. */
  readonly openBroker?: typeof openBroker;
}

/** How long the bus may be silent before edges that lag are reminded, in milliseconds. */
const REMIND = 50;
/** Publications read at once for a resume. */
const PAGE = 1000;
/** What a publication takes on the wire beside its data, roughly, in bytes. */
const OVERHEAD = 128;
/** Publications remembered for the admin page, and characters shown of each. */
const RECENT = 50;
const PREVIEW = 200;
/** Ended admin logins that an edge which starts later is told of. */
const MAX_REVOKED = 10_000;

/** The hub: one a server. */
export class Hub {
  readonly directory: Directory;
  readonly #options: HubOptions;
  readonly #broker: Broker;
  readonly #bus: BusSender;
  readonly #intake: Intake;
  readonly #guard: Guard;
  readonly #turn = new Turn();
  readonly #hosts = new Map<string, Set<number>>();
  /** Bytes that go into one batch. */
  readonly #batch: number;
  readonly #published: { value: number };
  readonly #replayed: { value: number };
  /** Admin logins that were ended, the oldest first. */
  readonly #revoked = new Set<string>();
  #pending: Publication[] = [];
  #born = 0;
  #recent: Glimpse[] = [];
  /** Where the admin page's feed stands. */
  readonly #feed = { epoch: crypto.randomUUID(), offset: 0 };
  #closed = false;
  #reminder: ReturnType<typeof setTimeout> | undefined;

  constructor(config: Config, options: HubOptions) {
    this.#options = options;
    const { busDrop } = config;
    const withhold = { withhold: () => Math.random() * 100 < busDrop };
    this.#bus = new BusSender(options.busName, { ring: config.busRing, ...(busDrop > 0 ? withhold : {}) });
    this.#broker = (options.openBroker ?? openBroker)(config, (publications) => this.#announce(publications));
    this.#intake = new Intake(this.#broker, {
      bytes: config.busLag,
      wait: config.publishWait,
      open: () => this.#bus.lag() <= config.busLag,
      turn: this.#turn,
    });
    this.#guard = new Guard({
      ...config,
      onFull: (isFull, address) => {
        this.directory.tellAll("full", address === undefined ? { isFull } : { isFull, address });
      },
    });
    this.#batch = bytesPerTurn(config.outbox);
    this.#published = options.metrics.counter("gong_published_total");
    this.#replayed = options.metrics.counter("gong_bus_replayed_total");
    this.directory = new Directory(() => this.#ownSamples());
  }

  /** Number of the last batch that an edge which starts now need not see. */
  join(edge: number): number {
    return this.#bus.join(edge);
  }

  /** The edge is up: serves its requests, and counts it in. Call {@linkcode join} before it starts. */
  attach(edge: number, port: Port): Link<EdgeMethods> {
    const { log } = this.#options;
    const onFault = (error: unknown, method: string) => {
      log.error("hub.fault", { edge, method, error: String(error) });
    };
    const link = new Link<EdgeMethods>(port, this.#methods(edge), onFault, this.#turn);
    this.directory.add(edge, link);
    // What edges were told that still holds: this one may take the place of another.
    for (const [address, until] of this.#guard.blocked()) link.notify("block", { address, until });
    for (const login of this.#revoked) link.notify("revoke", login);
    if (this.#guard.isFull()) link.notify("full", { isFull: true });
    for (const address of this.#guard.full()) link.notify("full", { isFull: true, address });
    return link;
  }

  /** The edge is gone, with everything that was its. Returns how many sessions went with it. */
  detach(edge: number): number {
    this.directory.remove(edge);
    this.#bus.leave(edge);
    for (const channel of [...this.#hosts.keys()]) this.#unhost(edge, channel);
    this.#intake.resume();
    return this.#guard.releaseEdge(edge);
  }

  /** Whether an edge hosts the channel: somebody may be listening. */
  isHosted(channel: string): boolean {
    return this.#hosts.has(channel);
  }

  /** Publishes to the admin page's feed: numbered, not stored. */
  feed(data: string): void {
    const { epoch } = this.#feed;
    const offset = ++this.#feed.offset;
    this.#announce([{
      channel: ADMIN_CHANNEL,
      epoch,
      offset,
      time: Date.now(),
      data,
      contentType: "application/json",
    }]);
  }

  /** The last publications, newest first. */
  recent(): Glimpse[] {
    return this.#recent.toReversed();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#reminder);
    this.#intake.close();
    await this.#broker.close();
    this.#bus.close();
  }

  #methods(edge: number): HubMethods {
    const { directory } = this;
    const { events } = this.#options;
    return {
      ready: () => {
        directory.ready(edge);
        events?.ready(edge);
      },
      failed: (reason) => events?.failed(edge, reason),
      publish: ({ drafts, atomic }) => this.#intake.publish(drafts, atomic),
      subscribe: ({ channel, since, after }) => this.#subscribe(edge, channel, since, after),
      unsubscribe: (channel) => this.#unhost(edge, channel),
      admit: ({ id, address }) => this.#guard.admit(edge, id, address),
      release: (id) => this.#guard.release(edge, id),
      acknowledge: (number) => {
        this.#bus.acknowledge(edge, number);
        this.#intake.resume();
      },
      replay: (from) => {
        const replay = this.#bus.replay(from);
        this.#replayed.value += replay.batches.length;
        return replay;
      },
      signal: (order) => directory.signal(order),
      listSessions: (page) => directory.list(page),
      getSession: (id) => directory.get(id),
      closeSession: (order) => directory.close(order),
      samples: () => directory.samples(),
      readiness: () => directory.readiness(),
      recent: () => this.recent(),
      failedAuth: (address) => {
        const until = this.#guard.fail(address);
        if (until !== undefined) directory.tellAll("block", { address, until });
      },
      revoke: (login) => this.#revoke(login),
      exhausted: (bytes) => events?.exhausted(edge, bytes),
    };
  }

  #revoke(login: string): void {
    this.#revoked.add(login);
    const [oldest] = this.#revoked;
    if (this.#revoked.size > MAX_REVOKED) this.#revoked.delete(oldest!);
    this.directory.tellAll("revoke", login);
  }

  async #subscribe(edge: number, channel: string, since: Position | undefined, after: number): Promise<History> {
    const hosts = this.#hosts.get(channel);
    if (hosts) hosts.add(edge);
    else this.#hosts.set(channel, new Set([edge]));
    if (channel === ADMIN_CHANNEL) {
      const { epoch, offset } = this.#feed;
      const recovered = !since || since.epoch === epoch && since.offset === offset;
      return { top: { epoch, offset }, publications: [], recovered };
    }
    // When it fails, the edge says whether it still hosts the channel for others.
    await this.#broker.subscribe(channel);
    const history = await this.#broker.read(channel, since, PAGE);
    return since ? history : this.#withUnseen(channel, history, after);
  }

  /** Adds what an edge that has seen the batches up to `after` does not know of the channel. */
  #withUnseen(channel: string, history: History, after: number): History {
    const unseen: Publication[] = [];
    for (const batch of this.#bus.replay(after + 1).batches) decodeBatch(batch, (name) => name === channel, unseen);
    for (const publication of this.#pending) if (publication.channel === channel) unseen.push(publication);
    const { epoch, offset } = history.top;
    const publications = unseen.filter((publication) => publication.epoch === epoch && publication.offset <= offset);
    if (publications.length === 0) return history;
    return { ...history, publications, from: { epoch, offset: publications[0]!.offset - 1 } };
  }

  #unhost(edge: number, channel: string): void {
    const hosts = this.#hosts.get(channel);
    if (!hosts?.delete(edge) || hosts.size > 0) return;
    this.#hosts.delete(channel);
    void this.#broker.unsubscribe(channel).catch((error) => {
      this.#options.log.error("broker.fault", { error: String(error) });
    });
  }

  #announce(publications: readonly Publication[]): void {
    if (this.#pending.length === 0) {
      this.#born = performance.timeOrigin + performance.now();
      this.#turn.end(() => this.#flush());
    }
    for (const publication of publications) this.#pending.push(publication);
  }

  #flush(): void {
    if (this.#closed) return;
    const publications = this.#pending;
    this.#pending = [];
    for (const part of this.#split(publications)) {
      this.#bus.send((number) => encodeBatch(number, this.#born, part, allocateBatch));
    }
    const stored = publications.filter(({ channel }) => channel !== ADMIN_CHANNEL);
    this.#published.value += stored.length;
    this.#recent = [...this.#recent, ...stored.slice(-RECENT).map(glimpse)].slice(-RECENT);
    this.#remindLater();
  }

  /** After a silence; a busy bus has none, and its edges find what is missing by what follows. */
  #remindLater(): void {
    clearTimeout(this.#reminder);
    this.#reminder = setTimeout(() => this.#remind(), REMIND);
  }

  /** Batches of a size that an edge can deliver in one turn. */
  *#split(publications: readonly Publication[]): Generator<readonly Publication[]> {
    let bytes = 0;
    let start = 0;
    for (const [index, { data }] of publications.entries()) {
      const size = data.length + OVERHEAD;
      if (bytes > 0 && bytes + size > this.#batch) {
        yield publications.slice(start, index);
        [start, bytes] = [index, 0];
      }
      bytes += size;
    }
    yield start === 0 ? publications : publications.slice(start);
  }

  /** Whoever lags is told the newest number, until all have it. */
  #remind(): void {
    const behind = this.#bus.behind();
    for (const edge of behind) this.directory.tell(edge, "remind", this.#bus.last);
    if (behind.length > 0) this.#remindLater();
  }

  #ownSamples(): Sample[] {
    const { metrics, measure } = this.#options;
    measure?.();
    const { channels, publications, bytes } = this.#broker.stats();
    metrics.gauge("gong_channels", {}, channels);
    metrics.gauge("gong_history_publications", {}, publications);
    metrics.gauge("gong_history_bytes", {}, bytes);
    metrics.gauge("gong_bus_lag_bytes", {}, this.#bus.lag());
    return metrics.samples();
  }
}

function glimpse({ channel, offset, time, contentType, data }: Publication): Glimpse {
  // A slice would keep the whole text alive.
  const preview = typeof data === "string" ? JSON.parse(JSON.stringify(data.slice(0, PREVIEW))) : "";
  return { channel, offset, time, contentType, bytes: byteLength(data), preview };
}
