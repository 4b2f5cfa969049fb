/**
 * Just enough of RFC 6455 for a measuring client: frames out of the bytes of a socket, in place, and masked frames.
 * Reading TCP in large chunks costs a fraction of one event a message of the built-in client.
 *
 * @module
 */

/** Opcodes of RFC 6455 section 5.2. */
export const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

const FINAL = 0x80;
const RESERVED = 0x70;
const MASKED = 0x80;
const SMALLEST = 1024;
/** A read that fills the buffer doubles it up to here, so that one system call brings more. */
const LARGEST_BY_CHOICE = 256 * 1024;
/** A frame larger than this is not waited for. */
const LARGEST_FRAME = 64 * 1024 * 1024;

/** What a {@linkcode FrameReader} calls: the payload is `bytes` from `start` to `end`, good until the call returns. */
export type OnFrame = (opcode: number, bytes: Uint8Array, start: number, end: number) => void;

/** Takes apart what a server sends. Messages in fragments are put together; control frames may stand between them. */
export class FrameReader {
  #buffer = new Uint8Array(SMALLEST);
  #start = 0;
  #end = 0;
  #fragments: Uint8Array[] = [];
  #opcode = 0;
  readonly #onFrame: OnFrame;

  constructor(onFrame: OnFrame) {
    this.#onFrame = onFrame;
  }

  /** Where the next bytes of the socket belong; never empty. */
  get space(): Uint8Array<ArrayBuffer> {
    return this.#buffer.subarray(this.#end);
  }

  /** Puts bytes that were read elsewhere. */
  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const space = this.space;
      const part = bytes.subarray(at, at + space.length);
      space.set(part);
      at += part.length;
      this.take(part.length);
    }
  }

  /**
   * Reads the frames that are complete now that `count` bytes were put into `space`.
   *
   * @throws {SyntaxError} when the bytes are no frames of a server, or a frame is larger than 64 MiB
   */
  take(count: number): void {
    this.#end += count;
    const buffer = this.#buffer;
    let needed = 0;
    while (this.#end - this.#start >= 2) {
      const at = this.#start;
      const first = buffer[at]!;
      let length = buffer[at + 1]!;
      let header = 2;
      if ((first & RESERVED) !== 0) throw new SyntaxError("a frame uses an extension that was not agreed on");
      if ((length & MASKED) !== 0) throw new SyntaxError("a server's frame is masked");
      if (length === 126) {
        header = 4;
        if (this.#end - at < header) break;
        length = buffer[at + 2]! << 8 | buffer[at + 3]!;
      } else if (length === 127) {
        header = 10;
        if (this.#end - at < header) break;
        length = 0;
        for (let i = at + 2; i < at + header; i++) length = length * 256 + buffer[i]!;
        if (length > LARGEST_FRAME) throw new SyntaxError(`a frame has ${length} bytes`);
      }
      if (this.#end - at < header + length) {
        needed = header + length;
        break;
      }
      this.#start = at + header + length;
      this.#frame(first, buffer, at + header, this.#start);
    }
    this.#makeRoom(needed);
  }

  #frame(first: number, bytes: Uint8Array, start: number, end: number): void {
    const opcode = first & 15;
    const final = (first & FINAL) !== 0;
    if (opcode >= OPCODES.close || (final && opcode !== OPCODES.continuation)) {
      this.#onFrame(opcode, bytes, start, end);
      return;
    }
    if (opcode !== OPCODES.continuation) this.#opcode = opcode;
    this.#fragments.push(bytes.slice(start, end));
    if (!final) return;
    const whole = concat(this.#fragments);
    this.#fragments = [];
    this.#onFrame(this.#opcode, whole, 0, whole.length);
  }

  #makeRoom(needed: number): void {
    const full = this.#end === this.#buffer.length;
    if (this.#start === this.#end) this.#start = this.#end = 0;
    const size = this.#buffer.length;
    const wanted = Math.max(needed, full && size < LARGEST_BY_CHOICE ? size * 2 : size);
    if (wanted > size) {
      const larger = new Uint8Array(wanted);
      larger.set(this.#buffer.subarray(this.#start, this.#end));
      this.#buffer = larger;
    } else if (this.#start > 0 && (full || this.#start + needed > size)) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
    } else {
      return;
    }
    this.#end -= this.#start;
    this.#start = 0;
  }
}

/** A final, masked frame, as a client has to send it (RFC 6455 section 5.3). */
export function encodeFrame(opcode: number, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const { length } = payload;
  const header = length < 126 ? 6 : length < 65_536 ? 8 : 14;
  const frame = new Uint8Array(header + length);
  frame[0] = FINAL | opcode;
  if (length < 126) {
    frame[1] = MASKED | length;
  } else if (length < 65_536) {
    frame[1] = MASKED | 126;
    frame[2] = length >>> 8;
    frame[3] = length;
  } else {
    frame[1] = MASKED | 127;
    new DataView(frame.buffer).setBigUint64(2, BigInt(length));
  }
  const mask = Math.floor(Math.random() * 0x1_0000_0000);
  for (let i = 0; i < 4; i++) frame[header - 4 + i] = mask >>> (24 - 8 * i);
  for (let i = 0; i < length; i++) frame[header + i] = payload[i]! ^ frame[header - 4 + (i & 3)]!;
  return frame;
}

/** The bytes of all parts, one after the other. */
export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
