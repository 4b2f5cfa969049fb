/**
 * Just enough of RFC 6455 for a measuring client: frames out of the bytes of a socket, in place, and masked frames.
 * Reading TCP in large chunks costs a fraction of one event a message of the built-in client.
 *
 * @module
 */
import { concat } from "../../bytes.ts";

/** Opcodes of RFC 6455 section 5.2. */
export const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

const FINAL = 0x80;
const RESERVED = 0x70;
const MASKED = 0x80;
/** Bytes of the buffer of a connection that is hardly ever sent anything, and of one that is sent much. */
export const BUFFER_BYTES = { idle: 512, busy: 64 * 1024 } as const;
/** A frame larger than this is not waited for. */
const LARGEST_FRAME = 64 * 1024 * 1024;

/**
 * What a {@linkcode FrameReader} gives messages to, piece by piece as they arrive: the piece is `bytes` from `start` to
 * `end`, good until the call returns, and `last` when the message ends with it. Returns the index from which on the rest
 * is wanted: before `end` the bytes come again with the next piece, after it some are left out. Of the last it does not
 * matter.
 */
export type OnData = (bytes: Uint8Array, start: number, end: number, last: boolean) => number;

/** What a {@linkcode FrameReader} gives control frames to. */
export type OnControl = (opcode: number, payload: Uint8Array) => void;

/**
 * Takes apart what a server sends, in a buffer of one size whatever that of a message. Control frames may stand between the
 * fragments of a message; such a message, which servers seldom send, is put together and given in one piece.
 */
export class FrameReader {
  #buffer: Uint8Array<ArrayBuffer>;
  #start = 0;
  #end = 0;
  /** Of the message that is being given out in pieces: bytes to come, and of those to leave out. */
  #remaining = 0;
  #leaveOut = 0;
  #fragments: Uint8Array[] = [];
  readonly #onData: OnData;
  readonly #onControl: OnControl;

  /** @param size of the buffer in bytes; a control frame, or bytes that `onData` wants again, can make it larger */
  constructor(onData: OnData, onControl: OnControl, size: number = BUFFER_BYTES.busy) {
    this.#buffer = new Uint8Array(size);
    this.#onData = onData;
    this.#onControl = onControl;
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
   * Reads what is there now that `count` bytes were put into `space`.
   *
   * @throws {SyntaxError} when the bytes are no frames of a server, or a frame is larger than 64 MiB
   */
  take(count: number): void {
    this.#end += count;
    let needed = 0;
    while (needed === 0 && this.#start < this.#end) {
      needed = this.#remaining > 0 ? this.#readPiece() : this.#readFrame();
    }
    this.#makeRoom(needed);
  }

  /** Goes on with a message; returns how many bytes have to be there for more, 0 when it went on. */
  #readPiece(): number {
    const left = Math.min(this.#leaveOut, this.#remaining, this.#end - this.#start);
    this.#start += left;
    this.#leaveOut -= left;
    this.#remaining -= left;
    const size = Math.min(this.#remaining, this.#end - this.#start);
    const last = size === this.#remaining;
    if (size === 0 && !last) return 1;
    const end = this.#start + size;
    const next = this.#onData(this.#buffer, this.#start, end, last);
    const read = last ? size : Math.min(next, end) - this.#start;
    this.#leaveOut = last ? 0 : Math.max(0, next - end);
    this.#start += read;
    this.#remaining -= read;
    return last ? 0 : size - read + 1;
  }

  /** Begins with a frame; returns how many bytes have to be there for it, 0 when it began. */
  #readFrame(): number {
    const buffer = this.#buffer;
    const at = this.#start;
    const held = this.#end - at;
    if (held < 2) return 2;
    const first = buffer[at]!;
    let length = buffer[at + 1]!;
    let header = 2;
    if ((first & RESERVED) !== 0) throw new SyntaxError("a frame uses an extension that was not agreed on");
    if ((length & MASKED) !== 0) throw new SyntaxError("a server's frame is masked");
    if (length === 126) {
      header = 4;
      if (held < header) return header;
      length = buffer[at + 2]! << 8 | buffer[at + 3]!;
    } else if (length === 127) {
      header = 10;
      if (held < header) return header;
      length = 0;
      for (let i = at + 2; i < at + header; i++) length = length * 256 + buffer[i]!;
      if (length > LARGEST_FRAME) throw new SyntaxError(`a frame has ${length} bytes`);
    }
    const opcode = first & 15;
    const final = (first & FINAL) !== 0;
    if (final && length > 0 && opcode !== OPCODES.continuation && opcode < OPCODES.close) {
      this.#start += header;
      this.#remaining = length;
      return 0;
    }
    if (held < header + length) return header + length;
    this.#start += header + length;
    const payload = buffer.slice(at + header, this.#start);
    if (opcode >= OPCODES.close) this.#onControl(opcode, payload);
    else this.#readFragment(payload, final);
    return 0;
  }

  #readFragment(payload: Uint8Array, final: boolean): void {
    this.#fragments.push(payload);
    if (!final) return;
    const whole = concat(this.#fragments);
    this.#fragments = [];
    this.#onData(whole, 0, whole.length, true);
  }

  /** Makes `space` begin where at least `needed` bytes from the start on can be. */
  #makeRoom(needed: number): void {
    const size = this.#buffer.length;
    const full = this.#end === size;
    if (this.#start === this.#end) this.#start = this.#end = 0;
    const held = this.#end - this.#start;
    let wanted = size;
    while (wanted < Math.max(needed, held + 1)) wanted *= 2;
    if (wanted > size) {
      const larger = new Uint8Array(wanted);
      larger.set(this.#buffer.subarray(this.#start, this.#end));
      this.#buffer = larger;
    } else if (this.#start > 0 && (full || this.#start + needed > size)) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
    } else {
      return;
    }
    this.#start = 0;
    this.#end = held;
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
