/**
 * Values of settings: read from text and from JSON, and written back.
 *
 * @module
 */

import { nearest } from "../flags.ts";
import { formatBytes, formatSeconds, MAX_SECONDS, parseBytes, parseSeconds } from "../units.ts";
import type { Option, Value } from "./options.ts";

/**
 * Reads the text of a flag or variable.
 *
 * @throws {SyntaxError | RangeError} whose message says what would be right
 */
export function readText(option: Option, text: string): Value {
  switch (option.kind) {
    case "boolean":
      if (text === "true" || text === "1") return true;
      if (text === "false" || text === "0") return false;
      throw new SyntaxError("expected true or false");
    case "integer":
      if (!/^\d{1,15}$/.test(text)) throw new SyntaxError("expected a whole number");
      return checkBounds(option, Number(text));
    case "bytes":
      return checkBounds(option, parseBytes(text));
    case "seconds":
      return checkBounds(option, parseSeconds(text));
    case "choice":
      return checkChoice(option, text);
    case "list":
      return readList(option, text === "" ? [] : text.split(",").map((item) => item.trim()));
    case "text":
      return option.form?.(text) ?? text;
  }
}

/**
 * Reads a value of the file, or of a program.
 *
 * @throws {TypeError | SyntaxError | RangeError} whose message says what would be right
 */
export function readJson(option: Option, value: unknown): Value {
  switch (option.kind) {
    case "boolean":
      if (typeof value !== "boolean") throw new TypeError("expected true or false");
      return value;
    case "integer":
      if (!Number.isSafeInteger(value)) throw new TypeError("expected a whole number");
      return checkBounds(option, value as number);
    case "bytes":
      if (typeof value === "string") return readText(option, value);
      if (!Number.isSafeInteger(value)) throw new TypeError('expected a whole number of bytes, or e.g. "64KiB"');
      return checkBounds(option, value as number);
    case "seconds":
      if (typeof value === "string") return readText(option, value);
      if (typeof value !== "number") throw new TypeError('expected a number of seconds, or e.g. "500ms"');
      return checkBounds(option, value);
    case "list":
      if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) {
        throw new TypeError("expected an array of strings");
      }
      return readList(option, value);
    case "choice":
    case "text":
      if (typeof value !== "string") throw new TypeError("expected a string");
      return readText(option, value);
  }
}

/** A value as {@linkcode readText} reads it, and with every secret in it masked. */
export function showValue(option: Option, value: Value): string {
  if (typeof value === "object") return value.map((item) => maskItem(option, item)).join(",");
  if (option.kind === "bytes") return formatBytes(value as number);
  if (option.kind === "seconds") return formatSeconds(value as number);
  return typeof value === "string" ? maskItem(option, value) : String(value);
}

/** A text with its secrets replaced by `***`: of a key all but its name and scopes, of a URL its password. */
export function maskItem(option: Pick<Option, "secret">, text: string): string {
  if (option.secret === "whole") return text === "" ? "" : "***";
  if (option.secret === "named") return /^[^:]*:[a-z+]*:/.exec(text)?.[0].concat("***") ?? "***";
  return text
    .replace(/^([a-z][a-z0-9+.-]*:\/\/[^:/?#@]*):.*@/is, "$1:***@")
    .replace(/([?&](?:password|secret|token|key)=)[^&#]*/gi, "$1***");
}

function readList(option: Option, items: readonly string[]): readonly string[] {
  const kept = items.map((item, index) => {
    try {
      if (item === "") throw new SyntaxError("an item is empty");
      return option.form?.(item) ?? item;
    } catch (error) {
      if (!(error instanceof SyntaxError) || items.length === 1) throw error;
      const which = option.secret ? `item ${index + 1}` : `item ${index + 1}, ${JSON.stringify(item)}`;
      throw new SyntaxError(`${which}: ${error.message}`);
    }
  });
  return [...new Set(kept)];
}

function checkChoice({ choices = [] }: Option, text: string): string {
  if (choices.includes(text)) return text;
  throw new SyntaxError(`expected one of ${choices.join(", ")}; the nearest is ${nearest(text, choices)}`);
}

function checkBounds(option: Option, value: number): number {
  const { kind, min = 0, max = kind === "seconds" ? MAX_SECONDS : Number.MAX_SAFE_INTEGER } = option;
  // NaN is neither too small nor too large.
  if (!(value >= min)) throw new RangeError(`must be at least ${showValue(option, min)}`);
  if (value > max) throw new RangeError(`must be at most ${showValue(option, max)}`);
  return value;
}
