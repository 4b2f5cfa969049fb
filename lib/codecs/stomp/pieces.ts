/**
 * Bytes that come in pieces and are read as one.
 *
 * @module
 */
import type { Data } from "../../types.ts";

const EMPTY = new Uint8Array();
const encoder = new TextEncoder();

/**
 * What came and is not read yet. A piece that is read whole is never copied; of others each byte is copied a few times on
 * average, whatever their sizes.
 */
export class Pieces {
  /** What is at hand. All before `start` is read; its reader moves that on. */
  bytes: Uint8Array = EMPTY;
  start = 0;
  /** The last piece at hand was text. */
  isText = false;
  /** Memory that `bytes` is the beginning of; undefined while that is a piece as it came. */
  #room: Uint8Array | undefined;
  /** Pieces that are not at hand yet. */
  readonly #waiting: Data[] = [];

  push(piece: Data): void {
    this.#waiting.push(piece);
  }

  /**
   * Takes the next piece out as it is, when it is a text that nothing is held before, and `read` makes something of it.
   */
  takeText<T>(read: (text: string) => T | undefined): T | undefined {
    const [piece] = this.#waiting;
    if (typeof piece !== "string" || this.start < this.bytes.length) return undefined;
    const value = read(piece);
    if (value !== undefined) this.#waiting.shift();
    return value;
  }

  /**
   * Brings the next piece to hand, behind what is not read; `start` may change. False when there is none: then no more is
   * held than four times what is not read.
   */
  pull(): boolean {
    const held = this.bytes.length - this.start;
    const piece = this.#waiting.shift();
    if (piece === undefined) {
      if (this.start > held) this.#hold(held === 0 ? EMPTY : this.bytes.slice(this.start));
      return false;
    }
    this.isText = typeof piece === "string";
    const more = typeof piece === "string" ? encoder.encode(piece) : piece;
    if (held === 0) this.#hold(more);
    else this.#append(more);
    return true;
  }

  clear(): void {
    this.#waiting.length = 0;
    this.#hold(EMPTY);
  }

  #hold(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.start = 0;
    this.#room = undefined;
  }

  /** Into room for twice as much, so that a byte that comes alone does not move all that came before. */
  #append(more: Uint8Array): void {
    if (this.#room === undefined || this.bytes.length + more.length > this.#room.length) {
      const held = this.bytes.subarray(this.start);
      const room = new Uint8Array(2 * (held.length + more.length));
      room.set(held);
      this.#hold(room.subarray(0, held.length));
      this.#room = room;
    }
    const end = this.bytes.length;
    this.#room.set(more, end);
    this.bytes = this.#room.subarray(0, end + more.length);
  }
}
