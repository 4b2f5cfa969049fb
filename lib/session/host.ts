/**
 * What a session needs of its edge.
 *
 * @module
 */
import type { Credentials } from "../auth/credentials.ts";
import type { ConsumeOptions, Consumer, Content, Sent, SignalTarget, SubscribeAnswer } from "../door.ts";
import type { ErrorCode } from "../errors.ts";
import type { ConsumerSettling } from "../methods.ts";
import type { RateLimits } from "../rates.ts";
import type { Asked, Draft, PageRequest, Position, PresencePage, PublishResult, Start } from "../types.ts";

/** What a session, of the type `S`, asks of the edge that owns it. */
export interface SessionHost<S> {
  readonly limits: SessionLimits;
  /** How long what is queued to a session that ends may take to leave, in seconds. */
  readonly linger: number;
  readonly messaging: SessionMessaging<S>;
  readonly returning: SessionReturning<S>;
  /** Whether the session's rights allow it. */
  may(session: S, action: "subscribe" | "publish", channel: string): boolean;
  publish(draft: Draft): Promise<PublishResult>;
  post(session: S, draft: Draft): void;
  submit(
    session: S,
    drafts: readonly Draft[],
    settled?: readonly ConsumerSettling[],
  ): Promise<readonly Position[]>;
  consume(session: S, queue: string, options: ConsumeOptions): Consumer;
  /** Which queues it consumes, each once. */
  queues(session: S): readonly string[];
  subscribe(session: S, channel: string, start: Start | undefined, answer?: SubscribeAnswer): void;
  unsubscribe(session: S, channel: string, only?: SubscribeAnswer): void;
  recode(session: S): void;
  identify(session: S, said: Credentials): Promise<void>;
  authenticate(session: S, token: string): Promise<{ readonly user: string; readonly until: number }>;
  presence(session: S, channel: string, page: PageRequest): Promise<PresencePage>;
  countRefusal(code: ErrorCode): void;
  /** Counts it too. @param isFirst of the session: the log has to bear a client that is refused over and over */
  noteRefusal(
    session: S,
    code: ErrorCode,
    at: { readonly channel?: string | undefined; readonly isFirst: boolean },
  ): void;
  /** Where it stands in each channel, as a cursor. */
  cursor(session: S): string;
  /** The session has queued something: flush it at the end of this turn, and again until nothing is left. */
  queue(session: S): void;
  /** Its socket is open. */
  opened(session: S): void;
  /** It counts no more: no channel, no address, no count. Told once, whoever closed it. */
  leave(session: S, reason: CloseReason, code: number): void;
  /** Its socket was told to close. */
  closing(session: S): void;
  /** Its socket is gone too. */
  gone(session: S): void;
}

/** Messages of sessions to others. */
export interface SessionMessaging<S> {
  send(session: S, target: SignalTarget, content: Content): Promise<Sent>;
  ask(session: S, target: SignalTarget, content: Content, seconds: number): Promise<Asked>;
  answer(session: S, reply: string, content: Content): Promise<void>;
}

/** What sessions leave for whoever comes back as them. */
export interface SessionReturning<S> {
  newPid(): string;
  remember(session: S, pid: string, state: string): Promise<void>;
  recall(session: S, pid: string): Promise<string | undefined>;
  returned(session: S, isRecovered: boolean): void;
  forget(pid: string): void;
}

/** Bounds of every session. */
export interface SessionLimits {
  /** Bytes of one message in. */
  readonly maxMessage: number;
  /** Channels that it may hear. */
  readonly maxSubscriptions: number;
  /** Messages in. */
  readonly messages: RateLimits;
  /** What may be queued to it, in bytes. */
  readonly outbox: number;
}

/**
 * Why a session ended: `client` closed it, its peer `vanished`, its client has `recovered` it with another connection, or a
 * code of the table in `errors.ts`.
 */
export type CloseReason = "client" | "vanished" | "recovered" | ErrorCode;
