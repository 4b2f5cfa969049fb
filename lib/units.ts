/**
 * Sizes and durations as people write them. Inside, sizes are bytes and durations seconds.
 *
 * @module
 */

/** The longest time a timer can run is 24.8 days. */
export const MAX_SECONDS = 2_000_000;

const BYTES: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["b", 1],
  ["kib", 2 ** 10],
  ["mib", 2 ** 20],
  ["gib", 2 ** 30],
  ["tib", 2 ** 40],
]);

const SECONDS: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["ms", 0.001],
  ["s", 1],
  ["m", 60],
  ["h", 3600],
  ["d", 86_400],
]);

const AMOUNT = /^(\d{1,15}(?:\.\d{1,6})?)\s?([a-z]*)$/;

/**
 * Reads a size: `65536`, `64KiB`, `1.5 MiB`.
 *
 * @throws {SyntaxError} when it is none, or no whole number of bytes
 */
export function parseBytes(text: string): number {
  const bytes = parseAmount(text, BYTES);
  if (bytes === undefined || !Number.isSafeInteger(bytes)) {
    throw new SyntaxError("expected a size, e.g. 65536, 64KiB, 1MiB or 2GiB");
  }
  return bytes;
}

/**
 * Reads a duration: `25`, `25s`, `500ms`, `2m`, `12h`, `1d`.
 *
 * @throws {SyntaxError} when it is none
 */
export function parseSeconds(text: string): number {
  const seconds = parseAmount(text, SECONDS);
  if (seconds === undefined) throw new SyntaxError("expected a duration, e.g. 25, 25s, 500ms, 2m or 12h");
  // 0.1 of a minute is 6 seconds, not 6.000000000000001.
  return Number(seconds.toPrecision(12));
}

/** A size as {@linkcode parseBytes} reads it back: `64KiB`, `1000`. */
export function formatBytes(bytes: number): string {
  for (const [unit, size] of [["TiB", 2 ** 40], ["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]] as const) {
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return String(bytes);
}

/** A duration as {@linkcode parseSeconds} reads it back: `25s`, `500ms`, `12h`. */
export function formatSeconds(seconds: number): string {
  for (const [unit, size] of [["h", 3600], ["m", 60]] as const) {
    if (seconds >= 2 * size && seconds % size === 0) return `${seconds / size}${unit}`;
  }
  return seconds > 0 && seconds < 1 ? `${Number((seconds * 1000).toPrecision(12))}ms` : `${seconds}s`;
}

function parseAmount(text: string, units: ReadonlyMap<string, number>): number | undefined {
  const match = AMOUNT.exec(text.trim().toLowerCase());
  const unit = match === null ? undefined : units.get(match[2]!);
  return unit === undefined ? undefined : Number(match![1]) * unit;
}
