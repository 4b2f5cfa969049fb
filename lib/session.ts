/**
 * One client of a WebSocket door: its rights, its subscriptions, and the bounded queue to it.
 *
 * @module
 */
import type { Grant } from "./auth.ts";
import { byteLength } from "./bytes.ts";
import type { DoorSession, SocketDoor, SubscribeAnswer } from "./door.ts";
import { type ErrorCode, ERRORS, GongError } from "./errors.ts";
import { type RateLimits, TokenBucket } from "./rates.ts";
import type { Socket, SocketEvents } from "./socket.ts";
import type { Data, Draft, Position, PublishResult, SessionInfo } from "./types.ts";

/** What a session asks of the edge that owns it. */
export interface SessionHost {
  readonly limits: SessionLimits;
  /** Whether the session's rights allow it. */
  may(session: Session, action: "subscribe" | "publish", channel: string): boolean;
  publish(draft: Draft): Promise<PublishResult>;
  subscribe(session: Session, channel: string, since: Position | undefined, answer?: SubscribeAnswer): void;
  unsubscribe(session: Session, channel: string): void;
  /** The session has queued something: flush it at the end of this turn. */
  queue(session: Session): void;
  /** Its socket is open. */
  opened(session: Session): void;
  /** It counts no more: no channel, no address, no count. Told once, whoever closed it. */
  leave(session: Session, reason: CloseReason, code: number): void;
  /** Its socket is gone too. */
  gone(session: Session): void;
}

/** Bounds of every session. */
export interface SessionLimits {
  /** Bytes of one message in. */
  readonly maxMessage: number;
  /** Messages in. */
  readonly messages: RateLimits;
  /** Bytes that may be queued to it. */
  readonly outbox: number;
}

/** Why a session ended: `client` closed it, its peer `vanished`, or a code of the table in `errors.ts`. */
export type CloseReason = "client" | "vanished" | ErrorCode;

/** What is written to several sessions at once: encoded once, counted once. */
export interface Parcel {
  /** One element a frame. */
  readonly frames: readonly Data[];
  /** Bytes of each frame. */
  readonly bytes: readonly number[];
  /** How many publications it holds. */
  readonly count: number;
}

/** What is known of a session when it is made. */
export interface SessionOptions {
  readonly id: string;
  readonly door: SocketDoor;
  /** It may hear channels before its socket is open; what they bring waits. */
  readonly socket: Socket;
  readonly address: string;
  readonly userAgent: string;
  readonly grant: Grant | undefined;
  /** Channels to hear from the start; the first is where the plain door publishes. */
  readonly channels: readonly string[];
  /** Whether it hears its own publications. */
  readonly echo: boolean;
}

/** One client. */
export class Session implements DoorSession, SocketEvents {
  // These four are what a delivery needs: side by side, so that it touches little memory.
  readonly #socket: Socket;
  /**
   * What may be sent before anything else has to be looked at; negative unless it is open with nothing queued. To learn
   * how much it is costs a call into the engine.
   */
  #room = BLOCKED;
  /** All bytes handed to the socket. */
  #sent = 0;
  #delivered = 0;
  readonly options: SessionOptions;
  /** When it connected, in milliseconds since 1970. */
  readonly since = Date.now();
  /** Channels it hears now, in the order of subscribing; shared with all who hear the same. */
  channels: readonly string[] = NONE;
  readonly #host: SessionHost;
  #isOpen = false;
  /** How to end it as soon as it is open. */
  #farewell: { readonly code: number; readonly message: string } | undefined;
  #bucket: TokenBucket | undefined;
  #outbox: Data[] | undefined;
  #outboxBytes = 0;
  /** How many bytes the socket had taken at the last sweep, and how many sweeps it has stood still. */
  #taken = 0;
  #sweeps = 0;
  #left = false;

  constructor(host: SessionHost, options: SessionOptions) {
    this.#host = host;
    this.options = options;
    this.#socket = options.socket;
    options.socket.listen(this);
  }

  get id(): string {
    return this.options.id;
  }

  get door(): SocketDoor {
    return this.options.door;
  }

  get named(): readonly string[] {
    return this.options.channels;
  }

  get hasLeft(): boolean {
    return this.#left;
  }

  /** Bytes between this server and the client: queued here or in the socket. */
  get pending(): number {
    return this.#outboxBytes + this.#socket.pending;
  }

  /** Bytes that may still be queued to it. */
  get room(): number {
    return this.#host.limits.outbox - this.pending;
  }

