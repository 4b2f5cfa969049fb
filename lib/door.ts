/**
 * What a door is: it turns what its clients send into commands, and what they get into its wire.
 *
 * @module
 */
import type { Credentials } from "./auth/credentials.ts";
import type { ErrorCode, GongError } from "./errors.ts";
import type { ConsumerSettling } from "./methods.ts";
import type {
  Asked,
  Data,
  Draft,
  PageRequest,
  Position,
  PresencePage,
  Publication,
  QueuedMessage,
  Settlement,
  Signal,
  Start,
} from "./types.ts";

/** How publications look on one wire. Encoded once for all sessions that share it. */
export interface Codec {
  /** Unique for what it does; sessions whose codecs have the same name share what was encoded. */
  readonly name: string;
  /** Joins several texts into one frame; without it, and without `pack`, each publication has a frame of its own. */
  readonly separator?: string | undefined;
  /** Codecs that encode alike have the very same function: what it made is shared between them. */
  encode(publication: Publication): Data;
  /**
   * Adds the cursor of all channels that a session hears, as of this publication; once for all who hear the same. Where
   * there is `address` too, it is called for each of the frames that that makes.
   */
  stamp?(encoded: Data, cursor: string): Data;
  /**
   * Makes of what was encoded the frames for who hears the channel by subscriptions of its own: one each, so none too.
   * What it does for the channels of users is not told by its name. Without it what was encoded is the frame. They are made
   * as they are asked for, and not all of them where they are too much for anybody.
   */
  address?(encoded: Data, publication: Publication): Iterable<Data>;
  /** Makes one frame of what was encoded, in order; for wires whose frames are bytes, so that all share these. */
  pack?(encoded: readonly Data[]): Data;
}

/** Told once what became of a subscription, before anything of the channel is delivered. */
export interface SubscribeAnswer {
  /**
   * How the subscription's publications are encoded until it is in force. Where that is given, a session may have several
   * subscriptions to a channel, each with a start of its own; from when it is in force, its door's codec has to see to it.
   */
  readonly codec?: Codec;
  /** The session hears the channel from this position on. */
  subscribed(position: Position, recovered: boolean): void;
  refused(error: GongError): void;
  /** What was missed has been given: from here on the session's codec encodes what comes for this subscription too. */
  inForce?(): void;
  /** Behind it the subscription waits once `subscribed` was called, and nothing is given before it is open. */
  readonly gate?: Gate;
}

/** Holds subscriptions back until it is known what becomes of others. */
export interface Gate {
  readonly isOpen: boolean;
  /** Resolves when it is; never for one that stays closed, as those who wait are unsubscribed then. */
  readonly opened: Promise<void>;
}

/** What a consumer of a queue tells of itself, and how it gets its messages. */
export interface ConsumeOptions {
  /** So many messages may be with it, not yet settled. */
  readonly prefetch: number;
  /** Takes a message: a frame for the session, which is written as soon as there is room. Throws nothing. */
  encode(message: QueuedMessage): Data;
  /** The message has been queued to the session. */
  given?(message: QueuedMessage): void;
  /** It consumes from now on. */
  accepted?(): void;
  /** It does not consume, or no more. */
  refused(error: GongError): void;
}

/** A consumer of a queue. It ends with its session: what is with it then is requeued. */
export interface Consumer {
  /** As {@linkcode HubMethods.settle} has it. */
  readonly id: string;
  /** @throws {GongError} `overloaded` when that cannot be stored: they are still with it */
  settle(offsets: readonly number[], as: Settlement): Promise<void>;
  /** It takes no more, and what is with it is requeued. */
  cancel(): void;
}

/** Data and what kind it is. */
export type Content = Pick<Signal, "data" | "contentType">;

/** To whom a message goes: 1 to 100, all different. */
export type SignalTarget = { readonly sessions: readonly string[] } | { readonly users: readonly string[] };

/** What became of a message. */
export interface Sent {
  /** How many sessions there are, or were sent it. */
  readonly reached: number;
  /** Where it is kept: of users, in their order. */
  readonly positions?: readonly (Position & { readonly channel: string })[];
}

