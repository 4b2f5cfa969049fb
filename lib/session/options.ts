/**
 * What a session is made with, and what it is about to hear.
 *
 * @module
 */
import type { Grant } from "../auth.ts";
import type { Carrier } from "../carrier.ts";
import type { Door, SubscribeAnswer } from "../door.ts";
import type { Position, Start } from "../types.ts";

/** What is known of a session when it is made. */
export interface SessionOptions {
  readonly id: string;
  readonly door: Door;
  /** It may hear channels before its carrier is open; what they bring waits. */
  readonly carrier: Carrier;
  readonly address: string;
  readonly userAgent: string;
  readonly grant: Grant | undefined;
  /** Channels to hear from the start; the first is where the plain door publishes. */
  readonly channels: readonly string[];
  /** Where in them it begins, if not with what comes now. */
  readonly starts: ReadonlyMap<string, Start>;
  /** Whether it hears its own publications. */
  readonly echo: boolean;
  /** Ids of sessions that its client has been before: their publications are its own too. */
  readonly formerly: readonly string[];
  /** When it connected, in milliseconds since 1970, if that was elsewhere. */
  readonly since?: number;
}

/** A subscription that is not in force yet. */
export interface PendingSubscription {
  readonly channel: string;
  /** Where the session stands; unknown before the first answer to who asked for what comes now. */
  readonly position: Position | undefined;
  /** Number of a batch of the bus: what it has missed, and is not kept, came after that. */
  readonly after: number;
  /** Whether the session knows that it is subscribed. */
  readonly isTold: boolean;
  /** Who asked for it, and is told. */
  readonly answer: SubscribeAnswer | undefined;
  /** Gives up what was asked for, without a word. */
  cancel(): void;
  /** It comes to nothing, and who asked is told. */
  end(): void;
}

/** Of every session of which none is under way. */
export const NONE_PENDING: readonly PendingSubscription[] = Object.freeze([]);
