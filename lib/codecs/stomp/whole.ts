/**
 * The short way for what nearly all clients send: one whole frame in one text message.
 *
 * @module
 */
import type { StompFrame, StompLimits } from "./frame.ts";
import { MAX_SHARED, parseLines } from "./head.ts";
import type { StompVersion } from "./wire.ts";

const COMMAND = /^[A-Z]{1,16}$/;
const encoder = new TextEncoder();

/**
 * The frame that a text is, without making bytes of its head and text of them again: half the time of the long way.
 * Undefined for any text that is not plainly one whole frame within the limits: the long way says what it is.
 *
 * @throws {GongError} `bad_request` for its headers, as the long way does
 */
export function readWhole(text: string, version: StompVersion, limits: StompLimits): StompFrame | undefined {
  const nul = text.indexOf("\0");
  const end = text.indexOf("\n\n");
  if (nul !== text.length - 1 || end < 0) return undefined;
  // A character has up to three bytes.
  if (end > MAX_SHARED || 3 * end > limits.line || 3 * end > limits.head || !text.isWellFormed()) return undefined;
  // A sum, which `split` makes a string of its own: parts of the text would keep its body too.
  const head = `${text.slice(0, end)}\n`;
  // A blank line with a CR may come before.
  if (head.includes("\r")) return undefined;
  const lines = head.split("\n");
  lines.pop();
  if (lines.length > limits.headers + 1 || !COMMAND.test(lines[0]!)) return undefined;
  const { command, headers, length } = parseLines(lines, version);
  const body = encoder.encode(text.slice(end + 2, nul));
  if (body.length > limits.body || length !== undefined && length !== body.length) return undefined;
  return { command, headers, body, isText: true };
}
