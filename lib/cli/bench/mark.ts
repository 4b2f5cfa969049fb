/**
 * What a message of a run carries, so that it can be counted and timed wherever it comes out, in whatever envelope:
 *
 * ```text
 * @GONGXXXXXXX 00001 000000042 1795416921113028 xxxxx...
 * name         publisher  sequence   microseconds since 1970
 * ```
 *
 * without the spaces. `XXXXXXX` are random letters of the run, so that no other traffic is taken for it. `@` is neither in
 * the channel grammar nor changed by JSON.
 *
 * @module
 */

const NAME = 12;
const PUBLISHER = 5;
const SEQUENCE = 9;
const TIME = 16;

/** Bytes of a mark: the smallest message of a run. */
export const MARK_BYTES = NAME + PUBLISHER + SEQUENCE + TIME;

/** Highest number of publishers, and of messages of each. */
export const MAX_PUBLISHERS = 10 ** PUBLISHER - 1;
export const MAX_MESSAGES = 10 ** SEQUENCE - 1;

/** The publisher number of messages that only ask who hears them. */
export const PROBE = 10 ** PUBLISHER - 1;

const ZERO = 48;
const LETTERS = 26;

/** A name for one run: 12 bytes that nothing else on the wire contains. */
export function createRunName(): string {
  const random = crypto.getRandomValues(new Uint8Array(NAME - 5));
  return "@GONG" + String.fromCharCode(...random.map((byte) => 65 + byte % LETTERS));
}

/** The time of this machine in microseconds since 1970, finer than `Date.now()` and the same in every isolate. */
export function now(): number {
  return (performance.timeOrigin + performance.now()) * 1000;
}

/** What stands before and after each message, ASCII. */
export interface Envelope {
  readonly before: string;
  readonly after: string;
}

/** Makes the messages of one publisher: always the same bytes but for the digits. */
export class MarkWriter {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #at: number;

  /**
   * @param size bytes of a message, at least {@linkcode MARK_BYTES}
   */
  constructor(run: string, size: number, envelope: Envelope = { before: "", after: "" }) {
    const filler = "x".repeat(size - MARK_BYTES);
    const text = envelope.before + run + "0".repeat(MARK_BYTES - NAME) + filler + envelope.after;
    this.#bytes = new TextEncoder().encode(text);
    this.#at = new TextEncoder().encode(envelope.before).length + NAME;
  }

  /** The message of these figures; the bytes are good until the next call. */
  write(publisher: number, sequence: number, time: number): Uint8Array<ArrayBuffer> {
    const bytes = this.#bytes;
    writeDigits(bytes, this.#at, PUBLISHER, publisher);
    writeDigits(bytes, this.#at + PUBLISHER, SEQUENCE, sequence);
    writeDigits(bytes, this.#at + PUBLISHER + SEQUENCE, TIME, Math.floor(time));
    return bytes;
  }
}

/** What a {@linkcode MarkReader} calls for each mark: publisher, sequence, time in microseconds. */
export type OnMark = (publisher: number, sequence: number, time: number) => void;

/**
 * Finds every mark of a run in any bytes, without decoding what is around them. It steps twelve bytes at a time
 * (Horspool's search), so that the envelope of a JSON line costs nanoseconds and nothing is assumed about its form.
 */
export class MarkReader {
  readonly #name: Uint8Array;
  readonly #steps = new Uint8Array(256).fill(NAME);
  readonly #skip: number;

  /** @param size bytes of a message: the rest of a message behind its mark is not searched */
  constructor(run: string, size: number) {
    this.#name = new TextEncoder().encode(run);
    if (this.#name.length !== NAME) throw new RangeError(`the name of a run has ${NAME} bytes`);
    for (let i = 0; i < NAME - 1; i++) this.#steps[this.#name[i]!] = NAME - 1 - i;
    this.#skip = size;
  }

  /**
   * Reads the marks of `bytes` from `start` to `end`.
   *
   * @returns where to go on when more bytes follow: before `end`, where a mark may have been cut off, or after it, where
   * the rest of a message is still to come
   */
  read(bytes: Uint8Array, start: number, end: number, onMark: OnMark): number {
    const name = this.#name;
    const last = name[NAME - 1]!;
    const limit = end - MARK_BYTES;
    let at = start;
    while (at <= limit) {
      const byte = bytes[at + NAME - 1]!;
      if (byte !== last || !startsWith(bytes, at, name)) {
        at += this.#steps[byte]!;
        continue;
      }
      const digits = at + NAME;
      const publisher = readDigits(bytes, digits, PUBLISHER);
      const sequence = readDigits(bytes, digits + PUBLISHER, SEQUENCE);
      onMark(publisher, sequence, readTime(bytes, digits + PUBLISHER + SEQUENCE));
      at += this.#skip;
    }
    return at;
  }
}

function startsWith(bytes: Uint8Array, at: number, name: Uint8Array): boolean {
  for (let i = 0; i < NAME; i++) if (bytes[at + i] !== name[i]) return false;
  return true;
}

function writeDigits(bytes: Uint8Array, at: number, count: number, value: number): void {
  let rest = value;
  for (let i = at + count - 1; i >= at; i--) {
    const left = Math.floor(rest / 10);
    bytes[i] = ZERO + (rest - left * 10);
    rest = left;
  }
}

/** At most nine digits, so that it stays an integer for the machine too. */
function readDigits(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = at; i < at + count; i++) value = (Math.imul(value, 10) + (bytes[i]! - ZERO)) | 0;
  return value;
}

function readTime(bytes: Uint8Array, at: number): number {
  return readDigits(bytes, at, TIME / 2) * 10 ** (TIME / 2) + readDigits(bytes, at + TIME / 2, TIME / 2);
}
