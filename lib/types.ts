/**
 * The shared nouns. Everything else imports from here and nothing is imported, so these are the words of
 * the project: one word for one thing.
 *
 * @module
 */

/** What a message carries: text as a string, bytes as an array. JSON is its text, never a parsed value. */
export type Data = string | Uint8Array;

/** A place in one channel. `offset` counts 1, 2, 3 ... within `epoch`; 0 is before the first. */
export interface Position {
  readonly epoch: string;
  readonly offset: number;
}

/** Where a read begins: after a position, or so many publications before the top. */
export type Start = Position | { readonly last: number };

/** What a message is, whoever has it. */
interface Message {
  readonly channel: string;
  readonly data: Data;
  /**
   * Media type, e.g. `text/plain`, `application/octet-stream`. Of `application/json` the data is valid JSON on one line:
   * whoever makes a draft sees to it (`draft.ts`), so that doors can put it into their own JSON as it is.
   */
  readonly contentType: string;
  /** The publisher's own id of the message, at most 64 bytes: published again, it is what it was the first time. */
  readonly id?: string;
  /** Name of the event, for doors that have such a thing. */
  readonly event?: string;
  /** The user who published, always taken from the session and never from the message. */
  readonly user?: string;
  /** Public id of the session that published. */
  readonly from?: string;
  readonly tags?: Readonly<Record<string, string>>;
  /** What becomes of it is noted, under its `id`. */
  readonly trace?: true;
}

/** A message as a publisher gives it: not numbered yet. */
export interface Draft extends Message {
  /** Seconds for which it may be read from history; 0 is for those only who listen now. Default: as history is kept. */
  readonly ttl?: number;
  /** Whose `id` it is: the name of a key, a user; empty is anybody. Nobody is shown it. */
  readonly publisher?: string;
}

/** A numbered message of a channel, as every subscriber sees it. */
export interface Publication extends Message, Position {
  /** When it was numbered, in milliseconds since 1970. */
  readonly time: number;
  /** Its `ttl` is over: it has no data, only its place in the numbering, and nobody is shown it. */
  readonly expired?: true;
}

/** A refusal that can cross an isolate: `code` is a key of the table in `errors.ts`. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
  /** When trying again makes sense, in seconds. */
  readonly retryAfter?: number;
}

/** A message to a session alone: unnumbered, best effort. */
export interface Signal {
  readonly data: Data;
  readonly contentType: string;
  /** Public id and user of the session that sent it, if one did. */
  readonly from?: string;
  readonly user?: string;
  /** Whoever has this may answer it, once: a secret of the session that asks. */
  readonly reply?: string;
}

/** What came of a question: how many sessions it was put to, and what the first of them answered. */
export interface Asked {
  readonly reached: number;
  readonly answer: Signal;
}

/** What became of one draft: where it went (`repeated`: where it had gone before), or why it was refused. */
export type PublishResult = Position & { readonly repeated?: true } | { readonly error: Refusal };

/** How much a read may answer at once. A single publication is answered whatever its size. */
export interface PageLimit {
  /** Publications. Default: no bound. */
  readonly count?: number;
  /** Bytes, as `sizeOf` counts them. Default: no bound. */
  readonly bytes?: number;
}

/** A read of a channel's history. */
export interface History {
  /** Position of the newest publication at the instant of the read. */
  readonly top: Position;
  /**
   * What came after the start, ascending and without a gap, as much as the limit allows; empty when `recovered` is false.
   * Of those whose `ttl` is over the place is there, `expired`.
   */
  readonly publications: readonly Publication[];
  /** Where `publications` begin for somebody who named no position; absent, it is `top`. */
  readonly from?: Position;
  /** False when not everything after the position is there any more, or it is not of this numbering. */
  readonly recovered: boolean;
}

/**
 * A value under a key that is kept beside the channels; without a value, the key goes. Both are well-formed text; a key
 * has 1 to 256 bytes without control characters. Whoever keeps records bounds how many, and how large, they are.
 */
