/**
 * Gong's client: hears channels and publishes to them over WebSocket, Server-Sent Events or long polling, in browsers,
 * Deno and Node.
 *
 * - Of each channel every publication is delivered once, in order, over drops, restarts and changes of transport; or a
 *   `subscribed` event with `recovered: false` says that some of them are lost.
 * - A transport whose handshake fails, or that brings nothing in time, is passed over for the next. While one is in use
 *   that is not the best, the better ones are tried from time to time beside it.
 * - One that worked and dropped is tried again itself first; waits grow from one to thirty seconds, their length is left
 *   to chance, and they end when the network or the reader comes back. `Retry-After` is honoured.
 * - A refusal that does not pass (400, 401, 403, 404, the close codes 4400, 4401 ...) ends it, with an `error` event,
 *   until `connect()`.
 * - With a `token` it is a user's: its inbox is the channel `$user`, heard and resumed like any other.
 *
 * @example
 * import { Gong } from "https://push.example.com/gong.js";
 *
 * const gong = new Gong();
 * const unsubscribe = gong.subscribe("news", (message) => console.log(message.data));
 * await gong.publish("news", { hello: "everyone" });
 *
 * @module
 */

/** A way to the server, the best first. */
export type Transport = "websocket" | "sse" | "polling";

/**
 * `idle`: nothing is heard. `connecting`: over the transport that is told. `open`: connected. `waiting`: for the next
 * attempt. `closed`: by `close()`, or by a refusal that does not pass.
 */
export type Phase = "idle" | "connecting" | "open" | "waiting" | "closed";

/** How the client reaches its server. Times are in milliseconds. */
export interface GongOptions {
  /** Where the server's root is. Default: where `gong.js` came from. */
  readonly url?: string | URL;
  /** Which transports may be used, in this order. Default: all; without a `WebSocket`, the others. */
  readonly transports?: readonly Transport[];
  /**
   * Who the client is: a token, or what gets one. That is called before the first request, again before the time of the
   * token is over, and when the server does not take it any more; a token that is refused at once ends the client.
   */
  readonly token?: string | (() => string | Promise<string>);
  /** Sent with every request, e.g. `{ authorization: "Bearer KEY" }`. With these a browser uses no WebSocket. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether it hears what it publishes itself. Default: true. */
  readonly echo?: boolean;
  /**
   * How long the first words of a connection and the answer to a request may take. A connection that is silent six times
   * as long is given up, a publication without an answer after three times as long, and a better transport is first
   * looked for after once to twice as long. Default: 10,000.
   */
  readonly timeout?: number;
  /** Ends the client when it is aborted, as `close()` does. */
  readonly signal?: AbortSignal;
  /** Default: the global one. */
  readonly fetch?: typeof fetch;
  /** The constructor, called with the address and, if there are any, `{ headers }`. Default: the global one, if any. */
  // deno-lint-ignore no-explicit-any
  readonly WebSocket?: any;
}

/** How a channel is heard. */
export interface SubscribeOptions {
  /** Begins after this position, `epoch:offset`. Counts for the first handler of a channel, as `history` does. */
  readonly since?: string;
  /** Begins so many publications before the newest. */
  readonly history?: number;
  /** Ends the subscription when it is aborted. */
  readonly signal?: AbortSignal;
}

/** Whom a message goes to: users by their ids, or sessions by their public ids; at most 100. */
export type Target = { readonly users: readonly string[] } | { readonly sessions: readonly string[] };

/** What may be said about a message. */
export interface SendOptions {
  /** Default: `text/plain` for a string, `application/octet-stream` for bytes, `application/json` for anything else. */
  readonly contentType?: string;
}

/** How a question is asked. */
export interface AskOptions extends SendOptions {
  /** How long the answer may take, in milliseconds, at most a minute. Default: 10,000. */
  readonly timeout?: number;
}

/** The first answer to a question. */
export interface Answer {
  /** How many sessions were asked. */
  readonly reached: number;
  // deno-lint-ignore no-explicit-any
  readonly data: any;
  readonly contentType: string;
  /** Public id of the session that answered, and its user. */
  readonly from?: string;
  readonly user?: string;
}

/** A session that hears a channel. */
export interface Present {
  readonly session: string;
  readonly user?: string;
  /** What the user's token says. */
  // deno-lint-ignore no-explicit-any
  readonly info?: any;
  /** When it joined, in milliseconds since 1970. */
  readonly since: number;
}

/** Who hears a channel, the first of them or those that follow. */
export interface Presence {
  readonly channel: string;
  /** Sessions. */
  readonly count: number;
  /** Distinct users. */
  readonly users: number;
  readonly present: readonly Present[];
  /** The `after` of the next page; absent on the last. */
  readonly next?: string;
}

/** Who joined a channel and who left it within a second. */
export interface Joins {
  readonly count: number;
  readonly users: number;
  /** At most 100, as `left`; there were `more`. */
  readonly joined: readonly Present[];
  readonly left: readonly Present[];
  readonly more?: true;
}

/** A place in one channel: `offset` counts 1, 2, 3 ... within `epoch`. */
export interface Position {
  readonly epoch: string;
  readonly offset: number;
}

/** A publication as it is heard. Joined by a colon, `epoch` and `offset` are a `since`. */
export interface Message extends Position {
  readonly channel: string;
  /** When it was numbered, in milliseconds since 1970. */
  readonly time: number;
  /** Text, the value of JSON, or bytes. */
  // deno-lint-ignore no-explicit-any
  readonly data: any;
  /** Media type, e.g. `text/plain`. */
  readonly contentType: string;
  /** The publisher's own id of it. */
  readonly messageId?: string;
  readonly event?: string;
  readonly user?: string;
  /** Public id of the session that published it. */
  readonly from?: string;
  readonly tags?: Readonly<Record<string, string>>;
}

