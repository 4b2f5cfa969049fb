/**
 * Random input that is the same in every run.
 *
 * @module
 */

/** A generator with a seed (mulberry32). */
export interface Random {
  /** A whole number from 0 up to, but not including, `below`. */
  int(below: number): number;
  pick<T>(items: readonly [T, ...T[]]): T;
  /** Up to `max` pieces of the list, joined: with whole words of a grammar in it, most of it nearly parses. */
  text(pieces: readonly [string, ...string[]], max: number): string;
}

export function seeded(seed: number): Random {
  let state = seed | 0;
  function int(below: number): number {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  }
  function pick<T>(items: readonly [T, ...T[]]): T {
    return items[int(items.length)] ?? items[0];
  }
  return { int, pick, text: (pieces, max) => Array.from({ length: int(max + 1) }, () => pick(pieces)).join("") };
}
