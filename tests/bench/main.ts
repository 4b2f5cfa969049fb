/**
 * `deno task bench`: Gong beside a bare `Deno.upgradeWebSocket` loop, nchan and npm `socket.io`, measured in turn.
 *
 *     deno task bench [--rounds 5] [--row NAME]...
 *
 * Prints one table; exits 1 when a row misses its bar or a message was lost. What cannot be measured on a machine is left
 * out with a word, but not where `CI` is set.
 *
 * @module
 */
import { parseFlags, UsageError } from "../../lib/flags.ts";
import { median } from "../support/median.ts";
import { columns, type Result, type Row } from "./row.ts";
import { ROWS } from "./rows.ts";

const encoder = new TextEncoder();

function print(text: string): void {
  Deno.stdout.writeSync(encoder.encode(text));
}

function tell(text: string): void {
  Deno.stderr.writeSync(encoder.encode(text));
}

function parseArguments(args: readonly string[]): { rows: readonly Row[]; rounds: number } {
  const flags = parseFlags(args, { text: ["rounds"], list: ["row"] });
  const rounds = Number(flags.text.get("rounds") ?? 5);
  if (!(Number.isInteger(rounds) && rounds > 0)) throw new UsageError("--rounds: expected a whole number from 1");
  const names = ROWS.map(({ name }) => name);
  const wanted = flags.list.get("row") ?? names;
  for (const name of wanted) {
    if (!names.includes(name)) throw new UsageError(`--row ${name}: the rows are ${names.join(", ")}`);
  }
  return { rows: ROWS.filter(({ name }) => wanted.includes(name)), rounds };
}

function format(values: readonly number[]): string {
  const show = (value: number) => value >= 100 ? value.toFixed(0) : value.toPrecision(3);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return values.length === 1 ? show(low) : `${show(median(values))} (${show(low)}–${show(high)})`;
}

function render(measured: readonly Measured[]): string {
  const head = ["row", "beside", "", "Gong", "", "bar", "", "measured (Gong's settings)"];
  const lines = measured.map(({ row, result }) => [
    row.name,
    row.beside,
    format(result.beside),
    format(result.gong),
    result.comparison,
    row.bar,
    isPassed(result) ? "PASS" : "FAIL",
    `${row.what} (${row.settings.join(" ")})`,
  ]);
  const faults = measured.flatMap(({ row, result }) => result.faults.map((fault) => `${row.name}: ${fault}`));
  const tables = measured.flatMap(({ row, result: { table } }) =>
    table === undefined ? [] : `\n${row.name}:\n${table}`
  );
  return [columns([head, ...lines]), ...faults, ...tables].join("\n") + "\n";
}

interface Measured {
  readonly row: Row;
  readonly result: Result;
}

function isPassed({ passed, faults }: Result): boolean {
  return passed && faults.length === 0;
}

async function main(args: readonly string[]): Promise<number> {
  const { rows, rounds } = parseArguments(args);
  const measured: Measured[] = [];
  const skipped: string[] = [];
  for (const row of rows) {
    tell(`${row.name}: ${row.what}\n`);
    const missing = row.missing?.();
    if (missing !== undefined) {
      skipped.push(`${row.name}: not measured: ${missing}`);
      continue;
    }
    measured.push({ row, result: await row.measure(row, rounds, (text) => tell(`  ${text}\n`)) });
  }
  print(
    `Gong beside others: Deno ${Deno.version.deno}, ${navigator.hardwareConcurrency} cores, ` +
      `median of ${rounds} (lowest–highest), servers in turn\n\n${render(measured)}`,
  );
  for (const line of skipped) print(`${line}\n`);
  const isWhole = skipped.length === 0 || !Deno.env.has("CI");
  return isWhole && measured.every(({ result }) => isPassed(result)) ? 0 : 1;
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    tell(`${error.message}\n`);
    Deno.exit(2);
  }
}