/** What may be said about a publication. */
export interface PublishOptions {
  /** Published again under the same id within five minutes, it is what it was the first time. Default: by chance. */
  readonly id?: string;
  readonly event?: string;
  readonly tags?: Readonly<Record<string, string>>;
  /** Default: `text/plain` for a string, `application/octet-stream` for bytes, `application/json` for anything else. */
  readonly contentType?: string;
  /** Seconds for which it may be read from history. */
  readonly ttl?: number;
  /** Gives up waiting for the answer; what is on its way may be published all the same. */
  readonly signal?: AbortSignal;
}

/** Where a publication has got to. */
export interface Published extends Position {
  readonly channel: string;
  readonly id: string;
}

/** The state has changed. */
export interface StateEvent extends Event {
  readonly phase: Phase;
  readonly transport: Transport;
  /** Why it waits or is closed. */
  readonly error?: GongError;
  /** How long it waits at most. */
  readonly delay?: number;
}

/** A connection hears a channel from this position on. */
export interface SubscribedEvent extends Event, Position {
  readonly channel: string;
  /** False when what lies between the last publication heard and this position is lost. */
  readonly recovered: boolean;
}

/** A refusal that does not pass: of one channel, which is then no longer subscribed to, or else of the client. */
export interface RefusedEvent extends Event {
  readonly error: GongError;
  readonly channel?: string;
}

/** A message to this session alone, unnumbered. */
export interface SignalEvent extends Event {
  // deno-lint-ignore no-explicit-any
  readonly data: any;
  readonly contentType: string;
  /** Public id of the session that sent it, and its user. */
  readonly from?: string;
  readonly user?: string;
  /** Of a question: answers it, over a WebSocket only. Rejects when nobody waits any more. */
  readonly answer?: (data: unknown) => Promise<unknown>;
}

/** Events by name. */
export interface GongEvents {
  state: StateEvent;
  subscribed: SubscribedEvent;
  error: RefusedEvent;
  signal: SignalEvent;
}

/** A refusal of the server, or the lack of an answer. */
export class GongError extends Error {
  /** The server's own code, e.g. `forbidden`; or `refused`, `closed` (both with a status), `network`, `timeout`, `token`. */
  readonly code: string;
  /** HTTP status or close code of a WebSocket; 0 without either. */
  readonly status: number;
  /** When to try again, in seconds; 0 when nothing was said of it. */
  readonly retryAfter: number;
  /** Whether the same may succeed later. */
  readonly retry: boolean;
}

/** The client. It is connected while it has a subscription. */
export class Gong extends EventTarget {
  /** @throws {TypeError} when `gong.js` is a local file and no `url` is given */
  constructor(options?: GongOptions);
  readonly phase: Phase;
  /** The transport in use, or tried next. */
  readonly transport: Transport;
  /** Public id of the session behind the connection. */
  readonly session: string | undefined;
  /** Whose the session is, as the server says it. */
  readonly user: string | undefined;
  /**
   * Hears a channel, and returns how to end that. Handlers of one channel share a subscription; what one throws is
   * reported as an uncaught error and keeps no other from hearing. `$user` is the inbox of the client's own user, whose
   * messages tell its whole name as their `channel`.
   *
   * @throws {RangeError} for more than 32 channels without a WebSocket
   * @throws {TypeError} for a `since` that is no position
   * @throws the reason of a signal that is aborted, a {@linkcode GongError} when the client is closed
   */
  subscribe(channel: string, handler: (message: Message) => void, options?: SubscribeOptions): () => void;
  /**
   * Publishes over the WebSocket if it is open, otherwise over HTTP; again under the same id when no answer comes, up to
   * three times `timeout`. At most 1,000 may be unanswered.
   *
   * @throws {GongError} the refusal, or `timeout`
   * @throws the reason of the signal
   */
  publish(channel: string, data: unknown, options?: PublishOptions): Promise<Published>;
  /**
   * Sends a message: to users, whose inboxes keep it, or to sessions, to whom it is a signal. Over the WebSocket if it is
   * open, otherwise over HTTP; once.
   *
   * @returns how many sessions there are to hear it now
   * @throws {GongError} the refusal, or the lack of an answer
   */
  send(target: Target, data: unknown, options?: SendOptions): Promise<{ readonly reached: number }>;
  /**
   * Asks sessions, or all sessions of users, who hear a signal that can answer; over a WebSocket only.
   *
   * @returns the first answer
   * @throws {GongError} `timeout`; `not_found` when nobody is there; `conflict` without a WebSocket that is open
   */
  ask(target: Target, data: unknown, options?: AskOptions): Promise<Answer>;
  /**
   * Who hears a channel whose rule has presence.
   *
   * @param options `limit` is the size of a page, 0 to 500 (default 100); `after` the `next` of the page before
   * @throws {GongError} the refusal, or the lack of an answer
   */
  presence(
    channel: string,
    options?: { readonly limit?: number; readonly after?: string; readonly signal?: AbortSignal },
  ): Promise<Presence>;
  /** Hears who joins and leaves a channel whose rule has `presence=joins`; as `subscribe` of `$presence/CHANNEL`. */
  watch(channel: string, handler: (joins: Joins) => void, options?: SubscribeOptions): () => void;
  /** Connects now, whatever was planned, the best transport first; after a refusal too. */
  connect(): void;
  /** Ends everything for good. */
  close(): void;
  addEventListener<Name extends keyof GongEvents>(
    type: Name,
    listener: (event: GongEvents[Name]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<Name extends keyof GongEvents>(
    type: Name,
    listener: (event: GongEvents[Name]) => void,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void;
}
