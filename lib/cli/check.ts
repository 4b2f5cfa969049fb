import { brokerFiles } from "../brokers/files.ts";
import { OPTIONS, optionsHelp, resolveConfig, showValue } from "../config.ts";
import type { Command, Io } from "./command.ts";

const VALUE_WIDTH = 40;

/** `gong check`: validates a configuration and shows what is in effect. */
export const command: Command = {
  name: "check",
  summary: "Checks the configuration and shows it with where each value came from",
  usage: `gong check reads the same flags, environment and file as gong serve, checks them, and prints every
setting with where it came from, and the sizes of the files of --broker. Secrets are masked.

Usage: gong check [FLAGS]

${optionsHelp()}
Exit code: 0 valid, 2 not valid.
`,
  run: (args, io) => Promise.resolve(check(args, io)),
};

/** Prints the configuration in effect. @throws {ConfigError} when there is none. */
export function check(args: readonly string[], io: Io): number {
  const { config, sources } = resolveConfig(args, io.env, Deno.readTextFileSync);
  const rows = OPTIONS.map((option) => ({
    name: `--${option.flag}`,
    value: showValue(option, config[option.key]) || "none",
    source: sources.get(option.key) ?? "default",
  }));
  const names = Math.max(...rows.map(({ name }) => name.length));
  // One very long value must not push every source out of sight.
  const values = Math.min(VALUE_WIDTH, Math.max(...rows.map(({ value }) => value.length)));
  const lines = rows.map(({ name, value, source }) => `${name.padEnd(names)}  ${value.padEnd(values)}  ${source}\n`);
  const files = sizesOf(config.broker).map(({ path, bytes }) => `${path} has ${bytes} bytes\n`);
  io.stdout([...lines, ...files].join(""));
  return 0;
}

/** A file that cannot be looked at has no size to be shown; the server would say why. */
function sizesOf(broker: string): { path: string; bytes: number }[] {
  try {
    return brokerFiles(broker);
  } catch {
    return [];
  }
}
