/**
 * JSON from strangers: bounded before it is parsed, and read field by field.
 *
 * @module
 */
import { closestString } from "@std/text/closest-string";
import { GongError } from "./errors.ts";

/** A parsed JSON object. Its fields are read with `Object.hasOwn` only, and it is never merged into another. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Bounds of {@linkcode parseJson}. */
export interface ParseOptions {
  /** Arrays and objects within each other. Default {@linkcode MAX_DEPTH}. */
  readonly depth?: number;
}

/** Arrays and objects that may be within each other. */
export const MAX_DEPTH = 64;

/**
 * Numbers that a double may not hold: 16 digits or more, or an exponent of three. Bounded, so its time is linear. In a
 * string it may find what is no number.
 */
const LONG_NUMBER = /(?:^|[\s:,[])-?(?:[\d.]{16}|[\d.]{1,15}[eE][+-]?\d{3})/;

/**
 * The value of a JSON text. A number that a double cannot hold (`12345678901234567890`, `1e999`) is kept as it is
 * written: it is an object then, which `JSON.stringify` turns into the same digits again.
 *
 * @throws {GongError} `bad_request` when it is not JSON, or is nested too deeply; that is found before it is parsed.
 */
export function parseJson(text: string, { depth = MAX_DEPTH }: ParseOptions = {}): unknown {
  checkDepth(text, depth);
  try {
    return JSON.parse(text, reviverFor(text));
  } catch (cause) {
    throw new GongError("bad_request", "This is not JSON.", { cause });
  }
}

/**
 * The value of JSON in UTF-8.
 *
 * @throws {GongError} `bad_request` as {@linkcode parseJson} does, and for bytes that are not UTF-8.
 */
export function parseJsonBytes(bytes: Uint8Array, options?: ParseOptions): unknown {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new GongError("bad_request", "The text is not UTF-8.", { cause });
  }
  return parseJson(text, options);
}

/** @throws {GongError} `bad_request` for text that is nested too deeply to be parsed; whether it is JSON is not asked */
export function checkDepth(text: string, depth = MAX_DEPTH): void {
  if (isDeeper(text, depth)) throw new GongError("bad_request", `The JSON is nested deeper than ${depth}.`);
}

/** What `JSON.parse` needs to keep the numbers of this text as {@linkcode parseJson} does; of most texts nothing. */
export function reviverFor(text: string): Parameters<typeof JSON.parse>[1] {
  return LONG_NUMBER.test(text) ? keepDigits as Parameters<typeof JSON.parse>[1] : undefined;
}

/** Whether data of this media type is JSON text. */
export function isJson(contentType: string): boolean {
  return /^application\/(?:json|[\w.-]+\+json)(?:;|$)/i.test(contentType);
}

/** `context.source` and `rawJSON` are of V8, and not yet in TypeScript's library. */
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };

function keepDigits(_key: string, value: unknown, context: { source?: string }): unknown {
  if (typeof value !== "number" || context.source === undefined) return value;
  return sameNumber(context.source, value) ? value : rawJSON(context.source);
}

/** Whether the double has every digit of the text; `1.0` and `1` are the same. */
function sameNumber(source: string, value: number): boolean {
  return Number.isFinite(value) && digitsOf(source) === digitsOf(String(value));
}

/** The significant digits and the exponent, e.g. `12` and `-1` of `1.20`. */
function digitsOf(number: string): string {
  const [, whole = "", fraction = "", exponent = "0"] = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(number) ?? [];
  const all = (whole + fraction).replace(/^0+/, "");
  let end = all.length;
  // `/0+$/` would take the square of the zeros in the middle.
  while (all[end - 1] === "0") end--;
  const digits = all.slice(0, end);
  return digits === "" ? "0" : `${digits}e${Number(exponent) - fraction.length + all.length - digits.length}`;
}

/** Whether brackets outside of strings are nested deeper; of text that is not JSON it may say anything. */
function isDeeper(text: string, depth: number): boolean {
  if (text.length <= depth) return false;
  let open = 0;
  for (let index = 0; index < text.length; index++) {
    switch (text.charCodeAt(index)) {
      case 0x22: // "
        index = endOfString(text, index);
        break;
      case 0x5b: // [
      case 0x7b: // {
        if (++open > depth) return true;
        break;
      case 0x5d: // ]
      case 0x7d: // }
        open--;
    }
  }
  return false;
}

/** Index of the quote that ends the string that begins at `start`; the end of the text when there is none. */
function endOfString(text: string, start: number): number {
  let end = start;
  while (true) {
    end = text.indexOf('"', end + 1);
    if (end < 0) return text.length;
    let backslashes = end;
    while (text.charCodeAt(backslashes - 1) === 0x5c) backslashes--;
    if ((end - backslashes) % 2 === 0) return end;
  }
}

/**
 * Reads the fields of one object strictly: each has the type that is asked for, and there are no others. Errors are
 * `bad_request` with a JSON pointer (RFC 6901) to the field.
 */
export class Fields {
  readonly #object: JsonObject;
  readonly #pointer: string;

  /**
   * @param pointer where in the whole the object is; empty for the whole
   * @throws {GongError} `bad_request` when the value is not an object
   */
  constructor(value: unknown, pointer = "") {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new GongError("bad_request", "An object is expected.", { field: pointer });
    }
    this.#object = value as JsonObject;
    this.#pointer = pointer;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#object, name);
  }

  /** The value of a field; undefined when it is not there. */
  get(name: string): unknown {
    return this.has(name) ? this.#object[name] : undefined;
  }

  /** Names of the fields, in their order. */
  names(): string[] {
    return Object.keys(this.#object);
  }

  /** JSON pointer to a field. */
  pointer(name: string): string {
    return `${this.#pointer}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
  }

  /** The refusal of a field. */
  error(name: string, message: string): GongError {
    return new GongError("bad_request", message, { field: this.pointer(name) });
  }

  /** @throws {GongError} `bad_request` for a field that is not among the names, with the nearest that is */
  only(names: readonly string[]): void {
    for (const name of this.names()) {
      if (names.includes(name)) continue;
      const shown = JSON.stringify(name.slice(0, MAX_SHOWN));
      // Its time is the product of both lengths.
      const nearest = names.length === 0
        ? "."
        : `; did you mean \`${closestString(name.slice(0, MAX_SHOWN), names)}\`?`;
      throw this.error(name.slice(0, MAX_SHOWN), `There is no field ${shown}${nearest}`);
    }
  }

  /** @throws {GongError} `bad_request` when the field is there and not a string, or has half a surrogate pair */
  string(name: string): string | undefined {
    const value = this.get(name);
    if (value === undefined) return undefined;
    if (typeof value !== "string") throw this.error(name, `\`${name}\` has to be a string.`);
    if (!value.isWellFormed()) throw this.error(name, `\`${name}\` is not well-formed Unicode.`);
    return value;
  }

  /** @throws {GongError} `bad_request` when the field is there and not an array */
  array(name: string): readonly unknown[] | undefined {
    const value = this.get(name);
    if (value === undefined || Array.isArray(value)) return value;
    throw this.error(name, `\`${name}\` has to be an array.`);
  }

  /** @throws {GongError} `bad_request` when the field is there and not an object */
  object(name: string): Fields | undefined {
    return this.has(name) ? new Fields(this.get(name), this.pointer(name)) : undefined;
  }
}

/** Characters of an unknown field's name that are repeated to the client. */
const MAX_SHOWN = 64;
