/**
 * What comes from a stranger, made fit for a terminal and for one line.
 *
 * @module
 */

// C0 but the tabulator, DEL, C1, the separators of lines and paragraphs, and the marks that are not seen or turn the
// direction of writing. A lone surrogate is none of a text.
// deno-lint-ignore no-control-regex
const ACTIVE = /[\0-\x08\n-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|\p{Cs}/gu;

const SHORT: ReadonlyMap<string, string> = new Map([["\n", "\\n"], ["\r", "\\r"]]);

/** `text` on one line, with `\n`, `\r`, `\x1b` or `\u202e` for what a terminal or a reader of lines would act upon. */
export function printable(text: string): string {
  return text.replace(ACTIVE, (mark) => {
    const code = mark.charCodeAt(0);
    return SHORT.get(mark) ?? (code < 256 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`);
  });
}

const SHOWN = 32;

/** Bytes in words: `[5 bytes: 00 01 02 03 04]`, the first 32 of them. */
export function describeBytes(bytes: Uint8Array): string {
  const start = Array.from(bytes.subarray(0, SHOWN), (byte) => hex(byte, 2)).join(" ");
  const size = `${bytes.length} ${bytes.length === 1 ? "byte" : "bytes"}`;
  return bytes.length === 0 ? `[${size}]` : `[${size}: ${start}${bytes.length > SHOWN ? " ..." : ""}]`;
}

function hex(value: number, width: number): string {
  return value.toString(16).padStart(width, "0");
}
