/**
 * Secret ids that say which edge has made them, under a seal: nobody else makes one.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

/** What {@linkcode SealedIds} are made of. */
export interface SealedIdsOptions {
  /** Number of the edge. */
  readonly number: number;
  /** Shared by all edges of all nodes, and by those after a restart. */
  readonly seal: Uint8Array;
  /** What they are for: those of one kind are not taken for another's. */
  readonly kind: string;
}

/** `EDGE.CHANCE.MAC`: its number, a safe integer, in base 36, 128 bits of chance, 128 of an HMAC-SHA-256. */
const ID = /^([0-9a-z]{1,11})\.[\w-]{22}\.([\w-]{22})$/;
/** Bytes of chance, and those of the code that are kept. */
const BYTES = 16;

/** Ids of one kind, as one edge makes them. */
export class SealedIds {
  readonly #prefix: string;
  readonly #key: Uint8Array;

  constructor({ number, seal, kind }: SealedIdsOptions) {
    this.#prefix = number.toString(36);
    this.#key = createHmac("sha256", seal).update(`gong ${kind}`).digest();
  }

  newId(): string {
    const content = `${this.#prefix}.${randomBytes(BYTES).toString("base64url")}`;
    return `${content}.${this.#sign(content)}`;
  }

  /** Number of the edge that has made it; undefined when none has. In constant time. */
  edgeOf(id: string): number | undefined {
    const [, edge, mac] = ID.exec(id) ?? [];
    if (edge === undefined || mac === undefined) return undefined;
    // The text of the code is compared, not its bytes: base64 has several texts for the same bytes.
    const expected = this.#sign(id.slice(0, -mac.length - 1));
    return timingSafeEqual(Buffer.from(mac), Buffer.from(expected)) ? parseInt(edge, 36) : undefined;
  }

  #sign(content: string): string {
    return createHmac("sha256", this.#key).update(content).digest().subarray(0, BYTES).toString("base64url");
  }
}