/** What a door may do with a session. */
export interface DoorSession {
  /** Its public id. */
  readonly id: string;
  /** Whose it is, if anybody's. */
  readonly user: string | undefined;
  /** The channel of its user, which it hears whether it is subscribed to that or not. */
  readonly inbox: string | undefined;
  /** When its token or login ends, in milliseconds since 1970. */
  readonly until: number | undefined;
  /** The channels that it was opened with; the first is where a door without words for it publishes. */
  readonly named: readonly string[];
  /** Bytes that one message may have. */
  readonly maxMessage: number;
  /** Channels that it may hear. */
  readonly maxSubscriptions: number;
  /** Bytes that have been handed to its carrier so far. */
  readonly sent: number;
  /** Where it stands in each channel that it hears or is about to, as of what it was given so far. */
  readonly cursor: string;
  /** True once it is closed, also while the closing handshake is under way. */
  readonly hasLeft: boolean;
  /**
   * Counts one message in, or several; a door whose frames hold several calls it for each.
   *
   * @throws {GongError} `rate_limited`
   */
  count(messages?: number): void;
  /**
   * Publishes as this session; resolves to where that is, or where it was at the first time.
   *
   * @throws {GongError} `forbidden` without the right to; with what the broker refused
   */
  publish(draft: Draft): Promise<Position & { readonly repeated?: true }>;
  /**
   * Publishes as this session without an answer, which spares the hub and the edge a message each: only if it is not
   * taken, the door's `refused` is called.
   *
   * @throws {GongError} `forbidden` without the right to
   */
  post(draft: Draft): void;
  /**
   * Publishes as this session to channels, to those of users and to queues, and settles what is with its consumers, in one
   * step: all of it or nothing. Resolves to where each draft is; without any, and nothing settled, when what was posted
   * before is dealt with.
   *
   * @throws {GongError} `forbidden` without the right to any of it; with what the broker refused
   */
  submit(drafts: readonly Draft[], settled?: readonly ConsumerSettling[]): Promise<readonly Position[]>;
  /**
   * Consumes a queue from now on.
   *
   * @throws {GongError} `forbidden`; `bad_request` for what is no name of a queue; `too_many`: as many consumers as it may
   * hear channels
   */
  consume(queue: string, options: ConsumeOptions): Consumer;
  /**
   * Subscribes; `answer` and then the door's `subscribed` follow, at once or when the hub has answered. A channel that
   * it hears already is left as it is, unless `answer` has a codec. Without `answer` a refusal of the hub closes the
   * session.
   *
   * @param start what it has missed is delivered from there on, page by page as the client takes it
   * @throws {GongError} `forbidden` without the right to, `too_many` over the bound of subscriptions
   */
  subscribe(channel: string, start?: Start, answer?: SubscribeAnswer): void;
  /** @param only with it only that subscription, as long as it is not in force */
  unsubscribe(channel: string, only?: SubscribeAnswer): void;
  /** The door's codec for this session is another one now. */
  recode(): void;
  /**
   * Makes it that of whoever names himself so: of a user, of a key. Where nothing is named, it stays whose it is.
   *
   * @throws {GongError} `unauthorized`, `rate_limited`, `bad_request`; `conflict`: it is another's
   */
  identify(said: Credentials): Promise<void>;
  /**
   * Makes it the user's of the token, or goes on with a newer one of the same user: what the new one does not allow is
   * unsubscribed. Resolves to who that is and, in milliseconds since 1970, until when.
   *
   * @throws {GongError} `unauthorized`; `conflict`: it is another's
   */
  authenticate(token: string): Promise<{ readonly user: string; readonly until: number }>;
  /**
   * A message: published to the channels of the users, of all or of none; to sessions a signal, best effort.
   *
   * @throws {GongError} `forbidden` without the right to all of them; `too_large` for all copies together; `overloaded`
   */
  send(target: SignalTarget, content: Content): Promise<Sent>;
  /**
   * A question to sessions, or to every session of users, this one too if it is among them; the first answer counts.
   *
   * @param seconds how long to wait
   * @throws {GongError} `forbidden`; `not_found`: nobody is there; `timeout`; `too_many` questions at once; `too_large`;
   * `overloaded`
   */
  ask(target: SignalTarget, content: Content, seconds: number): Promise<Asked>;
  /** Answers a question. @throws {GongError} `not_found` when nobody waits for it any more; `overloaded` */
  answer(reply: string, content: Content): Promise<void>;
  /** Who hears the channel. @throws {GongError} `forbidden`, also where presence is off */
  presence(channel: string, page: PageRequest): Promise<PresencePage>;
  /**
   * Does something now, and again every so many seconds, until {@linkcode stop}, another `every` or its end. What it
   * throws or rejects with is told by the door's `refused`. A time is skipped while the one before is under way, or much
   * waits for the client.
   */
  every(seconds: number, action: () => unknown): void;
  /** Ends what {@linkcode every} began; returns whether there was something. */
  stop(): boolean;
  /** A secret of a client: 128 bits that nobody guesses, and where to ask for what is kept under it. */
  newPid(): string;
  /**
   * Keeps what its client goes on with when the connection drops, under a secret of its own: as long as this session is
   * there, and for `--recovery` after it. Resolves when it is stored.
   *
   * @throws {GongError} `overloaded` when it cannot be; `not_found`: the session is no more
   */
  remember(pid: string, state: string): Promise<void>;
  /**
   * What is kept under the secret; undefined when nothing is, or not for its user. The session that had it is no more
   * then, and this one has its public id from now on, if it hears nothing yet.
   *
   * @throws {GongError} `overloaded` when that one cannot be ended
   */
  recall(pid: string): Promise<string | undefined>;
  /** Its client goes on where it was, or cannot: the log tells of it if it has had another's id {@linkcode recall}ed. */
  returned(isRecovered: boolean): void;
  /** Its client has ended it itself: nothing is to be gone on with. */
  forget(pid: string): void;
  /** A command was refused by an answer: it is counted. */
  countRefusal(code: ErrorCode): void;
  /** Its client is not let in, and is told so by an answer: it is counted, and the log tells of it. */
  noteRefusal(code: ErrorCode, channel?: string): void;
  /** Hands over a frame by itself, unless anything waits for the client: then it hears from us anyway. */
  beat(data: Data): void;
  /** Queues one frame, or one line of a frame, to this client alone. */
  write(data: Data): void;
  /** Ends it with the code's close code; what is queued is still sent. */
  close(code: ErrorCode, message?: string): void;
  /** Ends it as its client has asked for; what is queued is still sent. */
  leave(): void;
  /** Ends it for an error that its client caused, or with `internal` for any other. */
  refuse(error: unknown): void;
}

