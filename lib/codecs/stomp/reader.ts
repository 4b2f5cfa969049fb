/**
 * STOMP frames out of the messages of a WebSocket, which may be cut anywhere.
 *
 * @module
 */
import { GongError } from "../../errors.ts";
import type { Data } from "../../types.ts";
import type { StompFrame, StompLimits } from "./frame.ts";
import { parseHead, type StompHead } from "./head.ts";
import { checkCommand, quote, tooLong } from "./lines.ts";
import { Pieces } from "./pieces.ts";
import { readWhole } from "./whole.ts";
import type { StompVersion } from "./wire.ts";

const NUL = 0x00;
const LF = 0x0a;
const CR = 0x0d;

/**
 * Reads frames in the order of their bytes, in linear time however they are cut. Of what is wrong the first is found,
 * wherever the cuts are. Held is the frame that is not whole yet, in at most four times its size: nothing is set aside
 * because a header announces it.
 *
 * @see https://stomp.github.io/stomp-specification-1.2.html#Augmented_BNF
 */
export class StompReader {
  /** Set once it is negotiated; "1.0" before. How headers are unescaped depends on it. */
  version: StompVersion = "1.0";
  readonly #limits: StompLimits;
  /** Begins with the frame, or with its body once the head is read. */
  readonly #pieces = new Pieces();
  /** Looked at already, from the beginning of the pieces. */
  #seen = 0;
  #isWithin = false;
  #isText = false;
  /** Where the line begins that has not ended, from the beginning of the pieces; and how many have. */
  #line = 0;
  #lines = 0;
  #head: StompHead | undefined;
  #error: GongError | undefined;

  constructor(limits: StompLimits) {
    this.#limits = limits;
  }

  /** Whether it stands within a frame; false once it has thrown. */
  get isWithin(): boolean {
    return this.#isWithin;
  }

  /**
   * The frames that are whole with this; text or bytes of a WebSocket message, which do not change afterwards. Each is
   * read when it is asked for, by the `version` of then. What a caller that stops early leaves comes with the next `read`.
   *
   * @throws {GongError} `bad_request`, `too_large`; as nothing tells then where a frame begins, every further `read` throws
   * the same
   */
  read(data: Data): Generator<StompFrame> {
    this.#pieces.push(data);
    return this.#frames();
  }

  *#frames(): Generator<StompFrame> {
    while (true) {
      const frame = this.#next();
      if (frame === undefined) return;
      yield frame;
    }
  }

  /** The next frame; undefined when it is not whole. */
  #next(): StompFrame | undefined {
    try {
      if (this.#error) throw this.#error;
      do {
        const frame = this.#scan() ?? this.#takeWhole();
        if (frame !== undefined) return frame;
      } while (this.#pieces.pull());
      return undefined;
    } catch (error) {
      this.#error = GongError.from(error);
      this.#pieces.clear();
      this.#isWithin = false;
      throw this.#error;
    }
  }

  #takeWhole(): StompFrame | undefined {
    if (this.#isWithin) return undefined;
    return this.#pieces.takeText((text) => readWhole(text, this.version, this.#limits));
  }

  #scan(): StompFrame | undefined {
    if (!this.#isWithin && !this.#begin()) return undefined;
    this.#head ??= this.#readHead();
    return this.#head && this.#readBody(this.#head);
  }

  /**
   * Skips what may stand between frames: line ends, which are heart-beats, and NULs. CR LF is one in 1.2 only, but nothing
   * else can be meant by it here, and what ends a CONNECT may come before its version is known.
   */
  #begin(): boolean {
    const { bytes, isText } = this.#pieces;
    let at = this.#pieces.start;
    while (bytes[at] === LF || bytes[at] === NUL || bytes[at] === CR && bytes[at + 1] === LF) at++;
    this.#pieces.start = at;
    // Of a CR at the end it is not known yet.
    if (at === bytes.length || bytes[at] === CR && at + 1 === bytes.length) return false;
    this.#seen = this.#line = this.#lines = 0;
    this.#isText = isText;
    return this.#isWithin = true;
  }

  /** Looks for the blank line. */
  #readHead(): StompHead | undefined {
    const { bytes, start } = this.#pieces;
    let line = start + this.#line;
    const end = Math.min(bytes.length, start + this.#limits.head);
    for (let at = start + this.#seen; at < end; at++) {
      const byte = bytes[at];
      if (byte !== LF && byte !== NUL) continue;
      this.#checkLine(line, at);
      if (byte === NUL) return this.#endWithout(line, at);
      if (at === line) return this.#endHead(at - 1, at + 1);
      // Where a CR is no part of the line's end, this is a header without a colon: the head cannot go on either way.
      if (at === line + 1 && bytes[line] === CR) return this.#endHead(at, at + 1);
      if (this.#lines > this.#limits.headers) {
        throw new GongError("too_large", `A frame has at most ${this.#limits.headers} headers.`);
      }
      this.#lines++;
      line = at + 1;
    }
    this.#checkLine(line, end);
    if (end < bytes.length) {
      throw new GongError("too_large", `The headers of a frame have at most ${this.#limits.head} bytes.`);
    }
    this.#seen = bytes.length - start;
    this.#line = line - start;
    return undefined;
  }

  #checkLine(start: number, end: number): void {
    const { bytes } = this.#pieces;
    const { line } = this.#limits;
    if (this.#lines === 0) checkCommand(bytes.subarray(start, end), line);
    // A view of each line would take longer than all else about it.
    else if (end - start > line) throw tooLong(bytes.subarray(start, end), line);
  }

  #endHead(end: number, body: number): StompHead {
    const { bytes, start } = this.#pieces;
    const head = parseHead(bytes.subarray(start, end), this.version);
    if (head.length !== undefined) this.#checkBody(head.length);
    this.#pieces.start = body;
    this.#seen = 0;
    return head;
  }

  /**
   * A NUL where a header would begin ends a frame that has no blank line, as in the examples of section "DISCONNECT" of
   * 1.2.
   *
   * @throws {GongError} `bad_request` for a NUL elsewhere before the body
   */
  #endWithout(line: number, nul: number): StompHead {
    const { bytes, start } = this.#pieces;
    const head = nul === line ? this.#endHead(nul - 1, nul) : undefined;
    if (head !== undefined && !head.length) return head;
    const text = quote(bytes.subarray(nul === line ? start : line, nul));
    throw new GongError("bad_request", `A NUL came before the blank line that ends the headers, behind ${text}.`);
  }

  #readBody(head: StompHead): StompFrame | undefined {
    const { bytes, start } = this.#pieces;
    const end = head.length === undefined ? this.#findNul() : start + head.length;
    if (end >= bytes.length) return undefined;
    if (bytes[end] !== NUL) {
      throw new GongError(
        "bad_request",
        `No NUL follows the ${head.length} bytes of the body that content-length announces.`,
      );
    }
    this.#pieces.start = end + 1;
    this.#isWithin = false;
    this.#head = undefined;
    return { command: head.command, headers: head.headers, body: bytes.slice(start, end), isText: this.#isText };
  }

  /** Index of the NUL that ends a body of unknown length; the end of what came when it has not come. */
  #findNul(): number {
    const { bytes, start } = this.#pieces;
    const nul = bytes.indexOf(NUL, start + this.#seen);
    const end = nul < 0 ? bytes.length : nul;
    this.#checkBody(end - start);
    this.#seen = end - start;
    return end;
  }

  #checkBody(length: number): void {
    const { body } = this.#limits;
    if (length > body) throw new GongError("too_large", `The body of a frame has at most ${body} bytes.`);
  }
}
