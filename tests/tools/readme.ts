/**
 * Keeps the README's table of settings equal to the program's: `deno task readme` writes it, a test compares it.
 *
 * @module
 */
import { optionsTable } from "../../lib/config.ts";

const MARKS = /(<!-- settings:[^>]*-->\n)([\s\S]*?)(<!-- end of settings -->)/;

/** The table of settings that stands in `readme`, without the spaces that align its columns. */
export function writtenTable(readme: string): string {
  return withoutPadding(MARKS.exec(readme)?.[2] ?? "");
}

/** The table of settings as the program has it, in the same form. */
export function currentTable(): string {
  return withoutPadding(optionsTable());
}

/** `readme` with the program's table in it. */
export function withCurrentTable(readme: string): string {
  return readme.replace(MARKS, (_, begin: string, _old: string, end: string) => `${begin}\n${optionsTable()}\n${end}`);
}

function withoutPadding(table: string): string {
  return table.trim().replace(/ *\| */g, "|").replace(/-{3,}/g, "---");
}

if (import.meta.main) {
  const path = new URL("../../README.md", import.meta.url);
  await Deno.writeTextFile(path, withCurrentTable(await Deno.readTextFile(path)));
}
