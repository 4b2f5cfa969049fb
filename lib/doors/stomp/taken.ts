/**
 * Messages of a queue between a client and what becomes of them.
 *
 * @module
 */
import type { ConsumerSettling } from "../../methods.ts";
import type { Settlement } from "../../types.ts";

/** Messages that are not with the client any more, and are about to be settled. */
export interface Taken {
  /** @throws {GongError} when that cannot be stored */
  settle(as: Settlement): Promise<void>;
  /**
   * The same, to be done in one step with others.
   *
   * @throws {GongError} `conflict` when they were requeued meanwhile
   */
  settling(as: Settlement): ConsumerSettling;
  /** They are with the client again, as they were. */
  giveBack(): void;
}

/** A subscription whose messages are with the client until it says what becomes of them. */
export interface Giver {
  /** What an ACK or NACK of a message that is with the client is about. */
  take(position: string): Taken;
}
