/**
 * The command line of Gong: finds the command, hands it the rest, turns what it throws into an exit code.
 *
 * @module
 */

import { OPTIONS } from "../config.ts";
import { GongError } from "../errors.ts";
import { nearest } from "../flags.ts";
import { VERSION } from "../version.ts";
import { type Command, type Io, UsageError } from "./command.ts";
import { openIo } from "./io.ts";

/** The commands, each loaded when it is needed. The specifiers are literal, so that `deno compile` finds the files. */
const COMMANDS: ReadonlyMap<string, () => Promise<{ command: Command }>> = new Map([
  ["serve", () => import("./serve.ts")],
  ["check", () => import("./check.ts")],
  ["token", () => import("./token.ts")],
  ["console", () => import("./console.ts")],
  ["publish", () => import("./publish.ts")],
  ["bench", () => import("./bench.ts")],
]);

/**
 * Runs one command line.
 *
 * @returns the exit code: 0 done, 1 failed, 2 the command line or the configuration is wrong
 */
export async function run(args: readonly string[], io: Io = openIo()): Promise<number> {
  try {
    return await dispatch(args, io);
  } catch (error) {
    return report(error, args, io);
  }
}

async function dispatch(args: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined) {
    io.stderr(await help());
    return 2;
  }
  if (name === "--help" || name === "-h") return print(io, await help());
  if (name === "--version" || name === "-V") return print(io, `gong ${VERSION}\n`);
  const load = COMMANDS.get(name);
  if (load === undefined) throw unknown(name);
  const { command } = await load();
  return asksForHelp(rest) ? print(io, command.usage) : await command.run(rest, io);
}

function unknown(name: string): UsageError {
  if (!name.startsWith("-")) {
    return new UsageError(`${name}: there is no such command; the nearest is ${nearest(name, [...COMMANDS.keys()])}`);
  }
  const [flag = name] = name.split("=", 1);
  if (OPTIONS.some((option) => flag === `--${option.flag}`)) {
    return new UsageError(`${flag}: a flag stands after its command: gong serve ${flag} ...`);
  }
  return new UsageError(`${flag}: there is no such flag; the nearest is ${nearest(flag, ["--help", "--version"])}`);
}

function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  const flags = end === -1 ? args : args.slice(0, end);
  return flags.includes("--help") || flags.includes("-h");
}

function print(io: Io, text: string): number {
  io.stdout(text);
  return 0;
}

async function help(): Promise<string> {
  const commands = await Promise.all([...COMMANDS.values()].map(async (load) => (await load()).command));
  const list = commands.map(({ name, summary }) => `  gong ${name.padEnd(10)}${summary}\n`).join("");
  return `Gong ${VERSION}: a push server. Strike once, everyone hears.

${list}
  gong COMMAND --help   its flags
  gong --version        the version

Try: gong serve --dev
`;
}

function report(error: unknown, args: readonly string[], io: Io): number {
  if (error instanceof UsageError) {
    const command = COMMANDS.has(args[0] ?? "") ? `${args[0]} ` : "";
    io.stderr(`gong: ${error.message}\nSee gong ${command}--help\n`);
    return 2;
  }
  // `gong ... | head`: the reader has what it wanted.
  if (error instanceof Deno.errors.BrokenPipe) return 1;
  // A refusal was foreseen, anything else is a fault of ours, or of the machine: the stack says where.
  const text = error instanceof Error && !(error instanceof GongError) ? error.stack : undefined;
  io.stderr(`gong: ${text ?? (error instanceof Error ? error.message : String(error))}\n`);
  return 1;
}
