/**
 * Where a broker's channels are kept: what {@linkcode Ledger} counts, a store holds.
 *
 * @module
 */
import type { HistoryLimits } from "../../channel_rules.ts";
import type { PageLimit, Publication, RecordChange } from "../../types.ts";

/** A channel as the ledger counts it. Those before `first` are gone, the last one is `offset`. */
export interface Channel {
  readonly name: string;
  readonly epoch: string;
  readonly limits: HistoryLimits;
  offset: number;
  first: number;
  /** Bytes of what is kept, and of the ids that are remembered. */
  bytes: number;
  idBytes: number;
  /** Somebody here listens. */
  hosted: boolean;
  /** It waits among those whose oldest publication grows too old. */
  isAging: boolean;
}

/** What a store has of a channel from before. */
export type KeptChannel = Pick<Channel, "name" | "epoch" | "offset" | "first" | "bytes" | "idBytes">;

/** An id that was published under, and where it went. */
export interface KnownId {
  readonly publisher: string;
  readonly id: string;
  readonly offset: number;
  /** Of the content. */
  readonly digest: string;
  /** When, in milliseconds since 1970. */
  readonly time: number;
  /** What it counts for. */
  readonly bytes: number;
}

/** Bytes that a channel of this name holds no more. */
export interface Freed {
  readonly name: string;
  readonly bytes: number;
}

/** What is needed of a kept publication to count it. */
export interface Weight {
  readonly time: number;
  readonly bytes: number;
}

/** By what a store knows a queue. */
export interface QueueName {
  readonly name: string;
  readonly epoch: string;
  /** No other queue has it. */
  readonly number: number;
}

/** What is needed of a queue's message to count it. */
export interface KeptMessage {
  readonly offset: number;
  readonly bytes: number;
  /** When its `ttl` is over, in milliseconds since 1970. */
  readonly expires: number | undefined;
}

/** What a store has of a queue from before. */
export interface KeptQueue extends QueueName {
  /** Of the message that came last. */
  readonly offset: number;
  /** The first of them first. */
  readonly messages: Iterable<KeptMessage>;
}

/** Holds the messages of queues. Like {@linkcode Store} it counts nothing, and commits and rolls back with it. */
export interface QueueStore {
  /** What it has. */
  load(): Iterable<KeptQueue>;
  /** Keeps the next message of a queue. */
  append(queue: QueueName, message: Publication, kept: KeptMessage): void;
  /** Some messages are gone. */
  drop(queue: QueueName, offsets: readonly number[]): void;
  /** The message that came last has this offset, and so many are left. */
  save(queue: QueueName, offset: number, count: number): void;
  /** The queue is gone with all that is left of it. */
  forget(queue: QueueName): void;
  /** Messages that are there, in the same order. */
  read(queue: QueueName, offsets: readonly number[]): Publication[];
}

/**
 * Holds channels, publications, ids and records. It counts nothing and bounds nothing: the ledger says what goes.
 *
 * What is changed counts from {@linkcode commit} on, all of it or, when that throws, nothing; then the ledger calls
 * {@linkcode rollback} and {@linkcode load}. What is read takes in what was changed since.
 */
export interface Store {
  /** What was committed is still there for the next process; and what has expired is read as a place at once. */
  readonly isLasting: boolean;
  readonly queues: QueueStore;
  /** What it has, the channels that were longest unused first. */
  load(): Iterable<KeptChannel>;
  /** Keeps the next publication of a channel; past `expires`, in milliseconds since 1970, only as a place. */
  append(channel: Channel, publication: Publication, bytes: number, expires: number | undefined): void;
  /** The figures of the channel have changed. What is before its `first` goes. */
  save(channel: Channel): void;
  /** The channel and everything of it goes. */
  forget(channel: Channel): void;
  /** What a kept publication counts for. */
  weigh(channel: Channel, offset: number): Weight;
  /** From `first` on, ascending, as much as the limit allows. What has expired by `now` is only a place. */
  read(channel: Channel, first: number, limit: PageLimit, now: number): Publication[];
  /** Makes at most `most` that have expired by `now` into places; those before the `first` of their channel may be among them. */
  expire(now: number, most: number): Iterable<Freed & { readonly offset: number }>;
  findId(channel: Channel, publisher: string, id: string): KnownId | undefined;
  /** Of a name that is not known. */
  addId(channel: Channel, known: KnownId): void;
  dropId(channel: Channel, known: KnownId): void;
  /** Forgets at most `most` ids of before `time`. */
  expireIds(time: number, most: number): Iterable<Freed>;
  /** Those whose keys begin with the prefix. */
  records(prefix: string): Map<string, string>;
  changeRecord(change: RecordChange): void;
  commit(): void;
  rollback(): void;
  close(): void;
}
