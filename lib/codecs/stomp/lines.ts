/**
 * The lines of a head, as bytes: what can be said of them before the head is whole.
 *
 * @module
 */
import { GongError } from "../../errors.ts";
import { shown } from "./wire.ts";

const CR = 0x0d;
/** Letters of the longest command there could be: whoever sends more speaks another protocol. */
const MAX_COMMAND = 16;

/**
 * A head's first line, or what has come of it.
 *
 * @param most bytes of a line
 * @throws {GongError} `bad_request` when it is no command, with or without a CR behind it; `too_large`
 */
export function checkCommand(line: Uint8Array, most: number): void {
  for (let at = 0; at < line.length; at++) {
    if (at === most) throw tooLong(line, most);
    const byte = line[at]!;
    const isLetter = byte >= 0x41 && byte <= 0x5a && at < MAX_COMMAND;
    if (isLetter || byte === CR && at === line.length - 1) continue;
    throw new GongError(
      "bad_request",
      `A frame begins with a command of up to ${MAX_COMMAND} letters A to Z, not ${quote(line)}.`,
    );
  }
}

/** A line within a message to a client. */
export function quote(line: Uint8Array): string {
  // A character has four bytes at most.
  return shown(new TextDecoder().decode(line.subarray(0, 4 * 64)));
}

/** The refusal of a line of more bytes than `most`. */
export function tooLong(line: Uint8Array, most: number): GongError {
  return new GongError("too_large", `A line before the body has at most ${most} bytes, this one more: ${quote(line)}.`);
}
