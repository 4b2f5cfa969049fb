/**
 * What a worker isolate owns: its sessions, the channels they hear, and the way from the bus to their sockets.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import { setTimeout as delay } from "node:timers/promises";
import type { Outcome } from "./audience.ts";
import type { Auth, Grant } from "./auth.ts";
import { BusReceiver, bytesPerTurn } from "./bus.ts";
import { sizeOf } from "./bytes.ts";
import { decodeBatch, readBatchHead } from "./codecs/batch.ts";
import type { Config } from "./config.ts";
import type { Door, SubscribeAnswer } from "./door.ts";
import { GongError } from "./errors.ts";
import { Fanout } from "./edge/fanout.ts";
import { Flusher } from "./edge/flusher.ts";
import { ADMIN_CHANNEL } from "./globs.ts";
import { compileHistory } from "./history_limits.ts";
import { Hosting } from "./edge/hosting.ts";
import { Inbox } from "./edge/inbox.ts";
import type { Link } from "./link.ts";
import type { Fields, Logger } from "./log.ts";
import { creditAfter, type EdgeMethods, fullError, type HubMethods } from "./methods.ts";
import type { Histogram, Metrics } from "./metrics.ts";
import { Pace } from "./edge/pace.ts";
import { Registry } from "./edge/registry.ts";
import type { CloseReason, Session, SessionHost, SessionLimits } from "./session.ts";
import { Subscriptions } from "./edge/subscriptions.ts";
import { Tracer } from "./edge/tracer.ts";
import { Turn } from "./turn.ts";
import { Resumes } from "./edge/resumes.ts";
import type { Data, Draft, Position, Publication, PublishResult, Start } from "./types.ts";

/** How long what is queued to a session that ends may take to leave, in seconds; of a drain, the first so much. */
const LINGER = 5;
const OF_DRAIN = 0.9;
/** How long the last answers may take to leave when no session is left, in milliseconds. */
const LAST_ANSWERS = 500;
/** How long a closing handshake may take until its socket counts as stuck, in milliseconds. */
const STUCK = 2000;

/** What an edge is made of. */
export interface EdgeOptions {
  readonly config: Config;
  /** Counts edges of this process, restarted ones too; part of every session's id. */
  readonly number: number;
  readonly busName: string;
  /** Number of the last batch that this edge need not see. */
  readonly last: number;
  readonly link: Link<HubMethods>;
  readonly auth: Auth;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** The isolate's; its link has the same. */
  readonly turn?: Turn;
  /** Brings figures up to date that the edge does not know. */
  readonly measure?: () => void;
  /** Stops accepting connections; resolves when the last answer has been sent. For {@linkcode EdgeMethods.drain}. */
  readonly stop?: () => Promise<void>;
}

/** One edge. */
export class Edge implements SessionHost {
  readonly limits: SessionLimits;
  readonly registry: Registry;
  readonly #options: EdgeOptions;
  readonly #bus: BusReceiver;
  readonly #limitsOf: ReturnType<typeof compileHistory>;
  readonly #hosting: Hosting;
  readonly #resumes: Resumes;
  readonly #fanout: Fanout;
  readonly #turn: Turn;
  readonly #subscriptions: Subscriptions;
  readonly #tracer: Tracer;
  readonly #delivered: { value: number };
  readonly #gaps: { value: number };
  readonly #latency: Histogram;
  readonly #sweep: ReturnType<typeof setInterval>;
  readonly #inbox: Inbox;
  readonly #flusher = new Flusher();
  readonly #pace: Pace;
  #scheduled = false;
  #flushing = false;
  /** Bytes of publications that the hub has not dealt with, as far as it has said. */
  #publishing = 0;
  #pressure = false;
  /** No room for any more sessions, or for more of these addresses. */
  #isFull = false;
  #isExhausted = false;
  readonly #full = new Set<string>();
  /** How long that may take, in seconds, once it has begun. */
  #draining: number | undefined;

