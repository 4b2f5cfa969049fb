/**
 * What hub and edges ask of each other over a worker port.
 *
 * @module
 */
import type { Replay } from "./bus.ts";
import type { Config } from "./config.ts";
import type { PackedHistory } from "./codecs/page.ts";
import type { EndedSession, EngineAnswer, EngineOrder, MovedSession } from "./engineio/orders.ts";
import { GongError } from "./errors.ts";
import type {
  Draft,
  Glimpse,
  PageLimit,
  PageRequest,
  Position,
  PresencePage,
  PublishResult,
  PutOptions,
  QueuedMessage,
  Readiness,
  Refusal,
  Sample,
  Schedule,
  ScheduleOrder,
  SchedulePage,
  Selector,
  SessionInfo,
  SessionPage,
  Settlement,
  Signal,
  Start,
  Totals,
  Trace,
  UserInfo,
  UserPage,
} from "./types.ts";

/** What the hub asks of an edge. */
export interface EdgeMethods {
  /** The newest batch has this number; what is missing up to there was dropped. */
  remind(last: number): void;
  /** Something of these channels is gone: who listens has to be told, or to be given it from history. */
  repair(channels: readonly string[]): void;
  /** Answered as soon as the edge's event loop turns. */
  beat(payload: null): void;
  /** The edge's figures. */
  samples(payload: null): Sample[];
  sessions(page: { after?: string; limit: number }): { sessions: SessionInfo[]; total: number };
  session(id: string): SessionInfo | undefined;
  closeSession(order: { id: string; code: number; reason: string }): boolean;
  signal(order: { sessions: readonly string[] | "all"; signal: Signal }): number;
  /** The answer to a question of one of the edge's sessions; false when nobody waits for it. */
  answer(order: { reply: string; signal: Signal }): boolean;
  /** Closes sessions, those of the ids or those that hear the channel; answers how many. */
  disconnect(order: { sessions: Chosen; reason: string }): number;
  subscribeSessions(order: { sessions: Chosen; channel: string }): number;
  unsubscribeSessions(order: { sessions: Chosen; channel: string }): number;
  block(order: { address: string; until: number }): void;
  revoke(login: string): void;
  /** There is no room any more, or room again, for this address, or, without one, for anybody. */
  full(order: { isFull: boolean; address?: string }): void;
  /** What this session posted was not taken. */
  refused(order: { session: string; refusal: Refusal }): void;
  /** Messages of a queue for a consumer of one of the edge's sessions, in order. */
  assign(order: { consumer: string; messages: readonly QueuedMessage[] }): void;
  /** Of a session of Engine.IO that this edge owns. */
  engine(order: EngineOrder): Promise<EngineAnswer>;
  /** Who polled a session of Engine.IO that this edge owns is gone. */
  abandonPoll(sid: string): void;
  /** Hands a session of Engine.IO over: as soon as it is answered, it is here no more. */
  give(sid: string): Promise<MovedSession | EndedSession>;
  /** Ends a session whose client goes on with another, and answers when it is no more; whether there was one. */
  supersede(session: string): boolean;
  /** So many more bytes of what was posted are dealt with. */
  credit(bytes: number): void;
  /** Refuse new sessions, or accept them again. */
  pressure(on: boolean): void;
  /** Close the sessions with the largest outboxes until about so many bytes are free. */
  shed(bytes: number): void;
  /**
   * The server ends: refuse what is new, close every session with 1001, spread over the time, and resolve when they are
   * gone and what was asked is answered, or the seconds are over.
   */
  drain(seconds: number): Promise<void>;
  /** Judge by these settings from here on, sessions that are there too. */
  reconfigure(order: ReconfigureOrder): void;
  /** Another takes this edge's place: accept nothing more, close every session at once; resolves as `drain` does. */
  vacate(seconds: number): Promise<void>;
}

/** New settings for a server that runs. */
export interface ReconfigureOrder {
  readonly config: Config;
  /** PEM of the files of `tokenKeyFile`. */
  readonly tokenKeys: readonly string[];
  /** Names of keys of which one is gone: what they have opened ends. */
  readonly withdrawn: readonly string[];
}

