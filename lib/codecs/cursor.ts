/**
 * Positions and cursors as text: `epoch:offset`, and `channel@epoch:offset` joined by commas.
 *
 * @module
 */
import { isChannelName } from "../globs.ts";
import type { Position } from "../types.ts";

/** Channels that a cursor may name. */
export const MAX_CURSOR = 32;
/** Characters of the longest cursor there can be: names of 129, epochs of 64, offsets of 15, and what parts them. */
const MAX_LENGTH = MAX_CURSOR * (129 + 64 + 15 + 3);
const POSITION = /^([\w-]{1,64}):(\d{1,15})$/;

/** @throws {SyntaxError} when it is no `epoch:offset` */
export function parsePosition(text: string): Position {
  const [, epoch, offset] = POSITION.exec(text) ?? [];
  if (epoch === undefined) throw new SyntaxError("A position is `epoch:offset`.");
  return { epoch, offset: Number(offset) };
}

/** `a@epoch:1,b@epoch:2`, in the order of the entries. */
export function encodeCursor(positions: Iterable<readonly [channel: string, position: Position]>): string {
  let cursor = "";
  for (const [channel, { epoch, offset }] of positions) {
    cursor += `${cursor === "" ? "" : ","}${channel}@${epoch}:${offset}`;
  }
  return cursor;
}

/**
 * The positions that a cursor names. An empty text names none.
 *
 * @param only the channel that a bare position is of, where there is just one
 * @throws {SyntaxError} for anything else, a channel named twice, or more than {@linkcode MAX_CURSOR}
 */
export function parseCursor(text: string, only?: string): Map<string, Position> {
  const positions = new Map<string, Position>();
  if (text === "") return positions;
  if (text.length > MAX_LENGTH) throw new SyntaxError(`A cursor has at most ${MAX_LENGTH} characters.`);
  const parts = text.split(",");
  if (parts.length > MAX_CURSOR) throw new SyntaxError(`A cursor names at most ${MAX_CURSOR} channels.`);
  for (const part of parts) {
    const at = part.indexOf("@");
    const channel = at < 0 && parts.length === 1 ? only : part.slice(0, Math.max(0, at));
    if (channel === undefined || !isChannelName(channel)) {
      throw new SyntaxError("A cursor is `channel@epoch:offset`, several joined by commas.");
    }
    if (positions.has(channel)) throw new SyntaxError(`The cursor names ${channel} twice.`);
    positions.set(channel, parsePosition(part.slice(at + 1)));
  }
  return positions;
}