export interface RecordChange {
  readonly key: string;
  readonly value?: string;
  /** There must not be one under this key yet: else nothing of all the changes is, and that is a `conflict`. */
  readonly isNew?: true;
  /** What is under this key has to be this still: else it is a `conflict` too. */
  readonly was?: string;
}

/** A message of a queue. It has a number where a publication has an offset; nobody sees it but its consumer. */
export interface QueuedMessage extends Omit<Message, "channel">, Position {
  /** Name of the queue. */
  readonly queue: string;
  /** When it was put there, in milliseconds since 1970. */
  readonly time: number;
  /** It may have been given to a consumer before. */
  readonly redelivered: boolean;
}

/** What becomes of messages that somebody has claimed: they are done with, or go back to their places. */
export interface Settling {
  readonly queue: string;
  /** The offsets of the messages. */
  readonly offsets: readonly number[];
  readonly as: Settlement;
}

/** `done`: gone for good; `requeued`: at its place again, in front of what came later, and `redelivered`. */
export type Settlement = "done" | "requeued";

/** How drafts are published. */
export interface PublishOptions {
  /** All drafts or none. */
  readonly atomic?: boolean;
  /** Messages of queues that are settled in the same step as the drafts, which are atomic then. */
  readonly settled?: readonly Settling[];
  /** Changed in the same step as the drafts, which are atomic then: all of it, or nothing. */
  readonly records?: readonly RecordChange[];
}

/** What a broker can do beyond the least. A missing capability is refused in the door's words, never imitated. */
export interface BrokerCapabilities {
  /**
   * `publish(..., { atomic: true })` for whatever channels, queues and records: all or none. For one channel or one queue
   * every broker can; one that cannot for more refuses it with `bad_request`.
   */
  readonly atomic: boolean;
  /** Drafts may be for queues, which can be claimed from. */
  readonly queues: boolean;
  /** What outlives what: the client's disconnection, the process, the node. */
  readonly survives: "disconnection" | "process" | "node";
}

/**
 * Keeps channels: numbers, stores, announces.
 *
 * Guarantees: the offsets of a channel are 1, 2, 3 ... without a gap. `publish` numbers, stores and announces as one
 * step, in the order of its drafts, and resolves after the announcement; calls are served in the order they were made.
 * Where it is not `atomic`, that is so for each channel, and the order between channels is not said.
 * Publications come back only through the `announce` callback that the broker was built with.
 *
 * A draft with an `id` that its `publisher` has used in the channel within five minutes is not published again: the
 * result is the first position, `repeated`; with other content it is refused with `conflict`. What cannot be stored is
 * refused with `overloaded`, and no number is used for it.
 *
 * Records survive what channels survive.
 *
 * A draft whose channel is `$queue/NAME` is put at the end of that queue, in the same order and the same step as the
 * others; its result is its position there. It is kept until it is settled as done, is never announced, and cannot be
 * read but by {@linkcode claim}. Past its `ttl` it is not given to anybody. Its `id` is for its consumer: there are no repeats in queues, as
 * a queue without messages may be forgotten. A queue that is full, or one too many, refuses it with `overloaded`. Queues
 * survive what channels survive; after that, what they had may be `redelivered`, as nobody knows who was given what.
 * Where several nodes share a broker, what one has claimed goes back when nothing was heard of it for as long as its lease
 * is; what it settles of that later is passed over, so that a message may be done by two, and is never lost.
 */
