/**
 * Command lines: flags of known names, read strictly. A flag that nobody knows is an error that names the nearest.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { closestString } from "@std/text/closest-string";

/** The command line is wrong. Its message names what is wrong and says what would be right; no secret is in it. */
export class UsageError extends Error {
  override readonly name: string = "UsageError";
}

/** Which flags there are, by name without the dashes. */
export interface FlagSpec {
  /** Flags with a value; given twice, the last counts. */
  readonly text?: readonly string[];
  /** Flags with a value that may be repeated. */
  readonly list?: readonly string[];
  /** Flags without a value; `--no-NAME`, `--NAME=true` and `--NAME=false` work too. */
  readonly boolean?: readonly string[];
  /** Short names: letter → flag. */
  readonly short?: Readonly<Record<string, string>>;
  /** How many arguments that are not flags may stand there. Default 0. */
  readonly most?: number;
}

/** What stood on the command line; what did not is not in the maps. */
export interface Flags {
  readonly text: ReadonlyMap<string, string>;
  readonly list: ReadonlyMap<string, readonly string[]>;
  readonly boolean: ReadonlyMap<string, boolean>;
  /** Arguments that are not flags, in order, with everything after `--`. */
  readonly rest: readonly string[];
}

// Above this, comparing takes long and what was typed is no misspelling.
const COMPARED = 64;

/** The word most like the one given. */
export function nearest(word: string, words: readonly string[]): string {
  return closestString(word.slice(0, COMPARED), words);
}

/**
 * Reads a command line.
 *
 * @throws {UsageError} for an unknown flag, a missing value, a value that is neither true nor false, too many arguments
 * @example
 * ```ts
 * const flags = parseFlags(["--channel", "news", "-v", "hello"], {
 *   list: ["channel"],
 *   boolean: ["verbose"],
 *   short: { v: "verbose" },
 *   most: 1,
 * });
 * flags.list.get("channel"); // ["news"]
 * ```
 */
export function parseFlags(args: readonly string[], spec: FlagSpec): Flags {
  const { text = [], list = [], boolean = [], short = {}, most = 0 } = spec;
  const end = args.indexOf("--");
  const words = joinDashes(end === -1 ? args : args.slice(0, end), [...text, ...list]);
  checkBooleans(words, boolean);
  const parsed = parseArgs([...words, ...end === -1 ? [] : args.slice(end)], {
    string: [...text, ...list, "_"],
    boolean: [...boolean],
    negatable: [...boolean],
    collect: [...list],
    alias: { ...short },
    // Without this a flag that is absent reads as false, and the environment could not set it.
    default: Object.fromEntries(boolean.map((name) => [name, undefined])),
    unknown: (arg, key) => {
      if (key === undefined) return;
      const names = [...text, ...list, ...boolean].map((name) => `--${name}`);
      throw new UsageError(`${arg.split("=", 1)[0]}: there is no such flag; the nearest is ${nearest(arg, names)}`);
    },
  });
  const flags = {
    text: new Map<string, string>(),
    list: new Map<string, readonly string[]>(),
    boolean: new Map<string, boolean>(),
    rest: parsed._.map(String),
  };
  for (const name of text) {
    const value = parsed[name];
    if (typeof value === "string") flags.text.set(name, checkValue(words, name, value));
  }
  for (const name of list) {
    const values = parsed[name];
    if (!Array.isArray(values) || values.length === 0) continue;
    flags.list.set(name, values.map((value) => checkValue(words, name, String(value))));
  }
  for (const name of boolean) {
    const value = parsed[name];
    if (typeof value === "boolean") flags.boolean.set(name, value);
  }
  const extra = flags.rest[most];
  if (extra !== undefined) {
    throw new UsageError(`"${extra}": an argument too many; ${most === 0 ? "none is" : `${most} may be`} expected`);
  }
  return flags;
}

/** `--file -` as `--file=-`: for `parseArgs()` a lone dash is no value. */
function joinDashes(words: readonly string[], names: readonly string[]): string[] {
  const joined: string[] = [];
  for (const word of words) {
    const before = joined.at(-1);
    const takes = word === "-" && before?.startsWith("--") && names.includes(before.slice(2));
    if (takes) joined.pop();
    joined.push(takes ? `${before}=-` : word);
  }
  return joined;
}

// parseArgs() takes every text but "false" as true, `--dev=flase` too.
function checkBooleans(words: readonly string[], names: readonly string[]): void {
  for (const word of words) {
    const match = /^--(.+?)=(.*)$/s.exec(word);
    if (match === null || !names.includes(match[1]!)) continue;
    if (match[2] !== "true" && match[2] !== "false") {
      throw new UsageError(`--${match[1]}=${match[2]}: the value is either true or false`);
    }
  }
}

// parseArgs() gives "" both for a value that is missing and for one that is empty, as in `--name=`.
function checkValue(words: readonly string[], name: string, value: string): string {
  if (value === "" && !words.includes(`--${name}=`)) {
    throw new UsageError(`--${name}: a value is missing; write --${name}=VALUE if it begins with "-"`);
  }
  return value;
}
