/**
 * What an edge hears of the bus, on its way to the sessions: which channels it hosts, who hears them, and when what came
 * is written.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type { Outcome } from "../audience.ts";
import { BusReceiver, bytesPerTurn } from "../bus.ts";
import { decodeBatch, readBatchHead } from "../codecs/batch.ts";
import { unpackHistory } from "../codecs/page.ts";
import { compilePresence } from "../channel_rules.ts";
import type { Config } from "../config.ts";
import { ADMIN_CHANNEL } from "../reserved.ts";
import type { Link } from "../link.ts";
import type { Logger } from "../log.ts";
import type { HubMethods } from "../methods.ts";
import type { Histogram, Metrics } from "../metrics.ts";
import type { Session } from "../session.ts";
import type { Turn } from "../turn.ts";
import type { Position, Publication } from "../types.ts";
import { Fanout } from "./fanout.ts";
import { Flusher } from "./flusher.ts";
import { Hosting } from "./hosting.ts";
import { Inbox } from "./inbox.ts";
import type { Joining } from "./joining.ts";
import { Pace } from "./pace.ts";
import { ReadAhead } from "./read_ahead.ts";
import { Resumes } from "./resumes.ts";
import { Subscriptions } from "./subscriptions.ts";
import { Tracer } from "./tracer.ts";

/** What a {@linkcode Delivery} is made of. */
export interface DeliveryOptions {
  readonly config: Config;
  readonly busName: string;
  /** Number of the last batch that this edge need not see. */
  readonly last: number;
  readonly link: Link<HubMethods>;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly turn: Turn;
  /** How many sessions there are. */
  readonly sessions: () => number;
}