export interface Broker {
  readonly capabilities: BrokerCapabilities;
  /** Where several nodes share what it keeps: who they are. */
  readonly membership?: Membership;
  /** There too: what they leave for each other. */
  readonly keepsakes?: Keepsakes;
  /**
   * Resolves when it can be used; one without this can be from the beginning.
   *
   * @throws {BrokerSetupError} when it cannot be used as it is set up, in words for the operator
   */
  start?(): Promise<void>;
  /**
   * One result per draft, in order. With `atomic` either all are taken or every result is the same refusal. Without drafts
   * it is {@linkcode record}.
   */
  publish(drafts: readonly Draft[], options?: PublishOptions): Promise<PublishResult[]>;
  /** The records whose keys begin with the prefix, by their keys. */
  records(prefix: string): Promise<ReadonlyMap<string, string>>;
  /**
   * Changes records, all or none.
   *
   * @throws {GongError} `bad_request` for a key; `conflict` where one is not as it has to be; `overloaded` when that cannot
   * be stored
   */
  record(changes: readonly RecordChange[]): Promise<void>;
  /**
   * What came after the start, and the top, as of one instant. Without a start: no publications, only the top.
   * `{ last }` starts so many before the top, or at the oldest that is kept; that is always `recovered`.
   * A channel that nobody has published to has a top too: offset 0 of its epoch.
   */
  read(channel: string, start?: Start, limit?: PageLimit): Promise<History>;
  /** Somebody here listens to the channel: announce it, and do not forget it. Idempotent. */
  subscribe(channel: string): Promise<void>;
  /** Nobody here listens to the channel any more. Idempotent. */
  unsubscribe(channel: string): Promise<void>;
  /**
   * Takes from the front of a queue what nobody has claimed, in order and as much as the limit allows; it is the caller's
   * until it is settled. A single message is given whatever its size. Only nothing means that there is nothing more.
   */
  claim(queue: string, limit: PageLimit): Promise<QueuedMessage[]>;
  /**
   * Settles what was claimed, all or none, if it is `atomic`; offsets that nobody has claimed are passed over, so that it
   * may be done again.
   */
  settle(settlings: readonly Settling[]): Promise<void>;
  /** Channels known, publications and bytes held, if they are held here; queues that have messages, those, their bytes, and how many are claimed. */
  stats(): {
    channels: number;
    publications?: number;
    bytes?: number;
    queues: { queues: number; messages: number; bytes: number; claimed: number };
  };
  close(): Promise<void>;
}

/** What a broker calls with what it has numbered, in order. */
export type Announce = (publications: readonly Publication[]) => void;

/** A node, as those see it that share its broker. */
export interface Member {
  /** No two nodes have had the same; from 1. */
  readonly node: number;
  /** Where the other nodes reach it, e.g. `http://10.0.0.1:7946`. */
  readonly address: string;
  /** Its version, for the operator. */
  readonly version: string;
  /** No other start of a node has the same. */
  readonly run: string;
}

/** The nodes that share a broker, by leases that it keeps: what counts is its time, not that of any node. */
export interface Membership {
  /** Takes a number that no node has had, with a lease of so many seconds. @throws {GongError} `overloaded` */
  join(member: Omit<Member, "node">, seconds: number): Promise<number>;
  /**
   * Renews the lease and answers all who have one, this node among them, by their numbers.
   *
   * @returns `wasOver`: it had none any more, so that others may have taken it for gone
   * @throws {GongError} `overloaded`: nothing is known of anybody
   */
  renew(member: Member, seconds: number): Promise<{ members: readonly Member[]; wasOver: boolean }>;
  /** Gives the lease back. */
  leave(node: number): Promise<void>;
}

/** What a client goes on with when its connection drops, under a secret of its own. */
export interface Recovery {
  /** Public id of the session that has it, or had it last. */
  readonly session: string;
  readonly user?: string;
  readonly state: string;
}

/** A text under a key that nobody guesses. */
export interface Keepsake {
  readonly key: string;
  readonly value: string;
  /** How long it is kept. */
  readonly seconds: number;
}

/** What nodes leave for the others when they end. */
export interface Keepsakes {
  /** @throws {GongError} `overloaded`: some may be kept, and some not */
  keep(keepsakes: readonly Keepsake[]): Promise<void>;
  /** What is under the key; it is nobody else's then. @throws {GongError} `overloaded` */
  take(key: string): Promise<string | undefined>;
}

/** A session as the operator sees it. Nothing secret is in it. */
export interface SessionInfo {
  readonly id: string;
  /** Which door: `plain`, `json` ... */
  readonly door: string;
  /** The client's address, after `trustedProxies`. */
  readonly address: string;
  readonly userAgent: string;
  readonly user?: string;
  readonly channels: readonly string[];
  /** Queues that it consumes, if any. */
  readonly queues?: readonly string[];
  /** When it connected, in milliseconds since 1970. */
  readonly since: number;
  /** Bytes handed to the socket that it has not yet taken. */
  readonly pending: number;
  /** Publications queued to it so far. */
  readonly delivered: number;
  /** Number of the edge that owns it. */
  readonly edge: number;
}

