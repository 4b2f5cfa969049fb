/**
 * What is on its way to the hub: bounded, so that a hub that is slow fills no memory.
 *
 * @module
 */
import { GongError } from "../errors.ts";
import { creditAfter } from "../methods.ts";

/** Counts the bytes of messages that the hub has not dealt with, as far as it has said. */
export class Underway {
  readonly #bound: number;
  #bytes = 0;

  /** @param bound bytes that may be under way; where little is, a larger message may go too */
  constructor(bound: number) {
    this.#bound = bound;
  }

  /** @throws {GongError} `overloaded` when there is no room for so many more bytes */
  add(bytes: number): void {
    if (this.#bytes >= creditAfter(this.#bound) && this.#bytes + bytes > this.#bound) {
      throw new GongError("overloaded", undefined, { retryAfter: 1 });
    }
    this.#bytes += bytes;
  }

  /** So many bytes are dealt with. */
  remove(bytes: number): void {
    this.#bytes -= bytes;
  }

  /** Counts the bytes while something is under way. @throws {GongError} as {@linkcode add} does */
  async during<T>(bytes: number, send: () => Promise<T>): Promise<T> {
    this.add(bytes);
    try {
      return await send();
    } finally {
      this.remove(bytes);
    }
  }
}