  info(edge: number): SessionInfo {
    const { id, door, address, userAgent } = this.options;
    const { channels, since, pending } = this;
    return { id, door: door.name, address, userAgent, channels, since, pending, delivered: this.#delivered, edge };
  }

  get maxMessage(): number {
    return this.#host.limits.maxMessage;
  }

  // What doors do with a session.

  count(): void {
    const { messages } = this.#host.limits;
    this.#bucket ??= new TokenBucket(messages);
    if (!this.#bucket.take()) throw new GongError("rate_limited", `At most ${messages.rate} messages a second.`);
  }

  may(action: "subscribe" | "publish", channel: string): boolean {
    return this.#host.may(this, action, channel);
  }

  async publish(draft: Draft): Promise<Position> {
    if (!this.may("publish", draft.channel)) {
      throw new GongError("forbidden", `Publishing to ${draft.channel} is not allowed.`);
    }
    const result = await this.#host.publish({ ...draft, from: this.id });
    if ("error" in result) throw GongError.fromRefusal(result.error);
    return result;
  }

  subscribe(channel: string, since?: Position, answer?: SubscribeAnswer): void {
    if (!this.may("subscribe", channel)) throw new GongError("forbidden", `Listening to ${channel} is not allowed.`);
    this.#host.subscribe(this, channel, since, answer);
  }

  unsubscribe(channel: string): void {
    this.#host.unsubscribe(this, channel);
  }

  write(data: Data): void {
    if (this.#left) return;
    this.#enqueue(data, byteLength(data));
  }

  close(code: ErrorCode, message: string = ERRORS[code].text): void {
    this.closeWith(ERRORS[code].close, message, code);
  }

  closeWith(closeCode: number, message: string, reason: CloseReason): void {
    if (this.#left) return;
    this.flush();
    this.#leave(reason, closeCode);
    if (this.#isOpen) this.#socket.close(closeCode, message);
    else this.#farewell = { code: closeCode, message };
  }

  // What the edge does with it.

  /**
   * Hands it what its channels brought; at once, or behind what is queued already.
   *
   * @returns whether it was taken; if not, the session is too slow and was closed
   */
  deliver(parcel: Parcel): boolean {
    const { frames, bytes, count } = parcel;
    for (let i = 0; i < frames.length; i++) {
      if (bytes[i]! <= this.#room) this.#hand(frames[i]!, bytes[i]!);
      else if (!this.#deliverWhenPossible(frames[i]!, bytes[i]!)) return false;
    }
    this.#delivered += count;
    return true;
  }

  /** Sends what is queued, joined where the door's wire allows it. */
  flush(): void {
    const outbox = this.#outbox;
    if (!outbox || !this.#isOpen) return;
    const bytes = this.#outboxBytes;
    this.#outbox = undefined;
    this.#outboxBytes = 0;
    const { separator } = this.door.codec;
    if (outbox.length === 1) {
      this.#send(outbox[0]!, bytes);
    } else if (separator !== undefined) {
      this.#send(outbox.join(separator), bytes + (outbox.length - 1) * separator.length);
    } else {
      for (const data of outbox) this.#send(data, byteLength(data));
    }
  }

  /**
   * Called once a ping interval: true when for two of them the socket has not opened, or has taken nothing although
   * something waits, or when the engine has given the peer up.
   */
  isDead(): boolean {
    if (this.#isOpen && !this.#socket.isOpen) return true;
    const taken = this.#sent - this.#socket.pending;
    const stalls = !this.#isOpen || taken < this.#sent && taken === this.#taken;
    this.#taken = taken;
    this.#sweeps = stalls ? this.#sweeps + 1 : 0;
    return this.#sweeps >= 2;
  }

  // What the socket says.

  opened(): void {
    this.#isOpen = true;
    const farewell = this.#farewell;
    if (farewell) return this.#socket.close(farewell.code, farewell.message);
    this.#host.opened(this);
    this.flush();
  }

  received(data: Data): void {
    try {
      this.#checkSize(data);
      this.door.received(this, data);
    } catch (error) {
      this.refuse(error);
    }
  }

  closed(code: number, _reason: string, clean: boolean): void {
    this.#leave(clean ? "client" : "vanished", code);
    this.#host.gone(this);
  }

  refuse(error: unknown): void {
    const { code, message } = GongError.from(error);
    this.close(code, message);
  }

  #checkSize(data: Data): void {
    const { maxMessage } = this;
    // A character is at most three bytes of UTF-8 for one UTF-16 unit.
    if (data.length > maxMessage || data.length * 3 > maxMessage && byteLength(data) > maxMessage) {
      throw new GongError("too_large", `A message may have at most ${maxMessage} bytes.`);
    }
  }

  #deliverWhenPossible(data: Data, bytes: number): boolean {
    if (this.#left) return false;
    if (this.#outbox || !this.#isOpen) this.#enqueue(data, bytes);
    else this.#send(data, bytes);
    return !this.#left;
  }

  #enqueue(data: Data, bytes: number): void {
    if (!this.#outbox) {
      this.#outbox = [];
      this.#room = BLOCKED;
      this.#host.queue(this);
    }
    this.#outbox.push(data);
    this.#outboxBytes += bytes;
    if (this.#outboxBytes > this.#host.limits.outbox) this.#tooSlow();
  }

  #send(data: Data, bytes: number): void {
    if (bytes > this.#room) this.#room = this.#host.limits.outbox - this.#socket.pending;
    if (bytes > this.#room) this.#tooSlow();
    else this.#hand(data, bytes);
  }

  #hand(data: Data, bytes: number): void {
    this.#room -= bytes;
    this.#sent += bytes;
    this.#socket.send(data);
  }

  /** Nothing more is sent: it would only wait in the socket behind what is not read. */
  #tooSlow(): void {
    this.#outbox = undefined;
    this.#outboxBytes = 0;
    this.close("slow");
  }

  #leave(reason: CloseReason, code: number): void {
    if (this.#left) return;
    this.#left = true;
    this.#room = BLOCKED;
    this.#host.leave(this, reason, code);
  }
}

/** Less than an empty message needs. */
const BLOCKED = -1;
const NONE: readonly string[] = Object.freeze([]);