  constructor(options: EdgeOptions) {
    const { config, link, metrics } = options;
    this.#options = options;
    this.#turn = options.turn ?? new Turn();
    this.#pace = new Pace(this.#turn);
    this.limits = {
      maxMessage: config.maxMessage,
      messages: { rate: config.messageRate, burst: config.messageRate * 2 },
      outbox: config.outbox,
    };
    this.#limitsOf = compileHistory(config);
    this.#inbox = new Inbox({
      outbox: config.outbox,
      busLag: config.busLag,
      acknowledge: (last) => link.notify("acknowledge", last),
    });
    this.#delivered = metrics.counter("gong_delivered_total");
    this.#gaps = metrics.counter("gong_bus_gaps_total");
    this.#latency = metrics.histogram("gong_publish_to_write_seconds");
    this.registry = new Registry(options.number, metrics, Math.min(config.ping * 1000, STUCK));
    this.#fanout = new Fanout({ outbox: config.outbox, position: (channel) => this.#hosting.position(channel) });
    this.#resumes = new Resumes({
      rate: config.resumeRate,
      read: (request) => link.request("subscribe", request),
      onRefused: () => metrics.count("gong_refused_total", { reason: "overloaded" }),
    });
    this.#hosting = new Hosting({
      read: (...order) => this.#resumes.read(...order),
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
      turn: this.#turn,
    });
    this.#subscriptions = new Subscriptions({
      hosting: this.#hosting,
      fanout: this.#fanout,
      max: config.maxSubscriptions,
      outbox: config.outbox,
      onMissed: (outcome, publications) => {
        this.#count(outcome);
        this.#tracer.missed(publications, outcome.dropped === 0);
      },
    });
    this.#bus = new BusReceiver(options.busName, options.last, {
      batch: (batch) => {
        this.#inbox.add(batch);
        this.#schedule();
      },
      replay: (from) => link.request("replay", from),
      gap: () => this.#gaps.value++,
      lost: () => this.#loseBatches(),
    });
    this.#sweep = setInterval(() => this.#sweepOut(), config.ping * 1000);
  }

  /**
   * Whether a session of this address may begin. Answered at once, from what the hub has told: a handshake that has to
   * wait is one whose client may leave meanwhile, and Deno never lets go of such a connection.
   *
   * @throws {GongError} `going_away`, `overloaded` or `too_many`
   */
  checkRoom(address: string): void {
    if (this.#draining !== undefined) throw new GongError("going_away", undefined, { retryAfter: 1 });
    if (this.#pressure) throw new GongError("overloaded", "The server is short of memory.", { retryAfter: 5 });
    if (this.#isFull) throw fullError();
    if (this.#full.has(address)) throw fullError(address);
  }

  /** Whether what is published to the channel can be read afterwards. */
  keepsHistory(channel: string): boolean {
    const { count, bytes, age } = this.#limitsOf(channel);
    return channel !== ADMIN_CHANNEL && count > 0 && bytes > 0 && age > 0;
  }

  /**
   * Takes a session on as soon as its handshake is answered: it hears its channels from here on, from where this edge
   * stands, whatever the hub takes to say where that is. A session too many, which nobody here could know of, is closed.
   */
  begin(session: Session): void {
    const { id, address } = session.options;
    this.registry.add(session);
    this.#options.link.request("admit", { id, address }).catch((error) => session.refuse(error));
    session.door.opened(session);
    try {
      // Those first that it resumes: where it stands in them belongs into every cursor that it is told.
      const { starts } = session.options;
      for (const [channel, start] of starts) session.subscribe(channel, start);
      for (const channel of session.named) if (!starts.has(channel)) session.subscribe(channel);
    } catch (error) {
      session.refuse(error);
    }
  }

  close(): void {
    clearInterval(this.#sweep);
    this.#flusher.close();
    this.#pace.close();
    this.#resumes.close();
    this.#bus.close();
  }

  // What sessions ask.

  may(session: Session, action: "subscribe" | "publish", channel: string): boolean {
    return this.#options.auth.may(session.options.grant, action, channel);
  }

  async publish(draft: Draft): Promise<PublishResult> {
    const bytes = sizeOf(draft);
    if (!this.#canPublish(bytes)) return { error: tooMuch().toRefusal() };
    this.#publishing += bytes;
    try {
      const [result] = await this.#options.link.request("publish", { drafts: [draft], atomic: false });
      return result!;
    } finally {
      this.#publishing -= bytes;
    }
  }

  post(session: Session, draft: Draft): void {
    const bytes = sizeOf(draft);
    if (!this.#canPublish(bytes)) return session.door.refused(session, tooMuch());
    this.#publishing += bytes;
    this.#options.link.notify("post", draft);
  }

  #canPublish(bytes: number): boolean {
    const { busLag } = this.#options.config;
    return this.#publishing < creditAfter(busLag) || this.#publishing + bytes <= busLag;
  }

  subscribe(session: Session, channel: string, start: Start | undefined, answer?: SubscribeAnswer): void {
    this.#subscriptions.begin(session, channel, start, answer);
  }

  unsubscribe(session: Session, channel: string): void {
    this.#subscriptions.end(session, channel);
  }

  cursor(session: Session): string {
    return this.#subscriptions.cursor(session);
  }

  queue(session: Session): void {
    this.#flusher.add(session);
    if (!this.#pace.isResting) return this.#schedule();
    if (this.#flushing) return;
    this.#flushing = true;
    this.#turn.end(() => {
      this.#flushing = false;
      this.#flusher.flush();
    });
  }

  opened(session: Session): void {
    const { id, door, address } = session.options;
    this.#log(door, "session.open", { session: id, door: door.name, address });
    if (this.#draining !== undefined) session.close("going_away");
  }

  leave(session: Session, reason: CloseReason, code: number): void {
    this.#subscriptions.endAll(session);
    this.registry.leave(session, reason);
    this.#options.link.notify("release", session.id);
    const { id, door, address } = session.options;
    this.#log(door, "session.close", { session: id, door: door.name, address, code, reason });
  }

  #log({ isBrief }: Door, event: string, fields: Fields): void {
    const { log } = this.#options;
    if (isBrief) log.debug(event, fields);
    else log.info(event, fields);
  }

  get linger(): number {
    return this.#draining === undefined ? LINGER : this.#draining * OF_DRAIN;
  }

  closing(session: Session): void {
    this.registry.closing(session);
  }

  gone(session: Session): void {
    this.registry.gone(session);
  }

  // What the hub asks.

  methods(): EdgeMethods {
    const { auth, metrics } = this.#options;
    const { registry } = this;
    return {
      remind: (last) => {
        this.#inbox.acknowledge();
        this.#bus.remind(last);
      },
      beat: () => this.#checkStuck(),
      samples: () => {
        this.#checkStuck();
        registry.measure();
        this.#options.measure?.();
        return metrics.samples();
      },
      sessions: ({ limit, after }) => ({ sessions: registry.page(limit, after), total: registry.size }),
      session: (id) => registry.get(id)?.info(this.#options.number),
      closeSession: ({ id, code, reason }) => {
        const session = registry.get(id);
        session?.closeWith(code, reason, "forbidden");
        return session !== undefined;
      },
      signal: ({ sessions, data, contentType }) => this.#signal(sessions, data, contentType),
      refused: ({ session: id, refusal }) => {
        const session = registry.get(id);
        session?.door.refused(session, GongError.fromRefusal(refusal));
      },
      credit: (bytes) => void (this.#publishing -= bytes),
      block: ({ address, until }) => auth.block(address, until),
      revoke: (login) => this.#revoke(login),
      full: ({ isFull, address }) => this.#setFull(isFull, address),
      pressure: (on) => void (this.#pressure = on),
      shed: (bytes) => registry.shed(bytes),
      drain: (seconds) => this.#drain(seconds),
    };
  }

  #revoke(login: string): void {
    this.#options.auth.revoke(login);
    this.#endLogins((grant) => grant.login === login);
  }

  /** What a login has opened ends with it. */
  #endLogins(hasEnded: (grant: Grant) => boolean): void {
    for (const session of [...this.registry.all()]) {
      const { grant } = session.options;
      if (grant && hasEnded(grant)) session.close("unauthorized", "The login has ended.");
    }
  }

  /** Asks, once, to be replaced: only the end of its isolate frees sockets that do not go. */
  #checkStuck(): void {
    const { bytes } = this.registry.stuck();
    if (this.#isExhausted || bytes <= this.#options.config.stuckBudget) return;
    this.#isExhausted = true;
    this.#options.link.notify("exhausted", bytes);
  }

  #setFull(isFull: boolean, address?: string): void {
    if (address === undefined) this.#isFull = isFull;
    else if (isFull) this.#full.add(address);
    else this.#full.delete(address);
  }

  #signal(ids: readonly string[] | "all", data: Data, contentType: string): number {
    let reached = 0;
    for (const session of ids === "all" ? this.registry.all() : new Set(ids.map((id) => this.registry.get(id)))) {
      if (!session) continue;
      session.door.signal(session, data, contentType);
      reached++;
    }
    return reached;
  }

  async #drain(seconds: number): Promise<void> {
    this.#draining = seconds;
    const stopped = this.#options.stop?.();
    for (const session of [...this.registry.all()]) session.close("going_away");
    await this.registry.empty(seconds);
    if (stopped) await Promise.race([stopped, delay(LAST_ANSWERS)]);
  }

  // From the bus to the sockets.

  /** What this turn brings is handled at its end; what is too much for it, in the next. */
  #schedule(isRest = false): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const handle = () => {
      this.#scheduled = false;
      const before = this.#delivered.value;
      this.#takeInbox();
      this.#flusher.flush();
      return this.#delivered.value - before;
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

  #sweepOut(): void {
    const dead = [...this.registry.all()].filter((session) => session.isDead());
    for (const session of dead) session.abandon("stalled");
    for (const session of this.registry.all()) session.beat();
    const now = Date.now();
    this.#endLogins(({ until = Infinity }) => until <= now);
    this.#options.log.debug("sessions.sweep", { sessions: this.registry.size, dead: dead.length });
  }
}

function tooMuch(): GongError {
  return new GongError("overloaded", undefined, { retryAfter: 1 });
}
