/**
 * STOMP 1.0, 1.1 and 1.2 as a client writes and reads it: frames to and from the messages of a WebSocket.
 * Sections are those of the specification of 1.2.
 *
 * @module
 */

const LF = 0x0a;
const CR = 0x0d;
const NUL = 0x00;

/** Bytes of a frame that has not come whole. */
const MOST = 64 * 2 ** 20;

/** What each version escapes in headers (section "Value Encoding"); 1.0 has no word for it. */
const ESCAPES = {
  "1.0": {},
  "1.1": { "\\": "\\\\", "\n": "\\n", ":": "\\c" },
  "1.2": { "\\": "\\\\", "\n": "\\n", ":": "\\c", "\r": "\\r" },
};
/** These stay as they are in every version: they come before one is agreed on. */
const PLAIN = ["CONNECT", "STOMP", "CONNECTED"];

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function escapesOf(version, command) {
  return PLAIN.includes(command) ? {} : ESCAPES[version];
}

/**
 * A frame for one message: text when the body is text, else bytes. A body has its `content-length`.
 *
 * @param {[string, string][]} headers in order
 * @param {string | Uint8Array} [body]
 * @throws {TypeError} when a header has something in it that this version cannot say
 */
export function encodeFrame(version, command, headers, body) {
  const escapes = escapesOf(version, command);
  const lines = headers.map(([name, value]) => `${escape(name, escapes, /[\n\r\0:]/)}:${escape(value, escapes)}\n`);
  const isText = typeof body !== "object";
  const length = isText ? encoder.encode(body).length : body.length;
  if (length > 0 && !headers.some(([name]) => name === "content-length")) lines.push(`content-length:${length}\n`);
  const head = `${command}\n${lines.join("")}\n`;
  return isText ? `${head}${body ?? ""}\0` : join([encoder.encode(head), body, Uint8Array.of(NUL)]);
}

function escape(text, escapes, wrong = /[\n\r\0]/) {
  const escaped = String(text).replace(/[\\\n\r:]/g, (character) => escapes[character] ?? character);
  if (!wrong.test(escaped)) return escaped;
  throw new TypeError(`This version of STOMP cannot say ${JSON.stringify(text)} in a header.`);
}

/** Reads frames out of messages that may have been cut anywhere. */
export class FrameReader {
  /** As it was agreed on; headers are escaped by it. */
  version = "1.0";
  #bytes = new Uint8Array();
  #isText = false;

  /**
   * What is whole with this message: frames `{command, headers, body, isText}` in their order, `headers` as pairs, `body`
   * as bytes; and how many heart-beats stood between them.
   *
   * @throws {SyntaxError} when it is not STOMP
   */
  read(data) {
    const piece = typeof data === "string" ? encoder.encode(data) : data;
    if (this.#bytes.length === 0) this.#isText = typeof data === "string";
    this.#bytes = join([this.#bytes, piece]);
    const frames = [];
    let beats = 0;
    for (;;) {
      const start = this.#bytes.findIndex((byte) => byte !== LF && byte !== CR && byte !== NUL);
      const between = start < 0 ? this.#bytes : this.#bytes.subarray(0, start);
      beats += between.reduce((count, byte) => byte === LF ? count + 1 : count, 0);
      this.#bytes = this.#bytes.subarray(between.length);
      const frame = start < 0 ? undefined : this.#take();
      if (frame === undefined) break;
      frames.push(frame);
      this.#isText = typeof data === "string";
      // What comes behind it is of the version that it tells.
      if (frame.command === "CONNECTED") this.version = valueOf(frame, "version") ?? "1.0";
    }
    if (this.#bytes.length > MOST) throw new SyntaxError(`A frame has more than ${MOST} bytes.`);
    return { frames, beats };
  }

  /** The frame at the beginning, if it is whole. */
  #take() {
    const bytes = this.#bytes;
    const end = endOfHead(bytes);
    if (end === undefined) return undefined;
    const { command, headers } = parseHead(bytes.subarray(0, end), this.version);
    const length = valueOf({ headers }, "content-length");
    if (length !== undefined && !/^\d{1,15}$/.test(length)) throw new SyntaxError(`content-length:${length}`);
    const nul = length === undefined ? bytes.indexOf(NUL, end) : end + Number(length);
    if (nul < 0 || nul >= bytes.length) return undefined;
    if (bytes[nul] !== NUL) throw new SyntaxError(`No NUL is behind the body of ${command}.`);
    this.#bytes = bytes.subarray(nul + 1);
    return { command, headers, body: bytes.slice(end, nul), isText: this.#isText };
  }
}

/** The first value of a header: later ones of the name do not count (section "Repeated Header Entries"). */
export function valueOf({ headers }, name) {
  return headers.find(([other]) => other === name)?.[1];
}

/** Where the body begins: behind the blank line. */
function endOfHead(bytes) {
  for (let at = bytes.indexOf(LF); at >= 0; at = bytes.indexOf(LF, at + 1)) {
    if (bytes[at + 1] === LF) return at + 2;
    if (bytes[at + 1] === CR && bytes[at + 2] === LF) return at + 3;
  }
  return undefined;
}

function parseHead(bytes, version) {
  const [command = "", ...lines] = decode(bytes).split(version === "1.1" ? "\n" : /\r?\n/);
  const escapes = escapesOf(version, command);
  const headers = lines.filter((line) => line !== "" && line !== "\r").map((line) => {
    const colon = line.indexOf(":");
    if (colon <= 0) throw new SyntaxError(`The header ${JSON.stringify(line)} has no name.`);
    return [unescape(line.slice(0, colon), escapes), unescape(line.slice(colon + 1), escapes)];
  });
  return { command, headers };
}

function unescape(text, escapes) {
  if (Object.keys(escapes).length === 0) return text;
  return text.replace(/\\(.?)/gs, (sequence) => {
    for (const [character, its] of Object.entries(escapes)) if (its === sequence) return character;
    throw new SyntaxError(`${JSON.stringify(sequence)} is no escape of this version.`);
  });
}

function decode(bytes) {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new SyntaxError("Headers are not UTF-8.");
  }
}

function join(parts) {
  const filled = parts.filter(({ length }) => length > 0);
  if (filled.length === 1) return filled[0];
  const whole = new Uint8Array(filled.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of filled) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