/** What becomes of messages that are with a consumer, by their offsets. */
export interface ConsumerSettling {
  readonly consumer: string;
  readonly offsets: readonly number[];
  readonly as: Settlement;
}

/** Numbers of edges that a node has for itself: a node has the same in front of all of them. */
const OF_NODE = 2 ** 20;

/** Which edge has made the id of a session, or of a question; its number, in base 36, comes first. */
export function edgeOf(id: string): number {
  return parseInt(id.slice(0, Math.max(0, id.indexOf("-"))), 36);
}

/** Which node the edge is of; 0 where there is only one. */
export function nodeOf(edge: number): number {
  return Math.floor(edge / OF_NODE);
}

/** The number that comes before those of the edges of a node: no other node's has the same. */
export function beforeEdgesOf(node: number): number {
  return node * OF_NODE;
}

/** The order of the ids of sessions, wherever these are: that of the edges that have made them, then of their making. */
export function compareIds(one: string, other: string): number {
  const edges = edgeOf(one) - edgeOf(other);
  // What is no id is nobody's, and compared as a text.
  if (edges) return edges;
  return one < other ? -1 : one > other ? 1 : 0;
}

/** The id of a session's consumer. */
export function consumerId(session: string, number: number): string {
  return `${session}/${number}`;
}

/** The session of a consumer. */
export function sessionOf(consumer: string): string {
  return consumer.slice(0, consumer.lastIndexOf("/"));
}

/** Sessions by their ids, or those that hear a channel. */
export type Chosen = readonly string[] | { readonly channel: string };

/** What an edge did with a traced publication since it last said so. */
export interface TraceCount extends Position {
  readonly id: string;
  readonly channel: string;
  /** Sessions it was queued to. */
  readonly queued: number;
  /** Sessions it was not queued to since they are too slow. */
  readonly slow: number;
}

/** A page of a channel's history, for somebody who does not listen. */
export interface HistoryRequest {
  readonly channel: string;
  readonly start: Start;
  readonly limit: PageLimit;
}

