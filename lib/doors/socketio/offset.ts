/**
 * Where a client stands, as text that it gives back: a cursor, and a signature by which it is told from whatever else a
 * client may have heard last.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createHmac, hash, timingSafeEqual } from "node:crypto";
import { MAX_CURSOR, parseCursor } from "../../codecs/cursor.ts";
import type { Position } from "../../types.ts";

/** Characters of a signature: 128 bits in base64url. */
const SIGNATURE = 22;

/**
 * Signs cursors, and knows them again. Whoever has the same seal knows them too.
 *
 * The signature is that of RFC 2104 in all but that its two keys, of a block of SHA-256 each, are not of one: made of texts
 * alone, it takes 5 µs, and one of `createHmac` 14; it is made for each event and each set of those who hear it.
 */
export class Offsets {
  readonly #inner: string;
  readonly #outer: string;

  /** @param seal a secret of all edges, which outlives them */
  constructor(seal: Uint8Array) {
    const derive = (label: string) => createHmac("sha256", seal).update(`gong socket.io offset ${label}`).digest("hex");
    this.#inner = derive("inner");
    this.#outer = derive("outer");
  }

  /** The cursor with a signature behind it; empty for one that nobody could read. */
  sign(cursor: string): string {
    // Each channel has one `@`, and at least five letters.
    if (cursor.length > MAX_CURSOR * 5 && cursor.split("@").length > MAX_CURSOR + 1) return "";
    return `${cursor}~${this.#signature(cursor)}`;
  }

  /** The positions of a cursor that was signed here; undefined for any other text. */
  read(text: string): ReadonlyMap<string, Position> | undefined {
    const end = text.length - SIGNATURE - 1;
    // A name may have a tilde, a signature has none.
    if (end < 0 || text[end] !== "~") return undefined;
    const cursor = text.slice(0, end);
    const given = Buffer.from(text.slice(end + 1));
    const right = Buffer.from(this.#signature(cursor));
    if (given.length !== right.length || !timingSafeEqual(given, right)) return undefined;
    return parseCursor(cursor);
  }

  #signature(cursor: string): string {
    return hash("sha256", this.#outer + hash("sha256", this.#inner + cursor), "base64url").slice(0, SIGNATURE);
  }
}
