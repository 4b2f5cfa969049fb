/**
 * What the tests of every broker are made of.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { Announce, Broker, Draft, Position, Publication, PublishResult } from "../../../lib/types.ts";

/** What a test sets; everything else is as the broker has it by itself. */
export interface BrokerBounds {
  readonly historyCount?: number;
  readonly historyBytes?: number;
  /** Seconds. */
  readonly historyAge?: number;
  readonly historyBudget?: number;
  readonly rule?: readonly string[];
  readonly maxChannels?: number;
  readonly queueCount?: number;
  readonly queueBytes?: number;
  readonly queueBudget?: number;
  readonly maxQueues?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** Opens a broker that knows no channel. */
export type OpenBroker = (announce: Announce, bounds: BrokerBounds) => Broker | Promise<Broker>;

/**
 * Opens a broker on what another has left: after its `close()`, or on a copy of what lies on the disk while it runs, as
 * the end of its process would leave it.
 */
export type ReopenBroker = (
  broker: Broker,
  how: "closed" | "killed",
  announce: Announce,
  bounds: BrokerBounds,
) => Broker | Promise<Broker>;

/** What the broker is expected to do beyond the least; what is false is not tried. */
export interface BrokerFeatures {
  /** Several channels, queues and records are one step, and what is announced of several channels has one order. */
  readonly atomic: boolean;
  readonly queues: boolean;
  /**
   * Knows of each message in a queue whether somebody was given it, whoever else has ended, and goes on counting where a queue was
   * empty for a while.
   */
  readonly remembers?: boolean;
  /** Its time is that of `BrokerBounds.now`. */
  readonly clock: boolean;
  /** Keeps the bounds in bytes, and the budget over all channels, itself. */
  readonly bytes: boolean;
  /** Knows at most `maxChannels`, and forgets those that nobody hears. */
  readonly forgets: boolean;
  /** Knows what is kept over all channels: `stats()` says it. */
  readonly counts: boolean;
  /** Registers a test where that takes more than Deno. Default `Deno.test`. */
  readonly register?: (title: string, run: () => Promise<void>) => void;
  /** What was acknowledged outlives the process. */
  readonly reopen?: ReopenBroker;
}

/** A broker and everything that it has announced. */
export interface Opened {
  readonly broker: Broker;
  /** One element a call of `announce`. */
  readonly announced: (readonly Publication[])[];
  /** All of them, in order. */
  all(channel?: string): Publication[];
  /** Another broker on what this one has left. */
  reopen(how: "closed" | "killed", bounds?: BrokerBounds): Promise<Opened>;
}

export const BEFORE_ALL = 0;

/** What `stats()` says of queues when there is none. */
export const NO_QUEUES = { queues: 0, messages: 0, bytes: 0, claimed: 0 };

/** Registers one test; what it opens is closed after it. */
export type Test = (title: string, run: (open: (bounds?: BrokerBounds) => Promise<Opened>) => Promise<void>) => void;

export function text(channel: string, data: string): Draft {
  return { channel, data, contentType: "text/plain" };
}

export function range(first: number, last: number): number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);
}

export function position(result: PublishResult): Position {
  assert(!("error" in result), JSON.stringify(result));
  return result;
}

export function refusal(result: PublishResult): string {
  assert("error" in result, JSON.stringify(result));
  return result.error.code;
}

export async function refused(call: Promise<unknown>): Promise<string | undefined> {
  return await call.then(() => undefined, (error) => error.code);
}

/** The position before the channel's first publication. */
export async function before(broker: Broker, channel: string): Promise<Position> {
  return { epoch: (await broker.read(channel)).top.epoch, offset: BEFORE_ALL };
}

/** How far back the channel can be recovered. */
export async function kept(broker: Broker, channel: string): Promise<number> {
  const { top } = await broker.read(channel);
  for (let offset = BEFORE_ALL;; offset++) {
    const { recovered, publications } = await broker.read(channel, { epoch: top.epoch, offset });
    if (!recovered) continue;
    assertEquals(publications.map((publication) => publication.offset), range(offset + 1, top.offset));
    return publications.length;
  }
}
