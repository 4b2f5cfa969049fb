/**
 * What the isolates of a load say to each other.
 *
 * @module
 */

import type { LoadOptions } from "./options.ts";

/** What an isolate of the generator is told at its start. */
export interface PartOptions {
  readonly load: LoadOptions;
  /** Name of the run: see `mark.ts`. */
  readonly run: string;
  readonly role: "subscribers" | "publishers";
  /** How many connections are its share. */
  readonly connections: number;
}

/** Figures so far. Times are microseconds since 1970, 0 before the first. */
export interface PartProgress {
  readonly connected: number;
  /** Subscribers that have heard a probe. */
  readonly heard: number;
  readonly published: number;
  readonly delivered: number;
  readonly duplicated: number;
  /** Connections that ended by themselves. */
  readonly ended: number;
  /** Distinct messages that arrived at subscribers whose connection ended before its time. */
  readonly receivedByEnded: number;
}

/** Before anything has happened. */
export const NOTHING: PartProgress = Object.freeze({
  connected: 0,
  heard: 0,
  published: 0,
  delivered: 0,
  duplicated: 0,
  ended: 0,
  receivedByEnded: 0,
});

/** Figures at the end. */
export interface PartResult extends PartProgress {
  readonly outOfOrder: number;
  /** Microseconds from sending to arrival: the counts of a histogram. */
  readonly latency: Float64Array;
  /** When the first message was sent, and when the last arrived. */
  readonly firstSent: number;
  readonly lastArrived: number;
  /** Connections that could not be made: why → how many. */
  readonly failed: ReadonlyMap<string, number>;
  /** Connections that ended by themselves: close code or word → how many. */
  readonly closed: ReadonlyMap<string, number>;
  /** Messages that the server refused: its code → how many. */
  readonly refused: ReadonlyMap<string, number>;
}

/** One connection of the generator, whatever its wire. */
export interface Line {
  /** Resolves once it is over, to the close code, or to a word when there was none. */
  readonly closed: Promise<string>;
  /** Ends it, and resolves when it is over or `limit` has. */
  close(limit: Promise<void>): Promise<void>;
}

/** One share of a load, in whichever isolate. */
export interface Part {
  /** Opens its connections; those that fail are counted. */
  connect(): Promise<void>;
  /** Sends one message that only asks who hears it. */
  probe(): Promise<void>;
  /** Publishes its share; resolves when the sockets have taken it. */
  publish(): Promise<void>;
  progress(): PartProgress;
  /** Closes what is open. */
  finish(): Promise<PartResult>;
}

/** What an isolate can be asked for. */
export type PartCommand = "connect" | "probe" | "publish" | "finish";

/** What an isolate posts: its progress, time and again, or that a command is done. */
export type PartMessage =
  | { readonly progress: PartProgress }
  | { readonly done: PartCommand; readonly result?: PartResult };

/** Adds one to a count by name. */
export function countUp(counts: Map<string, number>, name: string, by = 1): void {
  counts.set(name, (counts.get(name) ?? 0) + by);
}

/** Runs `task` for 0, 1, 2 ... below `count`, so many at a time. */
export async function forEach(count: number, atOnce: number, task: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  async function lane(): Promise<void> {
    while (next < count) await task(next++);
  }
  await Promise.all(Array.from({ length: Math.min(count, atOnce) }, lane));
}

/** Resolves after so many milliseconds; at once when there are none. */
export function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, milliseconds)));
}
