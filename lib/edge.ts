/**
 * What a worker isolate owns: its sessions, what they ask of the hub, and what the hub asks of them.
 *
 * @module
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Auth, Grant } from "./auth.ts";
import { sizeOf } from "./bytes.ts";
import type { Config } from "./config.ts";
import type { Content, Door, SignalTarget, SubscribeAnswer } from "./door.ts";
import { Admission } from "./edge/admission.ts";
import { Delivery } from "./edge/delivery.ts";
import { Registry } from "./edge/registry.ts";
import { type ErrorCode, GongError } from "./errors.ts";
import { ADMIN_CHANNEL } from "./reserved.ts";
import { compileHistory } from "./channel_rules.ts";
import type { Link } from "./link.ts";
import type { Fields, Logger } from "./log.ts";
import { creditAfter, type EdgeMethods, type HubMethods } from "./methods.ts";
import type { Metrics } from "./metrics.ts";
import type { CloseReason, Session, SessionHost, SessionLimits } from "./session.ts";
import { Turn } from "./turn.ts";
import type { Asked, Draft, PageRequest, PresencePage, PublishResult, Signal, Start } from "./types.ts";

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
  readonly #limitsOf: ReturnType<typeof compileHistory>;
  readonly #admission = new Admission();
  readonly #delivery: Delivery;
  readonly #sweep: ReturnType<typeof setInterval>;
  /** Bytes of publications that the hub has not dealt with, as far as it has said. */
  #publishing = 0;
  #isExhausted = false;
  /** How long the drain may take, in seconds, once it has begun. */
  #draining: number | undefined;

  constructor(options: EdgeOptions) {
    const { config, metrics, turn = new Turn() } = options;
    this.#options = options;
    this.limits = {
      maxMessage: config.maxMessage,
      messages: { rate: config.messageRate, burst: config.messageRate * 2 },
      outbox: config.outbox,
    };
    this.#limitsOf = compileHistory(config);
    this.registry = new Registry(options.number, metrics, Math.min(config.ping * 1000, STUCK));
    this.#delivery = new Delivery({ ...options, turn, sessions: () => this.registry.size });
    this.#sweep = setInterval(() => this.#sweepOut(), config.ping * 1000);
  }

  /**
   * Whether a session of this address may begin. Answered at once, from what the hub has told: a handshake that has to
   * wait is one whose client may leave meanwhile, and Deno never lets go of such a connection.
   *
   * @throws {GongError} `going_away`, `overloaded` or `too_many`
   */
  checkRoom(address: string): void {
    this.#admission.check(address);
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
    const { id: user, info } = session.grant?.user ?? {};
    this.registry.add(session);
    const admission = user === undefined
      ? { id, address }
      : { id, address, user, ...(info === undefined ? {} : { info }) };
    this.#options.link.request("admit", admission).catch((error) => session.refuse(error));
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
    this.#delivery.close();
  }

  // What sessions ask.

  may(session: Session, action: "subscribe" | "publish", channel: string): boolean {
    return this.#options.auth.may(session.grant, action, channel);
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
    this.#delivery.subscriptions.begin(session, channel, start, answer);
  }

  unsubscribe(session: Session, channel: string): void {
    this.#delivery.subscriptions.end(session, channel);
  }

  authenticate(_session: Session, _token: string): Promise<{ readonly user: string; readonly until: number }> {
    throw new GongError("internal", "unfinished");
  }

  send(_session: Session, _target: SignalTarget, _content: Content): Promise<number> {
    throw new GongError("internal", "unfinished");
  }

  ask(_session: Session, _target: SignalTarget, _content: Content, _seconds: number): Promise<Asked> {
    throw new GongError("internal", "unfinished");
  }

  answer(_session: Session, _reply: string, _content: Content): Promise<void> {
    throw new GongError("internal", "unfinished");
  }

  presence(_session: Session, _channel: string, _page: PageRequest): Promise<PresencePage> {
    throw new GongError("internal", "unfinished");
  }

  countRefusal(code: ErrorCode): void {
    this.#options.metrics.count("gong_refused_total", { reason: code });
  }

  cursor(session: Session): string {
    return this.#delivery.subscriptions.cursor(session);
  }

  queue(session: Session): void {
    this.#delivery.queue(session);
  }

  opened(session: Session): void {
    const { id, door, address } = session.options;
    this.#log(door, "session.open", { session: id, door: door.name, address });
    if (this.#draining !== undefined) session.close("going_away");
  }

  leave(session: Session, reason: CloseReason, code: number): void {
    this.#delivery.subscriptions.endAll(session);
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
      remind: (last) => this.#delivery.remind(last),
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
      signal: ({ sessions, signal }) => this.#signal(sessions, signal),
      answer: unfinished,
      disconnect: unfinished,
      subscribeSessions: unfinished,
      unsubscribeSessions: unfinished,
      refused: ({ session: id, refusal }) => {
        const session = registry.get(id);
        session?.door.refused(session, GongError.fromRefusal(refusal));
      },
      credit: (bytes) => void (this.#publishing -= bytes),
      block: ({ address, until }) => auth.block(address, until),
      revoke: (login) => this.#revoke(login),
      full: ({ isFull, address }) => this.#admission.setFull(isFull, address),
      pressure: (on) => void (this.#admission.isPressed = on),
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
      const { grant } = session;
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

  #signal(ids: readonly string[] | "all", signal: Signal): number {
    let reached = 0;
    for (const session of ids === "all" ? this.registry.all() : new Set(ids.map((id) => this.registry.get(id)))) {
      if (!session) continue;
      session.door.signal(session, signal);
      reached++;
    }
    return reached;
  }

  async #drain(seconds: number): Promise<void> {
    this.#draining = seconds;
    this.#admission.isDraining = true;
    const stopped = this.#options.stop?.();
    for (const session of [...this.registry.all()]) session.close("going_away");
    await this.registry.empty(seconds);
    if (stopped) await Promise.race([stopped, delay(LAST_ANSWERS)]);
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

function unfinished(): never {
  throw new GongError("internal", "unfinished");
}

function tooMuch(): GongError {
  return new GongError("overloaded", undefined, { retryAfter: 1 });
}
