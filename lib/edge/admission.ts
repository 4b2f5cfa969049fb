/**
 * Whether an edge lets more sessions in.
 *
 * @module
 */
import { GongError } from "../errors.ts";
import { fullError } from "../methods.ts";

/** What the hub has told of room. */
export class Admission {
  /** The process is short of memory. */
  isPressed = false;
  /** The edge is about to end: by then, in milliseconds of `performance.now()`. */
  drainsUntil: number | undefined;
  #isFull = false;
  readonly #full = new Set<string>();

  /** There is no room any more, or room again, for this address, or, without one, for anybody. */
  setFull(isFull: boolean, address?: string): void {
    if (address === undefined) this.#isFull = isFull;
    else if (isFull) this.#full.add(address);
    else this.#full.delete(address);
  }

  /** @throws {GongError} `going_away`, `overloaded` or `too_many` when a session of this address may not begin */
  check(address: string): void {
    if (this.drainsUntil !== undefined) {
      // Who has nowhere else to go comes when this one may be back.
      const retryAfter = Math.max(1, (this.drainsUntil - performance.now()) / 1000);
      throw new GongError("going_away", undefined, { retryAfter });
    }
    if (this.isPressed) throw new GongError("overloaded", "The server is short of memory.", { retryAfter: 5 });
    if (this.#isFull) throw fullError();
    if (this.#full.has(address)) throw fullError(address);
  }
}
