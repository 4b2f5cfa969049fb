/**
 * What a door is: it turns what its clients send into commands, and what they get into its wire.
 *
 * @module
 */
import type { ErrorCode, GongError } from "./errors.ts";
import type { Asked, Data, Draft, PageRequest, Position, PresencePage, Publication, Signal, Start } from "./types.ts";

/** How publications look on one wire. Encoded once for all sessions that share it. */
export interface Codec {
  /** Unique; sessions with the same codec share what was encoded. */
  readonly name: string;
  /** Joins several publications into one frame; without it, and without `pack`, each has a frame of its own. */
  readonly separator?: string;
  /** Codecs that encode alike have the very same function: what it made is shared between them. */
  encode(publication: Publication): Data;
  /** Adds the cursor of all channels that a session hears, as of this publication; once for all who hear the same. */
  stamp?(encoded: Data, cursor: string): Data;
  /** Makes one frame of what was encoded, in order; for wires whose frames are bytes, so that all share these. */
  pack?(encoded: readonly Data[]): Data;
}

/** Told once what became of a subscription, before anything of the channel is delivered. */
export interface SubscribeAnswer {
  /** The session hears the channel from this position on. */
  subscribed(position: Position, recovered: boolean): void;
  refused(error: GongError): void;
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
  /** When its token or login ends, in milliseconds since 1970. */
  readonly until: number | undefined;
  /** The channels that it was opened with; the first is where a door without words for it publishes. */
  readonly named: readonly string[];
  /** Bytes that one message may have. */
  readonly maxMessage: number;
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
   * Subscribes; `answer` and then the door's `subscribed` follow, at once or when the hub has answered. A channel that
   * it hears already is left as it is. Without `answer` a refusal of the hub closes the session.
   *
   * @param start what it has missed is delivered from there on, page by page as the client takes it
   * @throws {GongError} `forbidden` without the right to, `too_many` over the bound of subscriptions
   */
  subscribe(channel: string, start?: Start, answer?: SubscribeAnswer): void;
  unsubscribe(channel: string): void;
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
  /** A command was refused by an answer: it is counted. */
  countRefusal(code: ErrorCode): void;
  /** Queues one frame, or one line of a frame, to this client alone. */
  write(data: Data): void;
  /** Ends it with the code's close code; what is queued is still sent. */
  close(code: ErrorCode, message?: string): void;
  /** Ends it for an error that its client caused, or with `internal` for any other. */
  refuse(error: unknown): void;
}

/** Why a session ends, as its client is told. */
export interface Ending {
  readonly code: string;
  readonly message: string;
  /** Whether it may come back. */
  readonly retry: boolean;
  /** Where the client goes on; absent when something that it was given is dropped. */
  readonly cursor?: string;
}

/** A protocol. */
export interface Door {
  /** For metrics and the log. */
  readonly name: string;
  readonly codec: Codec;
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
  /** The last words to a client, where the wire's own end has no room for them. */
  farewell?(ending: Ending): Data;
}
