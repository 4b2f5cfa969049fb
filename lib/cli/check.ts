import { brokerFiles } from "../brokers/files.ts";
import { OPTIONS, optionsHelp, resolveConfig, type Resolved, showValue } from "../config.ts";
import type { Command, Io } from "./command.ts";
import { InputError } from "./input.ts";
import { asksForVerdict, printVerdict, VERDICT_FLAGS, VERDICT_USAGE } from "./verdict.ts";

const VALUE_WIDTH = 40;

/** `gong check`: validates a configuration and shows what is in effect. */
export const command: Command = {
  name: "check",
  summary: "Checks the configuration and shows it with where each value came from",
  usage: `gong check reads the same flags, environment and file as gong serve, checks them, and prints every
setting with where it came from, and the sizes of the files of --broker. Secrets are masked. With --channel it says
instead whether somebody may hear the channel or publish to it, and why.

Usage: gong check [FLAGS]

${VERDICT_USAGE}
${optionsHelp()}
Exit code: 0 valid, or allowed; 1 not allowed; 2 not valid, or wrong usage.
`,
  run: check,
};

/** Prints the configuration in effect, or a verdict. @throws {ConfigError} when there is none. */
export async function check(args: readonly string[], io: Io): Promise<number> {
  const resolved = resolveConfig(args, io.env, Deno.readTextFileSync, { more: { text: VERDICT_FLAGS } });
  if (!asksForVerdict(resolved.flags)) return show(resolved, io);
  try {
    return await printVerdict(resolved.config, resolved.flags, io);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    io.stderr(`standard input: ${error.message}\n`);
    return 1;
  }
}

function show({ config, sources }: Resolved, io: Io): number {
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
