/**
 * One client, whichever its door: its rights, its subscriptions, and the bounded queue to it.
 *
 * @module
 */
import type { Audience, Listener, Parcel } from "./audience.ts";
import type { Grant } from "./auth.ts";
import type { Credentials } from "./auth/credentials.ts";
import { byteLength } from "./bytes.ts";
import type { Carrier, CarrierEvents } from "./carrier.ts";
import type {
  ConsumeOptions,
  Consumer,
  Content,
  Door,
  DoorSession,
  Sent,
  SignalTarget,
  SubscribeAnswer,
} from "./door.ts";
import { type ErrorCode, ERRORS, GongError } from "./errors.ts";
import type { ConsumerSettling } from "./methods.ts";
import { setImmediate } from "node:timers";
import { TokenBucket } from "./rates.ts";
import { Outbox, type Outlet } from "./outbox.ts";
import { Periodic } from "./periodic.ts";
import { userChannel } from "./reserved.ts";
import type { CloseReason, SessionHost } from "./session/host.ts";
import { RoomQueue } from "./session/room.ts";
import { checkMayPublish, checkSize, signDraft } from "./session/says.ts";
import { NONE_PENDING, type PendingSubscription, type SessionOptions } from "./session/options.ts";
import type { Asked, Data, Draft, PageRequest, Position, PresencePage, SessionInfo, Start } from "./types.ts";

/** One client. */
export class Session implements DoorSession, Listener, CarrierEvents {
  options: SessionOptions;
  /** Who it is, as it was last known. */
  grant: Grant | undefined;
  /** When it connected, in milliseconds since 1970. */
  readonly since: number;
  /** Channels it hears now, in the order of subscribing; shared with all who hear the same. */
  channels: readonly string[] = NONE;
  /** Subscriptions that are not in force yet. */
  subscribing: readonly PendingSubscription[] = NONE_PENDING;
  /** Channels that the operator has it hear, whatever its rights. */
  imposed: Set<string> | undefined;
  seat = -1;
  readonly outbox: Outbox;
  /** Those who hear the same; set by whoever places it there. */
  #audience: Audience<Session> | undefined;
  readonly #carrier: Carrier;
  readonly #host: SessionHost<Session>;
  #isOpen = false;
  /** How to end it as soon as it is open and nothing is queued, or by then, by `performance.now()`. */
  #farewell: { readonly code: number; readonly message: string; readonly latest: number } | undefined;
  #bucket: TokenBucket | undefined;
  /** Publications; while it has a seat, the audience's own are to be added, and to the bytes sent. */
  #delivered = 0;
  /** How many bytes the socket had taken at the last sweep, and how many sweeps it has stood still. */
  #taken = 0;
  #sweeps = 0;
  #left = false;
  /** What it has published, and is not answered yet. */
  #unanswered = 0;
  /** When its client is to come back, in seconds, once it is {@linkcode dismiss}ed. */
  #retryAfter: number | undefined;
  #wasRefused = false;
  #waiting: RoomQueue | undefined;
  #periodic: Periodic | undefined;

  constructor(host: SessionHost<Session>, options: SessionOptions) {
    this.#host = host;
    this.options = options;
    this.grant = options.grant;
    this.since = options.since ?? Date.now();
    this.#carrier = options.carrier;
    this.outbox = new Outbox(options.carrier, host.limits.outbox);
    options.carrier.listen(this);
  }

  get id(): string {
    return this.options.id;
  }

  get user(): string | undefined {
    return this.grant?.user?.id;
  }

  get until(): number | undefined {
    return this.grant?.until;
  }

  /** The channel of its user, if it is somebody's. */
  get inbox(): string | undefined {
    const { user } = this;
    return user === undefined ? undefined : userChannel(user);
  }

  get door(): Door {
    return this.options.door;
  }

  get named(): readonly string[] {
    return this.options.channels;
  }

  get hasLeft(): boolean {
    return this.#left;
  }

  get cursor(): string {
    return this.#host.cursor(this);
  }