/** Why a session ends, as its client is told. */
export interface Ending {
  readonly code: string;
  readonly message: string;
  /** Whether it may come back. */
  readonly retry: boolean;
  /** After how many seconds, where the server knows. */
  readonly retryAfter?: number;
  /** Where the client goes on; absent when something that it was given is dropped. */
  readonly cursor?: string;
}

/** A protocol; or one conversation in it, for doors that have to remember what was said. */
export interface Door {
  /** For metrics and the log. */
  readonly name: string;
  /** That of a conversation may change, which {@linkcode DoorSession.recode} tells. */
  readonly codec: Codec;
  /** Bytes that a frame may have beside those of a message. */
  readonly overhead?: number;
  /** The session is there; nothing was sent yet. */
  opened(session: DoorSession): void;
  /**
   * A frame from the client, within its size; the door counts the messages in it. A thrown `GongError` closes the session
   * with its code. Doors whose clients cannot send have none.
   */
  received?(session: DoorSession, data: Data): void;
  /** The session hears the channel from the position on. */
  subscribed(session: DoorSession, channel: string, position: Position, recovered: boolean): void;
  /** A publication that was {@linkcode DoorSession.post}ed was not taken. */
  refused(session: DoorSession, error: GongError): void;
  /** What lies between the session's position and this one is gone for good; it hears the channel from here on. */
  lost(session: DoorSession, channel: string, position: Position): void;
  /** A message to this session alone, unnumbered. */
  signal(session: DoorSession, signal: Signal): void;
  /** The session does not hear the channel any more: by the operator, or since its rights have changed. */
  unsubscribed(session: DoorSession, channel: string): void;
  /** Its sessions come and go with every request: the log tells of them only at `debug`. */
  readonly isBrief?: true;
  /** Written every `ping` seconds, so that nobody in between takes the connection for dead. */
  readonly heartbeat?: Data;
  /** The last words to a client, where the wire's own end has no room for them; none for one that ends as it wishes. */
  farewell?(ending: Ending): Data | readonly Data[] | undefined;
  /** The session is no more. */
  left?(): void;
  /** It subscribes to the channel of its user itself, as soon as it knows from where on. */
  readonly subscribesInbox?: true;
  /** Resolves when nothing is under way that only this isolate can finish. Of doors whose sessions move to another. */
  settled?(): Promise<void>;
  /**
   * What the door has to remember of its conversation, as it crosses isolates; it says and hears nothing from here on, and
   * is not told that the session has {@linkcode left}.
   */
  pack?(): unknown;
}
