/**
 * Command and headers of a frame.
 *
 * @module
 */
import { GongError } from "../../errors.ts";
import { shown, type StompVersion, type StompWire, unescapeFor, wireOf } from "./wire.ts";

/** What comes before the body. */
export interface StompHead {
  readonly command: string;
  /** Of a repeated header the first value (section "Repeated Header Entries"); names and values unescaped. */
  readonly headers: ReadonlyMap<string, string>;
  /** Bytes of the body; absent, it ends with the first NUL. */
  readonly length?: number;
}

/**
 * Characters of a head whose lines may be parts of one string. V8 keeps all of a string for any part of it, and somebody
 * may keep a header for long.
 */
export const MAX_SHARED = 4096;
const LF = 0x0a;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads a head.
 *
 * @param bytes its lines, joined by LF; the first is a command, with or without a CR. The blank line is among them only
 * when it has a CR
 * @throws {GongError} `bad_request`, saying which line is wrong
 */
export function parseHead(bytes: Uint8Array, version: StompVersion): StompHead {
  return parseLines(decodeLines(bytes), version);
}

/** The same of the lines as text. */
export function parseLines(lines: string[], version: StompVersion): StompHead {
  const first = lines[0]!;
  const hasCr = first.endsWith("\r");
  const command = hasCr ? first.slice(0, -1) : first;
  const wire = wireOf(version, command, lines);
  if (hasCr && !wire.isCrDropped) {
    throw new GongError(
      "bad_request",
      `The command ${shown(command)} has a CR behind it: in STOMP ${version} LF ends lines.`,
    );
  }
  if (wire.isCrDropped && lines.at(-1) === "\r") lines.pop();
  const headers = new Map<string, string>();
  for (let n = 1; n < lines.length; n++) readHeader(lines[n]!, wire, headers);
  const text = headers.get("content-length");
  return text === undefined ? { command, headers } : { command, headers, length: parseLength(text) };
}

function decodeLines(bytes: Uint8Array): string[] {
  try {
    if (bytes.length <= MAX_SHARED) return decoder.decode(bytes).split("\n");
    const lines = [];
    for (let start = 0, end = 0; end < bytes.length; start = end + 1) {
      const lf = bytes.indexOf(LF, start);
      end = lf < 0 ? bytes.length : lf;
      lines.push(decoder.decode(bytes.subarray(start, end)));
    }
    return lines;
  } catch {
    const wrong = new TextDecoder().decode(bytes).split("\n").find((line) => line.includes("\ufffd")) ?? "";
    throw new GongError("bad_request", `The header line ${shown(wrong)} is not UTF-8.`);
  }
}

/** Values may have a colon as it is: the grammar of 1.1 and 1.2 forbids it, but many clients write it. */
function readHeader(line: string, wire: StompWire, headers: Map<string, string>): void {
  const colon = line.indexOf(":");
  if (colon < 0) throw new GongError("bad_request", `The header line ${shown(line)} has no colon.`);
  const end = wire.isCrDropped && line.endsWith("\r") ? line.length - 1 : line.length;
  let name = unescapeFor(wire, line.slice(0, colon), line);
  let value = unescapeFor(wire, line.slice(colon + 1, end), line);
  if (wire.arePadsDropped) {
    name = withoutPads(name);
    value = withoutPads(value);
  }
  if (name === "") throw new GongError("bad_request", `The header line ${shown(line)} has no name before its colon.`);
  if (!headers.has(name)) headers.set(name, value);
}

/** Spaces alone: `trim` would take other white space too. */
function withoutPads(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && text.charCodeAt(start) === 0x20) start++;
  while (end > start && text.charCodeAt(end - 1) === 0x20) end--;
  return text.slice(start, end);
}

function parseLength(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new GongError("bad_request", `The header content-length has to be a number of bytes, not ${shown(text)}.`);
}
