/**
 * Log lines: one event, one line, whatever a client put into its fields.
 *
 * @module
 */

import { bold, dim, red, yellow } from "@std/fmt/colors";

/** How grave an event is. */
export type Level = "debug" | "info" | "warning" | "error";

/** What happened: a name, e.g. `session.open`, and the values that belong to it. */
export interface LogEvent {
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly level: Level;
  /** Which part of the server: `hub`, `edge` ... */
  readonly part: string;
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Longest text of one value, in UTF-16 units; of an error with its stack four times as much. */
export const MAX_VALUE = 512;
const MAX_ITEMS = 32;
const MAX_DEPTH = 4;

// A field is hidden when one word of its name is one of these: `key`, `apiKey`, `x-api-key`, `set_cookie`.
const SECRET_WORDS: ReadonlySet<string> = new Set([
  "authorization",
  "body",
  "cookie",
  "cookies",
  "data",
  "key",
  "keys",
  "password",
  "secret",
  "token",
  "tokens",
]);
const HIDDEN = "[hidden]";

// What JSON.stringify() leaves as it is, and what a terminal or a reader of lines acts upon: DEL, C1, the separators
// of lines and paragraphs, the marks that turn the direction of writing.
const ACTIVE = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
const BARE = /^[\w.:/@%+,[\]-]+$/;

/** One line of JSON: `time`, `level`, `part`, `event`, then the fields. Ends with a line end. */
export function formatJson(event: LogEvent): string {
  const { time, level, part, event: name } = event;
  const line = new Map<string, unknown>(
    Object.entries({ time: new Date(time).toISOString(), level, part, event: name }),
  );
  // `field_` keeps a field from passing itself off as the level or the name.
  for (const [key, value] of cleanFields(event)) line.set(line.has(key) ? `field_${key}` : key, value);
  return `${quote(Object.fromEntries(line))}\n`;
}

/** One line for people: `14:02:11.034 INFO  edge session.open door=plain`. Ends with a line end. */
export function formatPretty(event: LogEvent, options: { colors: boolean }): string {
  const paint = (style: (text: string) => string, text: string) => options.colors ? style(text) : text;
  const local = event.time - new Date(event.time).getTimezoneOffset() * 60_000;
  const words = [
    paint(dim, new Date(local).toISOString().slice(11, 23)),
    paint(LEVELS[event.level].style, LEVELS[event.level].label),
    event.part,
    paint(bold, show(event.event)),
  ];
  for (const [key, value] of cleanFields(event)) words.push(`${paint(dim, `${show(key)}=`)}${show(value)}`);
  return `${words.join(" ")}\n`;
}

const LEVELS: Readonly<Record<Level, { label: string; style: (text: string) => string }>> = {
  debug: { label: "DEBUG", style: dim },
  info: { label: "INFO ", style: (text) => text },
  warning: { label: "WARN ", style: yellow },
  error: { label: "ERROR", style: red },
};

function show(value: unknown): string {
  if (typeof value === "string" && BARE.test(value)) return value;
  const text = quote(value);
  return typeof value === "string" ? text : shorten(text);
}

function quote(value: unknown): string {
  return JSON.stringify(value).replace(ACTIVE, (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function cleanFields({ fields, level }: LogEvent): [string, unknown][] {
  return cleanEntries(fields, level === "debug", 0);
}

function cleanEntries(fields: object, open: boolean, depth: number): [string, unknown][] {
  return Object.entries(fields).filter(([, value]) => value !== undefined).slice(0, MAX_ITEMS).map(([key, value]) => [
    shorten(key),
    !open && isSecret(key) ? HIDDEN : clean(value, open, depth),
  ]);
}

/** A value as JSON can hold it, bounded in length, width and depth. */
function clean(value: unknown, open: boolean, depth: number): unknown {
  switch (typeof value) {
    case "string":
      return shorten(value);
    case "number":
      return Number.isFinite(value) ? value : String(value);
    case "boolean":
      return value;
    case "object":
      break;
    default:
      return shorten(String(value));
  }
  if (value === null) return null;
  if (value instanceof Error) return shorten(describe(value), 4 * MAX_VALUE);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString();
  if (depth === MAX_DEPTH) return "[...]";
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => clean(item, open, depth + 1));
  return Object.fromEntries(cleanEntries(value, open, depth + 1));
}

function describe(error: Error): string {
  const text = error.stack ?? `${error.name}: ${error.message}`;
  return error.cause instanceof Error ? `${text}\ncaused by ${describe(error.cause)}` : text;
}

function shorten(text: string, most = MAX_VALUE): string {
  return text.length <= most ? text : `${text.slice(0, most)}... (${text.length} in all)`;
}

function isSecret(name: string): boolean {
  const words = name.replace(/([a-z\d])([A-Z])/g, "$1 $2").toLowerCase().split(/[^a-z\d]+/);
  return words.some((word) => SECRET_WORDS.has(word));
}
