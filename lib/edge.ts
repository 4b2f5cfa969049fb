/**
 * What a worker isolate owns: its sessions, what they ask of the hub, and what the hub asks of them.
 *
 * @module
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Auth } from "./auth.ts";
import type { Credentials } from "./auth/credentials.ts";
import { sizeOf } from "./bytes.ts";
import type { Config } from "./config.ts";
import type { ConsumeOptions, Consumer, SubscribeAnswer } from "./door.ts";
import { admit, namedOf } from "./edge/admitting.ts";
import { Admission } from "./edge/admission.ts";
import { Consumers } from "./edge/consumers.ts";
import { Delivery } from "./edge/delivery.ts";
import { Expected } from "./edge/expected.ts";
import { Identities } from "./edge/identities.ts";
import { Messaging } from "./edge/messaging.ts";
import { type Arrival, type Given, Moving } from "./edge/moving.ts";
import { Orders } from "./edge/orders.ts";
import { Parting, RETURN } from "./edge/parting.ts";
import { Registry } from "./edge/registry.ts";
import { Returning } from "./edge/returning.ts";
import { Submissions } from "./edge/submissions.ts";
import { Underway } from "./edge/underway.ts";
import { WaitingRoom } from "./edge/waiting.ts";
import { EdgeWhereabouts } from "./edge/whereabouts.ts";
import type { EngineServer } from "./engineio/engine.ts";
import type { PackedSession } from "./engineio/orders.ts";
import { type ErrorCode, GongError } from "./errors.ts";
import { ADMIN_CHANNEL } from "./reserved.ts";
import { compileHistory, compilePresence } from "./channel_rules.ts";
import type { Link } from "./link.ts";
import type { Fields, Logger } from "./log.ts";
import type { ConsumerSettling, EdgeMethods, HubMethods } from "./methods.ts";
import type { Metrics } from "./metrics.ts";
import type { Session } from "./session.ts";
import type { CloseReason, SessionHost, SessionLimits } from "./session/host.ts";
import { Turn } from "./turn.ts";
import type { Draft, PageRequest, Position, PresencePage, PublishResult, Start } from "./types.ts";

/** How long what is queued to a session that ends may take to leave, in seconds; of a drain, the first so much. */
const LINGER = 5;
const OF_DRAIN = 0.9;
/** How long the last answers may take to leave when no session is left, in milliseconds. */
const LAST_ANSWERS = 500;
/** How long a closing handshake may take until its socket counts as stuck, in milliseconds. */
const STUCK = 2000;

/** What the hub asks of sessions that it knows to be here. */
const BY_ID = [
  ...["session", "closeSession", "signal", "disconnect", "subscribeSessions", "unsubscribeSessions"] as const,
  ...["refused", "supersede"] as const,
];

/** What an edge is made of. */
export interface EdgeOptions {
  readonly config: Config;
  /** Counts edges of this process, restarted ones too; part of every session's id. */
  readonly number: number;
  readonly busName: string;
  /** Number of the last batch that this edge need not see. */
  readonly last: number;
  readonly link: Link<HubMethods>;
  /** 32 bytes that all edges share, those after a restart too. */
  readonly seal: Uint8Array;
  readonly auth: Auth;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** The isolate's; its link has the same. */
  readonly turn?: Turn;
  /** Brings figures up to date that the edge does not know. */
  readonly measure?: () => void;
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
  /** Stops accepting connections; resolves when the last answer has been sent. For {@linkcode EdgeMethods.drain}. */
  readonly stop?: () => Promise<void>;
  /** Resolves when no request is being answered. */
  readonly answered?: () => Promise<void>;
}

