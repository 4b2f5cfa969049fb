/**
 * Settings for people: help, the table of the README, and values with their secrets masked.
 *
 * @module
 */

import { CONFIG_FLAG, CONFIG_VARIABLE, type Kind, type Option, OPTIONS } from "./options.ts";
import type { Config } from "./schema.ts";
import { maskItem, showValue } from "./values.ts";

const WIDTH = 100;
const COLUMN = 28;

/** What a value is called where the option has no word of its own; a boolean needs none. */
const VALUES: Readonly<Partial<Record<Kind, string>>> = {
  integer: "N",
  bytes: "SIZE",
  seconds: "TIME",
  text: "TEXT",
  list: "TEXT",
};

/** The configuration with every secret replaced by `***`. */
export function maskConfig(config: Config): Config {
  const masked: Record<string, unknown> = { ...config };
  for (const option of OPTIONS) {
    const value = config[option.key];
    if (typeof value === "string") masked[option.key] = maskItem(option, value);
    else if (typeof value === "object") masked[option.key] = value.map((item) => maskItem(option, item));
  }
  return masked as unknown as Config;
}

/** The flags for `--help`, group by group. */
export function optionsHelp(): string {
  const groups = Map.groupBy(OPTIONS, (option) => option.group);
  const parts = [...groups].map(([group, options]) => `${group}:\n${options.map(helpOf).join("")}`);
  const file = entry(
    `--${CONFIG_FLAG} FILE`,
    `JSON file with settings under their names in camel case, e.g. "maxMessage".`,
  );
  return `${parts.join("\n")}\nFile:\n${file}`;
}

/** The settings as a table in Markdown, for the README. */
export function optionsTable(): string {
  const rows = OPTIONS.map((option) => [
    `\`${flagOf(option)}\``,
    `\`${option.env}\``,
    option.otherwise ?? (defaultOf(option) === "none" ? "none" : `\`${defaultOf(option)}\``),
    boundsOf(option),
    option.help,
  ]);
  const file = [`\`--${CONFIG_FLAG} FILE\``, `\`${CONFIG_VARIABLE}\``, "none", "", "JSON file with settings."];
  const head = ["Flag", "Environment", "Default", "Bounds", "Meaning"];
  const lines = [head, head.map(() => "---"), ...rows, file];
  return lines.map((cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |\n`).join("");
}

function helpOf(option: Option): string {
  const repeat = option.kind === "list" ? " Repeatable." : "";
  return entry(flagOf(option), `${option.help}${repeat} Default: ${option.otherwise ?? defaultOf(option)}.`);
}

function flagOf({ flag, kind, value, choices }: Option): string {
  const name = value ?? choices?.join("|") ?? VALUES[kind];
  return name === undefined ? `--${flag}` : `--${flag} ${name}`;
}

function defaultOf(option: Option): string {
  return option.kind === "boolean" ? (option.default ? "on" : "off") : showValue(option, option.default) || "none";
}

function boundsOf(option: Option): string {
  const { kind, min = 0, max } = option;
  if (kind !== "integer" && kind !== "bytes" && kind !== "seconds") return "";
  const least = showValue(option, min);
  return max === undefined ? `from ${least}` : `${least} to ${showValue(option, max)}`;
}

function entry(name: string, text: string): string {
  const lines = wrap(text, WIDTH - COLUMN - 2);
  const first = `  ${name.padEnd(COLUMN - 2)}`;
  const indent = " ".repeat(COLUMN);
  // A name that leaves no gap stands on a line of its own.
  const head = name.length > COLUMN - 4 ? `  ${name}\n${indent}` : first;
  return `${head}${lines.join(`\n${indent}`)}\n`;
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