/** One page of sessions, in the order of their ids. */
export interface SessionPage {
  readonly sessions: readonly SessionInfo[];
  /** All sessions there are, not only those of this page. */
  readonly total: number;
  /** Give as `after` to get the next page; absent on the last. */
  readonly next?: string;
}

/** One session that hears a channel, as others may see it. */
export interface Present {
  readonly session: string;
  readonly user?: string;
  /** JSON that the user's token brought. */
  readonly info?: string;
  /** When it joined, in milliseconds since 1970. */
  readonly since: number;
}

/** Who hears a channel: how many, and one page of them in the order of their joining. */
export interface PresencePage {
  /** Sessions. */
  readonly count: number;
  /** Distinct users among them. */
  readonly users: number;
  readonly present: readonly Present[];
  /** Give as `after` to get the next page; absent on the last. */
  readonly next?: string;
}

/** How many there are, over all isolates. */
export interface Totals {
  /** Sockets and requests that are open, also those that were closed and do not go. */
  readonly connections: number;
  readonly sessions: number;
  /** Distinct ones. */
  readonly users: number;
}

/** A user who is connected. */
export interface UserInfo {
  readonly user: string;
  readonly info?: string;
  /** Ids, at most 100. */
  readonly sessions: readonly string[];
  /** All sessions of the user. */
  readonly count: number;
}

/** One page of users, in the order of their ids. */
export interface UserPage {
  readonly users: readonly UserInfo[];
  /** All users there are that match. */
  readonly total: number;
  readonly next?: string;
}

/** A question for one page, of what comes after something. */
export interface PageRequest {
  readonly limit: number;
  readonly after?: string;
}

/** Which sessions an order of the operator is about: of a user, one, or those that hear a channel. */
export type Selector =
  | { readonly user: string }
  | { readonly session: string }
  | { readonly channel: string };

/** When a schedule fires: once, at a time in milliseconds since 1970; every so many seconds; or by a cron line in a zone. */
export type When =
  | { readonly at: number }
  | { readonly every: number }
  | { readonly cron: string; readonly zone: string };

/** What somebody wants to be published later. */
export interface ScheduleOrder {
  readonly id: string;
  /** Name of the key that made it; its rights count when it fires. */
  readonly creator: string;
  readonly when: When;
  /** Channels, those of users too. */
  readonly channels: readonly string[];
  /** Everything of the drafts but channel, id and publisher. */
  readonly message: Omit<Draft, "channel" | "id" | "publisher">;
}

/** A schedule, and what has become of it. */
export interface Schedule extends ScheduleOrder {
  /** When it was made or replaced, in milliseconds since 1970. */
  readonly created: number;
  /** When it fires next; absent when it does not any more. */
  readonly next?: number;
  /** The last time that it fired. */
  readonly last?: {
    /** When it was due, and when it fired. */
    readonly due: number;
    readonly time: number;
    /** It could not fire in time, since no server was running. */
    readonly late?: true;
    /** The code of the refusal, if it was not published. */
    readonly refused?: string;
  };
}

/** How a schedule is made. */
export interface PutOptions {
  /** Whether it may take the place of one that there is. */
  readonly replace: boolean;
  /** Whose that has to be; absent: anybody's. */
  readonly owner?: string;
}

/** One page of schedules, in the order of their ids. */
export interface SchedulePage {
  readonly schedules: readonly Schedule[];
  readonly total: number;
  readonly next?: string;
}

/** Is the server ready for traffic, and if not, why. */
export interface Readiness {
  readonly ready: boolean;
  /** In words, for the operator: `starting`, `draining`, `edge 2 is silent`, `over the memory watermark`. */
  readonly reasons: readonly string[];
  /** What does not work though clients are better off here than nowhere: `the broker is away: ...`. */
  readonly degraded?: readonly string[];
}

