/**
 * What a command of `gong` is, and what it is given: the outside world, so that a test can hand it another one.
 *
 * @module
 */

import type { Env } from "../config.ts";

export { UsageError } from "../flags.ts";

/** The outside world of a command. */
export interface Io {
  readonly stdin: ReadableStream<Uint8Array>;
  /** Writes to standard output as it is: no line end is added. Results go here, and nothing else. */
  stdout(text: string): void;
  /** Writes to standard error as it is. Progress, notices and errors go here. */
  stderr(text: string): void;
  /** Whether standard error is a terminal, i.e. a person reads notices and progress. */
  readonly terminal: boolean;
  /** Whether standard input is a terminal, i.e. a person types: show a prompt. */
  readonly interactive: boolean;
  readonly env: Env;
}

/** One command, exported by its file as `command`. */
export interface Command {
  readonly name: string;
  /** One sentence for the list of commands, without a full stop. */
  readonly summary: string;
  /** The whole help text: synopsis, flags, exit codes. Ends with a line end. */
  readonly usage: string;
  /**
   * Runs the command with what stands after its name; `--help` was dealt with before.
   *
   * @returns the exit code: 0 done, 1 failed. Wrong usage is thrown, not returned: see `parseFlags` of `flags.ts`.
   * @throws {UsageError} for a wrong flag or argument; the caller prints it and exits 2
   */
  run(args: readonly string[], io: Io): Promise<number>;
}