/** From the bus to the sockets. */
export class Delivery {
  /** Who hears what. */
  readonly subscriptions: Subscriptions;
  readonly #options: DeliveryOptions;
  readonly #bus: BusReceiver;
  readonly #inbox: Inbox;
  readonly #hosting: Hosting<Joining>;
  readonly #resumes: Resumes;
  readonly #ahead: ReadAhead;
  readonly #fanout: Fanout;
  readonly #tracer: Tracer;
  readonly #flusher = new Flusher<Session>((session, error) => {
    this.#options.log.error("session.fault", { session: session.id, error: String(error) });
    session.abandon("internal");
  });
  readonly #pace: Pace;
  readonly #delivered: { value: number };
  readonly #latency: Histogram;
  #scheduled = false;
  #flushing = false;

  constructor(options: DeliveryOptions) {
    const { config, link, metrics, turn } = options;
    this.#options = options;
    this.#pace = new Pace(turn);
    this.#delivered = metrics.counter("gong_delivered_total");
    this.#latency = metrics.histogram("gong_publish_to_write_seconds");
    this.#inbox = new Inbox({
      outbox: config.outbox,
      ...{ busLag: config.busLag, last: options.last },
      acknowledge: (last) => link.notify("acknowledge", last),
    });
    this.#fanout = new Fanout({ outbox: config.outbox, position: (channel) => this.#hosting.position(channel) });
    this.#resumes = new Resumes({
      rate: config.resumeRate,
      read: async (request) => unpackHistory(await link.request("subscribe", request)),
      onRefused: () => metrics.count("gong_refused_total", { reason: "overloaded" }),
    });
    this.#ahead = new ReadAhead({
      read: (...order) => this.#resumes.read(...order),
      peek: async (request) => unpackHistory(await link.request("history", request)),
      most: config.outbox,
      mayPeek: () => this.#resumes.takeSpare(),
    });
    this.#hosting = new Hosting<Joining>({
      read: (...order) => (order[0].moved ? this.#resumes : this.#ahead).read(...order),
      limit: { bytes: bytesPerTurn(config.outbox) },
      pause: () => new Promise((resolve) => setImmediate(resolve)),
      seen: () => this.#bus.last,
      release: (channel) => link.notify("unsubscribe", channel),
      live: (publications) => this.#deliver(publications),
      lost: (channel, position) => this.#lose(channel, position),
      isHeard: (channel) => this.#fanout.has(channel),
    });
    this.#tracer = new Tracer({
      deliver: (publications) => this.#fanout.deliver(publications),
      tell: (counts) => link.notify("traced", counts),
      turn,
    });
    const presenceOf = compilePresence(config);
    this.subscriptions = new Subscriptions({
      hosting: this.#hosting,
      fanout: this.#fanout,
      max: config.maxSubscriptions,
      outbox: config.outbox,
      onChange: (session, channel, isThere) => {
        if (presenceOf(channel) !== "off") link.notify("present", { session: session.id, channel, isThere });
      },
      onMissed: (outcome, publications) => {
        this.#count(outcome);
        this.#tracer.missed(publications, outcome.dropped === 0);
      },
    });
    const gaps = metrics.counter("gong_bus_gaps_total");
    this.#bus = new BusReceiver(options.busName, options.last, {
      batch: (batch) => {
        this.#inbox.add(batch);
        this.#schedule();
      },
      replay: (from) => link.request("replay", from),
      gap: () => gaps.value++,
      lost: () => this.#loseBatches(),
    });
  }

  /** Number of the last batch that the bus has brought. */
  get seen(): number {
    return this.#bus.last;
  }

  /** Number of the last batch that was delivered. */
  get delivered(): number {
    return this.#inbox.last;
  }

  /** Whether somebody here hears the channel: it is known where it stands. */
  hears(channel: string): boolean {
    return this.#hosting.position(channel) !== undefined;
  }

  /** The hub wonders how far this edge is: its newest batch has this number. */
  remind(last: number): void {
    this.#inbox.acknowledge();
    this.#bus.remind(last);
  }

  /** Something of these channels was never announced: what came before is delivered first. */
  repair(channels: readonly string[]): void {
    this.#takeInbox(true);
    this.#hosting.repair(channels);
  }

  /** The session has queued something: it is flushed at the end of this turn, and again until nothing is left. */
  queue(session: Session): void {
    this.#flusher.add(session);
    if (!this.#pace.isResting) return this.#schedule();
    if (this.#flushing) return;
    this.#flushing = true;
    this.#options.turn.end(() => {
      this.#flushing = false;
      this.#flusher.flush();
    });
  }

  close(): void {
    this.#flusher.close();
    this.#pace.close();
    this.#resumes.close();
    this.#ahead.close();
    this.#bus.close();
  }

  /** What this turn brings is handled at its end; what is too much for it, in the next. */
  #schedule(isRest = false): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const handle = () => {
      this.#scheduled = false;
      const before = this.#delivered.value;
      this.#takeInbox();
      this.#flusher.flush();
      return Math.min(this.#delivered.value - before, this.#options.sessions());
    };
    if (isRest) setImmediate(() => this.#pace.run(handle));
    else this.#pace.schedule(handle);
  }

  /** Delivers what the bus brought, a bounded part of it unless `all`. The rest follows in the next turn. */
  #takeInbox(all = false): void {
    const batches = this.#inbox.take(all);
    if (batches.length === 0) return;
    if (!this.#inbox.isEmpty) this.#schedule(true);
    const publications: Publication[] = [];
    for (const batch of batches) decodeBatch(batch, (channel) => this.#hosting.has(channel), publications);
    this.#hosting.receive(publications);
    this.#inbox.delivered(batches);
    if (publications.length === 0) return;
    const { born } = readBatchHead(batches[0]!);
    const waited = performance.timeOrigin + performance.now() - born;
    this.#latency.observe(Math.max(0, waited) / 1000, publications.length);
  }

  /** What came before the loss is delivered first: the channels stand behind it. */
  #loseBatches(): void {
    this.#takeInbox(true);
    this.#hosting.repairAll();
  }

  #lose(channel: string, position: Position): void {
    this.#options.log.warning("channel.lost", { epoch: position.epoch, offset: position.offset });
    this.#fanout.moved(channel, position);
    for (const session of [...this.#fanout.listeners(channel)]) session.door.lost(session, channel, position);
  }

  #deliver(publications: readonly Publication[]): void {
    if (!this.#fanout.has(ADMIN_CHANNEL)) return this.#count(this.#tracer.deliver(publications));
    // Who looks at the figures is not in them.
    this.#fanout.deliver(publications.filter(({ channel }) => channel === ADMIN_CHANNEL));
    this.#count(this.#tracer.deliver(publications.filter(({ channel }) => channel !== ADMIN_CHANNEL)));
  }

  #count({ delivered, dropped }: Outcome): void {
    this.#delivered.value += delivered;
    if (dropped > 0) this.#options.metrics.count("gong_dropped_total", { reason: "slow" }, dropped);
  }
}