  /** Bytes between this server and the client: queued here or in its carrier. */
  get pending(): number {
    return this.outbox.pending;
  }

  /** Looks how much memory that takes, in bytes, at most. */
  weigh(): number {
    this.#audience?.setApart(this);
    return this.outbox.cost;
  }

  /** Whether it has left, and is only there until what is queued has left too. */
  get lingers(): boolean {
    return this.#left && !this.outbox.isEmpty;
  }

  /** Bytes that its socket holds and nobody takes any more. */
  get held(): number {
    return this.outbox.held;
  }

  /** Whether frames of these sizes, in bytes, may be queued to it. */
  hasRoomFor(sizes: readonly number[]): boolean {
    this.#audience?.setApart(this);
    return this.outbox.hasRoomFor(sizes);
  }

  /** Whether to wait is of no use: frames of these sizes may be queued to it, or never will, or it has left. */
  takes(sizes: readonly number[]): boolean {
    return this.#left || this.hasRoomFor(sizes) || this.#hasAllRoom;
  }

  /** Resolves when it {@linkcode takes} them; who has waited longer may have been faster then. */
  async room(sizes: readonly number[]): Promise<void> {
    if (this.takes(sizes)) return;
    const waiting = (this.#waiting ??= new RoomQueue()).wait(sizes);
    this.#host.queue(this);
    await waiting;
  }

  /** Whether somebody waits until there is room. */
  get isAwaited(): boolean {
    return this.#waiting !== undefined;
  }

  get outlet(): Outlet {
    return this.#carrier.outlet;
  }

  /** Whether it is the author of what comes from that session, and does not hear itself. */
  mutes(from: string | undefined): boolean {
    const { echo, id, formerly } = this.options;
    return !echo && from !== undefined && (from === id || formerly.includes(from));
  }

  info(edge: number): SessionInfo {
    const { id, door, address, userAgent } = this.options;
    const { since, pending, user } = this;
    // What it was told that it hears it does, also while it comes from another edge and that is under way here.
    const told = this.subscribing.filter(({ isTold }) => isTold).map(({ channel }) => channel);
    const channels = told.length === 0 ? this.channels : [...new Set([...this.channels, ...told])];
    const delivered = this.#delivered + this.#shared.publications;
    const who = user === undefined ? {} : { user };
    const consumed = this.#host.queues(this);
    const queues = consumed.length === 0 ? {} : { queues: consumed };
    return { id, door: door.name, address, userAgent, ...who, channels, ...queues, since, pending, delivered, edge };
  }

  get maxMessage(): number {
    return this.#host.limits.maxMessage;
  }

  get maxSubscriptions(): number {
    return this.#host.limits.maxSubscriptions;
  }

  get sent(): number {
    return this.outbox.sent + this.#shared.bytes;
  }

  // What doors do with a session.

  count(messages = 1): void {
    const { messages: limits } = this.#host.limits;
    this.#bucket ??= new TokenBucket(limits);
    // More than a burst are never there, and what is allowed has to be possible.
    if (!this.#bucket.take(Math.min(messages, limits.burst))) {
      throw new GongError("rate_limited", `At most ${limits.rate} messages a second.`);
    }
  }

  may(action: "subscribe" | "publish", channel: string): boolean {
    return this.#host.may(this, action, channel);
  }

  async publish(draft: Draft): Promise<Position & { readonly repeated?: true }> {
    checkMayPublish(this, draft.channel);
    const result = await this.#await(this.#host.publish(signDraft(this, draft)));
    if ("error" in result) throw GongError.fromRefusal(result.error);
    return result;
  }

  post(draft: Draft): void {
    checkMayPublish(this, draft.channel);
    this.#host.post(this, signDraft(this, draft));
  }

  submit(drafts: readonly Draft[], settled?: readonly ConsumerSettling[]): Promise<readonly Position[]> {
    return this.#await(this.#host.submit(this, drafts, settled));
  }

  consume(queue: string, options: ConsumeOptions): Consumer {
    return this.#host.consume(this, queue, options);
  }

  subscribe(channel: string, start?: Start, answer?: SubscribeAnswer): void {
    if (!this.may("subscribe", channel)) throw new GongError("forbidden", `Listening to ${channel} is not allowed.`);
    this.#host.subscribe(this, channel, start, answer);
  }

  unsubscribe(channel: string, only?: SubscribeAnswer): void {
    this.#host.unsubscribe(this, channel, only);
  }

  recode(): void {
    this.#host.recode(this);
  }

  identify(said: Credentials): Promise<void> {
    return this.#host.identify(this, said);
  }

  authenticate(token: string): Promise<{ readonly user: string; readonly until: number }> {
    return this.#host.authenticate(this, token);
  }

  send(target: SignalTarget, content: Content): Promise<Sent> {
    return this.#await(this.#host.messaging.send(this, target, content));
  }

  ask(target: SignalTarget, content: Content, seconds: number): Promise<Asked> {
    return this.#host.messaging.ask(this, target, content, seconds);
  }

  answer(reply: string, content: Content): Promise<void> {
    return this.#host.messaging.answer(this, reply, content);
  }

  presence(channel: string, page: PageRequest): Promise<PresencePage> {
    return this.#host.presence(this, channel, page);
  }

  every(seconds: number, action: () => unknown): void {
    if (this.#left) return;
    this.#periodic ??= new Periodic({ onError: (error) => this.door.refused(this, GongError.from(error)) });
    const half = [this.#host.limits.outbox / 2];
    this.#periodic.start(seconds * 1000, () => this.hasRoomFor(half) ? action() : undefined);
  }

  stop(): boolean {
    return this.#periodic?.stop() ?? false;
  }

  newPid(): string {
    return this.#host.returning.newPid();
  }

  remember(pid: string, state: string): Promise<void> {
    return this.#host.returning.remember(this, pid, state);
  }

  recall(pid: string): Promise<string | undefined> {
    return this.#host.returning.recall(this, pid);
  }

  returned(isRecovered: boolean): void {
    this.#host.returning.returned(this, isRecovered);
  }

  forget(pid: string): void {
    this.#host.returning.forget(pid);
  }

  countRefusal(code: ErrorCode): void {
    this.#host.countRefusal(code);
  }

  noteRefusal(code: ErrorCode, channel?: string): void {
    this.#host.noteRefusal(this, code, { channel, isFirst: !this.#wasRefused });
    this.#wasRefused = true;
  }

  write(data: Data): void {
    if (this.#left) return;
    this.#enqueue(data, byteLength(data));
  }

  close(code: ErrorCode, message: string = ERRORS[code].text): void {
    this.closeWith(ERRORS[code].close, message, code);
  }

  leave(): void {
    this.closeWith(NORMAL, "", "client");
  }

  closeWith(closeCode: number, message: string, reason: CloseReason): void {
    if (this.#left) return;
    // Before it is open, what is queued is no answer to anything the client has said.
    if (!this.#isOpen) this.outbox.drop();
    this.#end(closeCode, message, reason, this.#isOpen);
  }

  /** Whether its clients come and go with every request. */
  get isBrief(): boolean {
    return this.door.isBrief ?? false;
  }

  /**
   * The server goes away: takes nothing more in, and ends it as soon as what it has published is answered.
   *
   * @param retryAfter when its client is to come back, in seconds
   */
  dismiss(retryAfter: number): void {
    this.#retryAfter ??= retryAfter;
    if (this.#unanswered === 0) this.close("going_away");
  }

  /** Ends it without these answers, if it was {@linkcode dismiss}ed. */
  hurry(): void {
    if (this.#retryAfter !== undefined) this.close("going_away");
  }

  /** Counts what its client waits for. */
  #await<T>(answer: Promise<T>): Promise<T> {
    this.#unanswered++;
    answer.then(this.#answered, this.#answered);
    return answer;
  }

  /** The answer itself is written in the same turn. */
  readonly #answered = (): void => {
    this.#unanswered--;
    const retryAfter = this.#retryAfter;
    if (retryAfter !== undefined && !this.#left) setImmediate(() => this.dismiss(retryAfter));
  };

  /** Ends it without what is queued, which its peer does not take. */
  abandon(code: ErrorCode, message: string = ERRORS[code].text): void {
    if (this.#left) return;
    this.outbox.drop();
    this.#end(ERRORS[code].close, message, code, false);
  }

  /** Ends it without a word: its client goes on with another. */
  supersede(): void {
    if (this.#left) return;
    this.outbox.drop();
    this.#leave("recovered", NORMAL);
    this.#part(NORMAL, "");
  }

  /** @param isWhole whether it is given everything up to where it stands */
  #end(closeCode: number, message: string, reason: CloseReason, isWhole: boolean): void {
    const { door } = this;
    const cursor = door.farewell && isWhole ? this.cursor : "";
    this.#leave(reason, closeCode);
    const retry = reason in ERRORS && ERRORS[reason as ErrorCode].retry;
    const retryAfter = this.#retryAfter;
    const words = door.farewell?.({
      ...{ code: reason, message, retry },
      ...retryAfter === undefined ? {} : { retryAfter },
      ...cursor === "" ? {} : { cursor },
    });
    for (const frame of words === undefined ? [] : [words].flat()) this.outbox.add(frame, byteLength(frame));
    this.#part(closeCode, message);
  }

  #part(code: number, message: string): void {
    this.#farewell = { code, message, latest: performance.now() + this.#host.linger * 1000 };
    if (!this.flush()) this.#host.queue(this);
  }

  // What the edge does with it.

  /**
   * Hands it what its channels brought; at once, or behind what is queued already.
   *
   * @returns whether it was taken; if not, the session is too slow and was closed
   */
  deliver({ frames, bytes, count }: Parcel): boolean {
    this.#audience?.setApart(this);
    // As soon as nothing is left of what kept it from its seat, it has one again.
    this.outbox.look();
    for (let i = 0; i < frames.length && !this.#left; i++) {
      if (this.#isOpen && this.outbox.pass(frames[i]!, bytes[i]!)) continue;
      this.#enqueue(frames[i]!, bytes[i]!);
    }
    if (this.#left) return false;
    this.#delivered += count;
    this.#takeSeat();
    return true;
  }

  /** Is another's from now on, who has been it before. It hears nothing yet. */
  rename(id: string): void {
    this.options = { ...this.options, id };
  }

  /** Goes on elsewhere: here it is no more, without a word. Returns what was queued to it, and how much it was given. */
  give(): { readonly frames: readonly Data[]; readonly delivered: number } {
    this.#audience?.setApart(this);
    const given = { frames: this.outbox.take(), delivered: this.#delivered };
    this.#left = true;
    this.#isOpen = false;
    this.#periodic?.stop();
    if (this.#waiting) this.#letIn(this.#waiting);
    return given;
  }

  /** Goes on with what was queued to it elsewhere. */
  resume({ frames, delivered }: { readonly frames: readonly Data[]; readonly delivered: number }): void {
    this.#delivered = delivered;
    for (const frame of frames) this.write(frame);
  }

  account(bytes: number, publications: number): void {
    this.outbox.sent += bytes;
    this.#delivered += publications;
  }

  /** Hears with this audience from now on, or with none. */
  join(audience: Audience<Session> | undefined): void {
    this.#audience?.delete(this);
    this.#audience = audience;
    audience?.add(this);
    this.#takeSeat();
  }

  /**
   * Sends what is queued, as far as the socket may hold it, joined where the door's wire allows it.
   *
   * @returns false when there is more to send: to be called again soon
   */
  flush(): boolean {
    if (!this.#isOpen) return true;
    const farewell = this.#farewell;
    const isDone = this.outbox.flush(this.door.codec.separator);
    if (this.#waiting) this.#letIn(this.#waiting);
    if (!isDone) {
      if (!farewell || performance.now() < farewell.latest) return false;
      this.outbox.drop();
    }
    if (farewell) this.#sayFarewell(farewell);
    else if (this.#waiting) return false;
    else this.#takeSeat();
    return true;
  }

  #letIn(waiting: RoomQueue): void {
    if (waiting.letIn((sizes) => this.takes(sizes))) this.#waiting = undefined;
  }

  /**
   * Called once a ping interval: true when for two of them the socket has not opened, or has taken nothing although
   * something waits, or when the engine has given the peer up.
   */
  isDead(): boolean {
    if (this.#isOpen && !this.#carrier.isOpen) return true;
    const { sent } = this;
    const taken = sent - this.#carrier.pending;
    const stalls = !this.#isOpen || taken < sent && taken === this.#taken;
    this.#taken = taken;
    this.#sweeps = stalls ? this.#sweeps + 1 : 0;
    return this.#sweeps >= 2;
  }

  /** Without a parameter once a ping interval: the door's own, if it has one. */
  beat(heartbeat: Data | undefined = this.door.heartbeat): void {
    if (heartbeat === undefined || this.#left || !this.#isOpen || !this.outbox.isEmpty) return;
    this.#audience?.setApart(this);
    this.outbox.pass(heartbeat, byteLength(heartbeat));
    this.#takeSeat();
  }

  // What the carrier says.

  opened(): void {
    this.#isOpen = true;
    if (!this.#left) this.#host.opened(this);
    if (!this.flush()) this.#host.queue(this);
  }

  received(data: Data): void {
    if (this.#left || this.#retryAfter !== undefined) return;
    try {
      checkSize(data, this.maxMessage, this.door.overhead);
      this.door.received?.(this, data);
    } catch (error) {
      this.refuse(error);
    }
  }

  /** What the carrier holds is the same, but its outlet is another: it has a seat with that. */
  changed(): void {
    this.#audience?.setApart(this);
    this.outbox.look();
    if (!this.flush()) this.#host.queue(this);
  }

  closed(code: number, _reason: string, clean: boolean): void {
    this.#isOpen = false;
    this.outbox.drop();
    this.#leave(clean ? "client" : "vanished", code);
    this.#host.gone(this);
  }

  refuse(error: unknown): void {
    const { code, message } = GongError.from(error);
    this.close(code, message);
  }

  #sayFarewell({ code, message }: { code: number; message: string }): void {
    if (!this.#carrier.isOpen) return;
    // Once it closes, it says no more what it holds.
    this.outbox.look();
    // Some carriers are gone as soon as they are told to close.
    this.#host.closing(this);
    this.#carrier.close(code, message);
  }

  #enqueue(data: Data, bytes: number): void {
    this.#audience?.setApart(this);
    const isFirst = this.outbox.isEmpty;
    if (!this.outbox.add(data, bytes)) return this.abandon("slow");
    if (isFirst) this.#host.queue(this);
  }

  /** As soon as nothing waits for it here, it needs no care of its own. */
  #takeSeat(): void {
    if (this.#isOpen && !this.#left && this.outbox.isEmpty) this.#audience?.seat(this);
  }

  /** Whether its peer has taken everything. */
  get #hasAllRoom(): boolean {
    return this.outbox.isEmpty && this.outbox.isClear;
  }

  /** What it was sent as one of many. */
  get #shared(): { readonly bytes: number; readonly publications: number } {
    return this.seat < 0 || !this.#audience ? NOTHING : this.#audience.sent;
  }

  #leave(reason: CloseReason, code: number): void {
    if (this.#left) return;
    this.#left = true;
    this.#periodic?.stop();
    this.#host.leave(this, reason, code);
    this.door.left?.();
    if (this.#waiting) this.#letIn(this.#waiting);
  }
}

/** Close code of a connection that has done what it was for (RFC 6455 section 7.4.1). */
const NORMAL = 1000;
const NOTHING = Object.freeze({ bytes: 0, publications: 0 });
const NONE: readonly string[] = Object.freeze([]);
