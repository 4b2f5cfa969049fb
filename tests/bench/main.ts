/**
 * `deno task bench`: Gong beside a bare `Deno.upgradeWebSocket` loop, both measured in turn by `gong bench`.
 *
 *     deno task bench [--rounds 5] [--row NAME]...
 *
 * Prints one table; exits 1 when a row misses its bar or a message was lost.
 *
 * @module
 */
import { parseFlags, UsageError } from "../../lib/flags.ts";
import { median, type Result, type Row, ROWS } from "./rows.ts";

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

function render(rows: readonly { row: Row; result: Result }[]): string {
  const head = ["row", "loop", "Gong", "", "bar", "", "measured (Gong's settings)"];
  const lines = rows.map(({ row, result }) => [
    row.name,
    format(result.loop),
    format(result.gong),
    result.comparison,
    row.bar,
    result.passed && result.faults.length === 0 ? "PASS" : "FAIL",
    `${row.what} (${row.settings.join(" ")})`,
  ]);
  const widths = head.map((_, column) => Math.max(...[head, ...lines].map((line) => line[column]!.length)));
  const table = [head, ...lines].map((line) => line.map((cell, i) => cell.padEnd(widths[i]!)).join("  ").trimEnd());
  const faults = rows.flatMap(({ row, result }) => result.faults.map((fault) => `${row.name}: ${fault}`));
  return [...table, ...faults].join("\n") + "\n";
}

async function main(args: readonly string[]): Promise<number> {
  const { rows, rounds } = parseArguments(args);
  const results: { row: Row; result: Result }[] = [];
  for (const row of rows) {
    tell(`${row.name}: ${row.what}\n`);
    const result = await row.measure(row, rounds, (text) => tell(`  ${text}\n`));
    results.push({ row, result });
  }
  print(
    `Gong beside a bare loop of one isolate: Deno ${Deno.version.deno}, ${navigator.hardwareConcurrency} cores, ` +
      `median of ${rounds} (lowest–highest), servers in turn\n\n${render(results)}`,
  );
  return results.every(({ result }) => result.passed && result.faults.length === 0) ? 0 : 1;
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
