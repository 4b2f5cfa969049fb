/**
 * The form of `--rule`: what holds for the channels of a pattern.
 *
 * @module
 */

import { isGlob, isReserved } from "../globs.ts";
import { isForMessages, isForQueues } from "../reserved.ts";
import { formatBytes, formatSeconds, MAX_SECONDS, parseBytes, parseSeconds } from "../units.ts";

/** Bounds of what one channel keeps, those of the plain settings too. */
export const MOST_KEPT = { count: 1_000_000, bytes: 2 ** 30, age: MAX_SECONDS } as const;

/**
 * Who may, beside keys with the scope for it: everybody; every user, i.e. whoever has a valid token; users whose token
 * names the channel; nobody.
 */
export const AUDIENCES = ["everyone", "users", "token", "keys"] as const;
export type Who = typeof AUDIENCES[number];

/** Whether it can be asked who hears a channel, and whether joining and leaving it is published too. */
export const PRESENCES = ["off", "on", "joins"] as const;
export type Presence = typeof PRESENCES[number];

/** What can be said of channels. */
export interface ChannelSettings {
  readonly subscribe: Who;
  readonly publish: Who;
  readonly presence: Presence;
  /** Publications kept; 0 is a channel without history. */
  readonly count: number;
  readonly bytes: number;
  /** Seconds. */
  readonly age: number;
}

/** What holds for the channels of a pattern. */
export interface ChannelRule {
  readonly pattern: string;
  /** What the rule says; of the rest the plain settings hold. */
  readonly settings: Partial<ChannelSettings>;
}

const READ: { readonly [K in keyof ChannelSettings]: (text: string) => ChannelSettings[K] } = {
  subscribe: oneOf(AUDIENCES),
  publish: oneOf(AUDIENCES),
  presence: oneOf(PRESENCES),
  count: bounded(parseCount, MOST_KEPT.count, String),
  bytes: bounded(parseBytes, MOST_KEPT.bytes, formatBytes),
  age: bounded(parseSeconds, MOST_KEPT.age, formatSeconds),
};
/** What a rule can say, for whoever has written something else. */
export const RULE_WORDS = `subscribe=WHO, publish=WHO, presence=${PRESENCES.join("|")}, count=N, bytes=SIZE, age=TIME`;

/**
 * Reads `room:* subscribe=users presence=joins count=100 bytes=64KiB age=1h`.
 *
 * @throws {SyntaxError} whose message says what would be right
 */
export function parseRule(text: string): ChannelRule {
  const [pattern = "", ...words] = text.trim().split(/\s+/);
  // "=" may stand in a channel's name.
  if (/^(?:count|bytes|age|subscribe|publish|presence)=/.test(pattern)) {
    throw new SyntaxError("expected a pattern of channels before it, e.g. room:* count=100");
  }
  if (!isGlob(pattern)) {
    throw new SyntaxError("expected a pattern of channels, then what holds for them, e.g. room:* count=100");
  }
  const settings = new Map<keyof ChannelSettings, ChannelSettings[keyof ChannelSettings]>();
  for (const word of words) {
    const [name = "", value = ""] = word.split(/=(.*)/s);
    if (!isSetting(name)) throw new SyntaxError(`${JSON.stringify(word)} is none of ${RULE_WORDS}`);
    if (settings.has(name)) throw new SyntaxError(`${name} is given twice`);
    if (isReserved(pattern)) checkReserved(pattern, name, value);
    settings.set(name, readSetting(name, value));
  }
  return { pattern, settings: Object.fromEntries(settings) };
}

/** A rule as {@linkcode parseRule} reads it, with single spaces. */
export function toRule(text: string): string {
  parseRule(text);
  return text.trim().split(/\s+/).join(" ");
}

/**
 * Of a reserved channel the server itself decides who hears it, and a rule that says so would only seem to hold. Queues
 * are consumed, and keep what nobody has acknowledged.
 */
function checkReserved(pattern: string, name: keyof ChannelSettings, value: string): void {
  if (isForQueues(pattern)) return checkQueue(name, value);
  if (name === "subscribe") {
    throw new SyntaxError("who may hear a channel that begins with $ is not for a rule to say, but of $queue/");
  }
  if (name === "presence") throw new SyntaxError("a channel that begins with $ has no presence");
  if (name !== "publish") return;
  if (!isForMessages(pattern)) {
    throw new SyntaxError(
      "only the server publishes there; of those that begin with $ only $user/, $session/ and $queue/ are open",
    );
  }
  if (value === "everyone") {
    throw new SyntaxError(
      "publish=everyone would let anybody write to users and sessions; expected users, token or keys",
    );
  }
}

function checkQueue(name: keyof ChannelSettings, value: string): void {
  if (name === "presence") throw new SyntaxError("a queue has no presence");
  if (name !== "subscribe" && name !== "publish") {
    throw new SyntaxError("a queue has no history: it keeps its messages until they are acknowledged");
  }
  if (value === "everyone") {
    throw new SyntaxError(`${name}=everyone would open a queue to anybody; expected users, token or keys`);
  }
}

function isSetting(name: string): name is keyof ChannelSettings {
  return Object.hasOwn(READ, name);
}

function readSetting(name: keyof ChannelSettings, value: string): ChannelSettings[keyof ChannelSettings] {
  try {
    return READ[name](value);
  } catch (error) {
    throw new SyntaxError(`${name}: ${(error as Error).message}`);
  }
}

function oneOf<T extends string>(choices: readonly T[]): (text: string) => T {
  return (text) => {
    const choice = choices.find((choice) => choice === text);
    if (choice !== undefined) return choice;
    throw new SyntaxError(`expected one of ${choices.join(", ")}`);
  };
}

function bounded(parse: (text: string) => number, most: number, show: (value: number) => string) {
  return (text: string) => {
    const value = parse(text);
    if (value <= most) return value;
    throw new RangeError(`must be at most ${show(most)}`);
  };
}

function parseCount(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new SyntaxError("expected a whole number");
  return Number(text);
}