/** The last publications, for the admin page: what they were, shortened. */
export interface Glimpse {
  readonly channel: string;
  readonly offset: number;
  readonly time: number;
  readonly contentType: string;
  /** Size of the data in bytes. */
  readonly bytes: number;
  /** The first characters of a text; of bytes, nothing. */
  readonly preview: string;
}

/** What became of a traced publication in one channel. */
export type Trace =
  & {
    readonly channel: string;
    /** When it was numbered, or last repeated or refused, in milliseconds since 1970. */
    readonly time: number;
  }
  & (
    | Position & {
      /** It had been published already, there. Without `queued` that one was not traced. */
      readonly repeated?: true;
      /** Sessions it was queued to, live or from history. */
      readonly queued?: number;
      /** Sessions it was not queued to, by reason. */
      readonly dropped?: Readonly<Record<string, number>>;
    }
    | {
      /** The code of its refusal. */
      readonly refused: string;
    }
  );

/** A trace as one node of several has it: `partial` where it was noted elsewhere, and here only what its sessions got. */
export type NodeTrace = Trace & { readonly partial?: true };

/** One figure of the metrics: a name of the table in `metrics.ts`, its labels, its value. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What an edge can ask the hub. All calls go over the worker port, which loses nothing. */
export interface HubClient {
  /** Numbers, stores and announces; resolves when that is done. One result per draft, in order. */
  publish(drafts: readonly Draft[], options?: { atomic?: boolean }): Promise<PublishResult[]>;
  /** Best-effort message to sessions by id, or to all; resolves to how many it was queued to. */
  signal(sessions: readonly string[] | "all", signal: Signal): Promise<number>;
  /** How many sessions there are of these users. */
  reach(users: readonly string[]): Promise<number>;
  /** Who hears the channel. */
  presence(channel: string, page: PageRequest): Promise<PresencePage>;
  totals(): Promise<Totals>;
  /** Users whose id begins with `prefix`. */
  users(page: PageRequest & { readonly prefix?: string }): Promise<UserPage>;
  /** A user and its sessions, as the operator sees them; undefined when none is connected. */
  user(id: string): Promise<UserInfo | undefined>;
  /** Closes the sessions with `forbidden`; resolves to how many. */
  disconnect(selector: Selector, reason: string): Promise<number>;
  /** Has the sessions hear the channel, whatever their rights; resolves to how many do that did not. */
  subscribeSessions(selector: Selector, channel: string): Promise<number>;
  /** Has the sessions hear it no more; resolves to how many did. */
  unsubscribeSessions(selector: Selector, channel: string): Promise<number>;
  listSchedules(page: PageRequest & { readonly creator?: string }): Promise<SchedulePage>;
  getSchedule(id: string): Promise<Schedule | undefined>;
  /**
   * Makes a schedule, or replaces one; `created` is whether there was none.
   *
   * @throws {GongError} `conflict` unless `replace`, when there is one of the id; `forbidden` when that is not of the
   * `owner`; `too_many`; `overloaded`
   */
  putSchedule(order: ScheduleOrder, options: PutOptions): Promise<{ schedule: Schedule; created: boolean }>;
  /** False when there is none of the id, or none of the owner's if one is named. */
  cancelSchedule(id: string, owner?: string): Promise<boolean>;
  listSessions(options: { limit: number; after?: string }): Promise<SessionPage>;
  getSession(id: string): Promise<SessionInfo | undefined>;
  /** Closes one session; false when there is none of that id. */
  closeSession(id: string, code: number, reason: string): Promise<boolean>;
  /** Every isolate's figures, added up where they add up. */
  samples(): Promise<readonly Sample[]>;
  readiness(): Promise<Readiness>;
  recent(): Promise<readonly Glimpse[]>;
  /** Reads a channel's history; nobody begins to listen to it for that. */
  history(channel: string, start: Start, limit: PageLimit): Promise<History>;
  /** What became of the traced publications of this id, the oldest first; undefined when nothing is noted. */
  publication(id: string): Promise<readonly Trace[] | undefined>;
  /** A wrong key or password came from this address: counts towards its being blocked for a while. */
  failedAuth(address: string): void;
  /** Ends an admin login by the id inside its cookie, on every edge. */
  revoke(login: string): void;
}