/** What an edge asks of the hub. */
export interface HubMethods {
  /** The edge's listener is open, at the start or again. */
  ready(payload: null): void;
  /** The edge's listener could not be opened, or failed. It will try again. */
  failed(reason: string): void;
  /** Publishes for the session `draft.from`, which hears of it only if it is refused. */
  post(draft: Draft): void;
  /** @param order with `settled` atomic: everything of it, or nothing */
  publish(
    order: { drafts: readonly Draft[]; atomic: boolean; settled?: readonly ConsumerSettling[] },
  ): Promise<PublishResult[]>;
  /**
   * A consumer of a queue, by a {@linkcode consumerId}: from now on it is assigned messages as long as
   * fewer than `prefetch` of them, and of their bytes fewer than so many, are with it.
   */
  consume(consumer: { id: string; queue: string; prefetch: number; bytes: number }): void;
  /** What becomes of messages that were assigned; of others nothing does. */
  settle(settlings: readonly ConsumerSettling[]): Promise<void>;
  /** The consumer is no more: what is with it is requeued. */
  cancel(consumer: string): void;
  /**
   * The edge hosts the channel from now on; answers a page of history and the top of one instant. Without a start the
   * answer's `from` is where the channel stood after the batch numbered `after`, so that what the edge has not seen is not
   * missed. With `moved`, for a session that comes from another edge, what was announced after that batch counts beside
   * history: also where none is kept, nothing is missed.
   */
  subscribe(
    order: { channel: string; start: Start | undefined; after: number; limit: PageLimit; moved?: true },
  ): Promise<PackedHistory>;
  unsubscribe(channel: string): void;
  /**
   * Counts a session in, over all edges; refused when there is no room. With `after` the edge hosts the channel of its user
   * too, and the answer is that of a `subscribe` without a start: most users are alone on theirs, and come by the thousand.
   */
  admit(
    session: { id: string; address: string; user?: string; info?: string; after?: number },
  ): Promise<PackedHistory> | undefined;
  /** A session that was admitted is this user's now, or the user's info has changed. */
  identify(session: { id: string; user: string; info?: string }): void;
  /** A session that was admitted hears a channel from now on, or does not any more. Of channels with presence. */
  present(change: { session: string; channel: string; isThere: boolean }): void;
  release(id: string): void;
  /** Has the owner of a session of Engine.IO answer. @throws {GongError} `not_found` when there is no such edge */
  engine(order: { edge: number; order: EngineOrder }): Promise<EngineAnswer>;
  abandonPoll(order: { edge: number; sid: string }): void;
  /**
   * Has the owner hand the session over to the edge that asks: from the answer on it is counted there.
   *
   * @throws {GongError} `not_found` when it is not there any more
   */
  take(order: { edge: number; sid: string }): Promise<MovedSession | EndedSession>;
  /**
   * Keeps what a connection that drops goes on with, under its secret `pid`: from now on as long as the session is there,
   * and for `--recovery` after it. Answers when it is stored.
   *
   * @throws {GongError} `overloaded` when it cannot be
   */
  remember(order: { pid: string; session: string; state: string }): Promise<void>;
  /**
   * What is kept under the `pid`; undefined when nothing is, or not for this user. The session that had it is no more then.
   *
   * @param order `adopt`: the session that asks has the public id of that one from now on, which is answered as `session`;
   * `maker`: the edge that has made the `pid`, which may be another node's
   */
  recall(
    order: { pid: string; session: string; adopt: boolean; maker?: number },
  ): Promise<{ state: string; session: string } | undefined>;
  /** The client has ended it itself: nothing is to be gone on with. */
  forget(pid: string): void;
  acknowledge(number: number): void;
  replay(from: number): Replay;
  signal(order: { sessions: readonly string[] | "all"; signal: Signal }): Promise<number>;
  /** Puts a question to every session of the users; answers how many those were. */
  signalUsers(order: { users: readonly string[]; signal: Signal }): Promise<number>;
  /** Hands the answer to the edge whose session has asked; false when nobody waits for it. */
  answer(order: { reply: string; signal: Signal }): Promise<boolean>;
  reach(users: readonly string[]): number;
  presence(order: PageRequest & { channel: string }): PresencePage;
  totals(payload: null): Promise<Totals>;
  users(page: PageRequest & { prefix?: string }): UserPage;
  user(id: string): UserInfo | undefined;
  disconnect(order: { selector: Selector; reason: string }): Promise<number>;
  subscribeSessions(order: { selector: Selector; channel: string }): Promise<number>;
  unsubscribeSessions(order: { selector: Selector; channel: string }): Promise<number>;
  listSchedules(page: PageRequest & { creator?: string }): Promise<SchedulePage>;
  getSchedule(id: string): Promise<Schedule | undefined>;
  putSchedule(put: { order: ScheduleOrder } & PutOptions): Promise<{ schedule: Schedule; created: boolean }>;
  cancelSchedule(order: { id: string; owner?: string }): Promise<boolean>;
  listSessions(page: { limit: number; after?: string }): Promise<SessionPage>;
  getSession(id: string): Promise<SessionInfo | undefined>;
  closeSession(order: { id: string; code: number; reason: string }): Promise<boolean>;
  samples(payload: null): Promise<Sample[]>;
  readiness(payload: null): Readiness;
  recent(payload: null): Glimpse[];
  history(order: HistoryRequest): Promise<PackedHistory>;
  publication(id: string): Promise<Trace[] | undefined>;
  /** What became of traced publications in one turn. */
  traced(counts: readonly TraceCount[]): void;
  failedAuth(address: string): void;
  revoke(login: string): void;
  /** The edge's stuck sockets hold too much: it wants to be drained and replaced. */
  exhausted(bytes: number): void;
}

/** The refusal of a session for which there is no room: of this address, or, without one, of anybody. */
export function fullError(address?: string): GongError {
  if (address !== undefined) return new GongError("too_many", undefined, { retryAfter: 5 });
  return new GongError("overloaded", "There are too many connections.", { retryAfter: 5 });
}

/** Bytes of posted messages that the hub may have dealt with and not told the edge of: an edge with less is idle. */
export function creditAfter(busLag: number): number {
  return busLag / 8;
}
