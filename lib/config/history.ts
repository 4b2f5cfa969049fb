/**
 * The form of `--history`.
 *
 * @module
 */

import { isGlob } from "../globs.ts";
import { formatBytes, formatSeconds, MAX_SECONDS, parseBytes, parseSeconds } from "../units.ts";

/** Bounds of what one channel keeps, those of the plain settings too. */
export const MOST_KEPT = { count: 1_000_000, bytes: 2 ** 30, age: MAX_SECONDS } as const;

type Bound = keyof typeof MOST_KEPT;

/** What a channel of a pattern keeps. */
export interface HistoryRule {
  readonly pattern: string;
  /** What the rule says; of the rest the plain settings hold. */
  readonly limits: Partial<Readonly<Record<Bound, number>>>;
}

const READ: Readonly<Record<Bound, (text: string) => number>> = {
  count: parseCount,
  bytes: parseBytes,
  age: parseSeconds,
};
const SHOW: Readonly<Record<Bound, (value: number) => string>> = {
  count: String,
  bytes: formatBytes,
  age: formatSeconds,
};

/**
 * Reads `room:* count=100 bytes=64KiB age=1h`.
 *
 * @throws {SyntaxError | RangeError} whose message says what would be right
 */
export function parseHistory(text: string): HistoryRule {
  const [pattern = "", ...words] = text.trim().split(/\s+/);
  // "=" may stand in a channel's name.
  if (/^(?:count|bytes|age)=/.test(pattern)) {
    throw new SyntaxError("expected a pattern of channels before it, e.g. room:* count=100");
  }
  if (!isGlob(pattern)) {
    throw new SyntaxError("expected a pattern of channels, then what they keep, e.g. room:* count=100");
  }
  const limits: Partial<Record<Bound, number>> = {};
  for (const word of words) {
    const [name = "", value = ""] = word.split(/=(.*)/s);
    if (!isBound(name)) throw new SyntaxError(`${JSON.stringify(word)} is none of count=N, bytes=SIZE and age=TIME`);
    if (limits[name] !== undefined) throw new SyntaxError(`${name} is given twice`);
    limits[name] = readBound(name, value);
  }
  return { pattern, limits };
}

/** A rule as {@linkcode parseHistory} reads it, with single spaces. */
export function toHistory(text: string): string {
  parseHistory(text);
  return text.trim().split(/\s+/).join(" ");
}

function isBound(name: string): name is Bound {
  return Object.hasOwn(MOST_KEPT, name);
}

function readBound(name: Bound, text: string): number {
  let value: number;
  try {
    value = READ[name](text);
  } catch (error) {
    throw new SyntaxError(`${name}: ${(error as Error).message}`);
  }
  if (value > MOST_KEPT[name]) throw new SyntaxError(`${name} must be at most ${SHOW[name](MOST_KEPT[name])}`);
  return value;
}

function parseCount(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new SyntaxError("expected a whole number");
  return Number(text);
}