/** One edge. */
export class Edge implements SessionHost<Session> {
  readonly limits: SessionLimits;
  readonly registry: Registry;
  readonly messaging: Messaging;
  readonly returning: Returning;
  /** Sockets whose clients are not known yet. */
  readonly waiting: WaitingRoom;
  /** Where sessions of Engine.IO are. */
  readonly whereabouts: EdgeWhereabouts;
  /** Answers other edges, if sessions of Engine.IO are served here; set by whoever does. */
  engine: Pick<EngineServer, "serve" | "abandon" | "give" | "drain"> | undefined;
  readonly #options: EdgeOptions;
  readonly #limitsOf: ReturnType<typeof compileHistory>;
  readonly #presenceOf: ReturnType<typeof compilePresence>;
  readonly #admission = new Admission();
  readonly #delivery: Delivery;
  /** Of messages. */
  readonly #underway: Underway;
  readonly #submissions: Submissions;
  readonly #consumers: Consumers;
  readonly #identities: Identities;
  readonly #orders: Orders;
  readonly #expected = new Expected();
  readonly #moving: Moving;
  readonly #sweep: ReturnType<typeof setInterval>;
  #isExhausted = false;

  constructor(options: EdgeOptions) {
    const { config, metrics, auth, link, turn = new Turn(), now = Date.now } = options;
    this.#options = options;
    this.limits = {
      maxMessage: config.maxMessage,
      maxSubscriptions: config.maxSubscriptions,
      messages: { rate: config.messageRate, burst: config.messageRate * 2 },
      outbox: config.outbox,
    };
    this.#limitsOf = compileHistory(config);
    this.#presenceOf = compilePresence(config);
    this.registry = new Registry(options.number, metrics, Math.min(config.ping * 1000, STUCK));
    const { maxMessage, messages } = this.limits;
    this.waiting = new WaitingRoom(this.registry, { bytes: maxMessage, frames: messages.burst });
    this.#delivery = new Delivery({ ...options, turn, sessions: () => this.registry.size });
    this.#underway = new Underway(config.busLag);
    this.messaging = new Messaging({ ...options, underway: this.#underway, maxMessage: config.maxMessage });
    this.#submissions = new Submissions({ auth, link, underway: this.#underway });
    this.#consumers = new Consumers({ auth, link, outbox: config.outbox, max: config.maxSubscriptions });
    const { subscriptions } = this.#delivery;
    this.#identities = new Identities({ auth, link, subscriptions, consumers: this.#consumers, now });
    this.#orders = new Orders(this.registry, this.#delivery.subscriptions);
    const expected = this.#expected;
    this.whereabouts = new EdgeWhereabouts({ ...options, expected });
    this.returning = new Returning({ ...options, expected, registry: this.registry });
    this.#moving = new Moving({
      ...{ ...options, registry: this.registry, delivery: this.#delivery },
      began: (session) => this.#identities.began(session),
      left: (session) => this.#forget(session),
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
    this.registry.add(session);
    const asked = admit(session, this.#options.link, this.#delivery);
    this.#identities.began(session);
    session.door.opened(session);
    try {
      // Those first that it resumes: where it stands in them belongs into every cursor that it is told.
      const { starts } = session.options;
      for (const [channel, start] of starts) session.subscribe(channel, start);
      for (const channel of namedOf(session)) if (!starts.has(channel) && channel !== asked) session.subscribe(channel);
    } catch (error) {
      session.refuse(error);
    }
  }

  /** Hands a session over to another edge. @throws {GongError} as {@linkcode Moving.give} does */
  give(session: Session): Promise<Given> {
    return this.#moving.give(session);
  }

  /** Goes on with a session that comes from another edge, on a carrier that is open. */
  receive(packed: PackedSession, arrival: Arrival): Session {
    return this.#moving.receive(this, packed, arrival);
  }

  /** Rights have changed: sessions keep what they have still a right to. @param withdrawn names of keys */
  judgeAll(withdrawn: readonly string[]): void {
    this.#identities.judgeAll(this.registry.all(), withdrawn);
  }

  close(): void {
    clearInterval(this.#sweep);
    this.messaging.close();
    this.#identities.close();
    this.#delivery.close();
  }

  // What sessions ask.

  may(session: Session, action: "subscribe" | "publish", channel: string): boolean {
    return this.#options.auth.may(session.grant, action, channel);
  }

  async publish(draft: Draft): Promise<PublishResult> {
    const { link } = this.#options;
    const order = { drafts: [draft], atomic: false };
    const [result] = await this.#underway.during(sizeOf(draft), () => link.request("publish", order));
    return result!;
  }

  post(session: Session, draft: Draft): void {
    try {
      this.#underway.add(sizeOf(draft));
    } catch (error) {
      return session.door.refused(session, GongError.from(error));
    }
    this.#options.link.notify("post", draft);
  }

  submit(
    session: Session,
    drafts: readonly Draft[],
    settled?: readonly ConsumerSettling[],
  ): Promise<readonly Position[]> {
    return this.#submissions.submit(session, drafts, settled);
  }

  consume(session: Session, queue: string, options: ConsumeOptions): Consumer {
    return this.#consumers.consume(session, queue, options);
  }

  queues(session: Session): readonly string[] {
    return this.#consumers.queues(session);
  }

  subscribe(session: Session, channel: string, start: Start | undefined, answer?: SubscribeAnswer): void {
    this.#delivery.subscriptions.begin(session, channel, { start, answer });
  }

  unsubscribe(session: Session, channel: string, only?: SubscribeAnswer): void {
    this.#delivery.subscriptions.end(session, channel, only);
  }

  recode(session: Session): void {
    this.#delivery.subscriptions.recode(session);
  }

  identify(session: Session, said: Credentials): Promise<void> {
    return this.#identities.identify(session, said);
  }

  authenticate(session: Session, token: string): Promise<{ readonly user: string; readonly until: number }> {
    return this.#identities.authenticate(session, token);
  }

  // deno-lint-ignore require-await -- so that a throw becomes a rejection
  async presence(session: Session, channel: string, page: PageRequest): Promise<PresencePage> {
    if (!this.may(session, "subscribe", channel)) {
      throw new GongError("forbidden", `Listening to ${channel} is not allowed.`);
    }
    if (this.#presenceOf(channel) === "off") throw new GongError("forbidden", `${channel} has no presence.`);
    return this.#options.link.request("presence", { channel, ...page });
  }

  countRefusal(code: ErrorCode): void {
    this.#options.metrics.count("gong_refused_total", { reason: code });
  }

  noteRefusal(
    session: Session,
    code: ErrorCode,
    { channel, isFirst }: { readonly channel?: string | undefined; readonly isFirst: boolean },
  ): void {
    this.countRefusal(code);
    this.#log(session, "connect.refused", { ...channel === undefined ? {} : { channel }, code }, !isFirst);
  }

  cursor(session: Session): string {
    return this.#delivery.subscriptions.cursor(session);
  }

  queue(session: Session): void {
    this.#delivery.queue(session);
  }

  opened(session: Session): void {
    // One that has moved here is open already, for the log.
    if (session.options.since === undefined) this.#log(session, "session.open", {});
    if (this.#isDraining) session.dismiss(RETURN);
  }

  leave(session: Session, reason: CloseReason, code: number): void {
    this.#forget(session);
    this.registry.leave(session, reason);
    this.#options.link.notify("release", session.id);
    this.#log(session, "session.close", { code, reason });
  }

  #forget(session: Session): void {
    this.#delivery.subscriptions.endAll(session);
    this.#consumers.leave(session);
    this.#identities.left(session);
    this.messaging.leave(session);
  }

  #log(
    { options, user }: Session,
    event: string,
    rest: Fields,
    isBrief: boolean = options.door.isBrief ?? false,
  ): void {
    const { log } = this.#options;
    const { id, door, address } = options;
    const fields = { session: id, door: door.name, address, ...user === undefined ? {} : { user }, ...rest };
    if (isBrief) log.debug(event, fields);
    else log.info(event, fields);
  }

  get linger(): number {
    return this.#isDraining ? this.#drainLeft * OF_DRAIN : LINGER;
  }

  get #isDraining(): boolean {
    return this.#admission.drainsUntil !== undefined;
  }

  /** What is left of the drain, in seconds. */
  get #drainLeft(): number {
    return Math.max(0, (this.#admission.drainsUntil ?? 0) - performance.now()) / 1000;
  }

  closing(session: Session): void {
    this.registry.closing(session);
  }

  gone(session: Session): void {
    this.#moving.gone(session);
    this.registry.gone(session);
  }

  // What the hub asks.

  methods(): Omit<EdgeMethods, "reconfigure"> {
    const { auth, metrics } = this.#options;
    const { registry } = this;
    return this.#expected.there<Omit<EdgeMethods, "reconfigure">>({
      remind: (last) => this.#delivery.remind(last),
      repair: (channels) => this.#delivery.repair(channels),
      beat: () => this.#checkStuck(),
      samples: () => {
        this.#checkStuck();
        registry.measure();
        metrics.gauge("gong_questions", {}, this.messaging.questions);
        this.#options.measure?.();
        return metrics.samples();
      },
      sessions: ({ limit, after }) => ({ sessions: registry.page(limit, after), total: registry.size }),
      session: (id) => registry.get(id)?.info(this.#options.number),
      closeSession: (order) => this.#orders.close(order),
      signal: (order) => this.#orders.signal(order),
      answer: ({ reply, signal }) => this.messaging.answered(reply, signal),
      disconnect: (order) => this.#orders.disconnect(order),
      subscribeSessions: (order) => this.#orders.subscribe(order),
      unsubscribeSessions: (order) => this.#orders.unsubscribe(order),
      refused: (order) => this.#orders.refused(order),
      assign: (order) => this.#consumers.assign(order),
      engine: (order) => this.engine?.serve(order) ?? Promise.reject(new GongError("not_found")),
      abandonPoll: (sid) => this.engine?.abandon(sid),
      give: (sid) => this.engine?.give(sid) ?? Promise.reject(new GongError("not_found")),
      supersede: (id) => this.#orders.supersede(id),
      credit: (bytes) => this.#underway.remove(bytes),
      block: ({ address, until }) => auth.block(address, until),
      revoke: (login) => this.#revoke(login),
      full: ({ isFull, address }) => this.#admission.setFull(isFull, address),
      pressure: (on) => void (this.#admission.isPressed = on),
      shed: (bytes) => registry.shed(bytes),
      drain: (seconds) => this.#drain(seconds),
      vacate: (seconds) => this.#vacate(seconds),
    }, BY_ID);
  }

  #revoke(login: string): void {
    this.#options.auth.revoke(login);
    // What a login has opened ends with it.
    for (const session of [...this.registry.all()]) {
      if (session.grant?.login === login) session.close("unauthorized", "The login has ended.");
    }
  }

  /** Asks, once, to be replaced: only the end of its isolate frees sockets that do not go. */
  #checkStuck(): void {
    const { bytes } = this.registry.stuck();
    if (this.#isExhausted || bytes <= this.#options.config.stuckBudget) return;
    this.#isExhausted = true;
    this.#options.link.notify("exhausted", bytes);
  }

  /** New clients are refused and told when to come: where no other server is, nobody would say so. */
  async #drain(seconds: number): Promise<void> {
    this.#beginDrain(seconds);
    const parting = new Parting([...this.registry.all()], { seconds });
    await this.registry.empty(seconds);
    parting.stop();
    const { answered, stop } = this.#options;
    if (answered) await Promise.race([answered(), delay(this.#drainLeft * 1000)]);
    if (stop) await Promise.race([stop(), delay(LAST_ANSWERS)]);
  }

  async #vacate(seconds: number): Promise<void> {
    // New clients come to the other edges at once.
    const stopped = this.#options.stop?.();
    this.#beginDrain(seconds);
    for (const session of [...this.registry.all()]) session.close("going_away");
    await this.registry.empty(seconds);
    if (stopped) await Promise.race([stopped, delay(LAST_ANSWERS)]);
  }

  #beginDrain(seconds: number): void {
    this.#admission.drainsUntil = performance.now() + seconds * 1000;
    this.waiting.close();
    this.engine?.drain();
  }

  #sweepOut(): void {
    const dead = [...this.registry.all()].filter((session) => session.isDead());
    for (const session of dead) session.abandon("stalled");
    for (const session of this.registry.all()) session.beat();
    this.#options.log.debug("sessions.sweep", { sessions: this.registry.size, dead: dead.length });
  }
}
