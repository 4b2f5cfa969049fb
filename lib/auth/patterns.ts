/**
 * Patterns of channels, compiled once for all who have the same.
 *
 * @module
 */
import { compileGlobs } from "../globs.ts";
import type { User } from "./grant.ts";

/** Lists of patterns whose predicates are remembered. */
const MAX_COMPILED = 256;

/** A list of patterns, and what it was compiled to. */
export interface Compiled {
  readonly patterns: readonly string[];
  readonly matches: User["subscribe"];
}

/** Makes a function that compiles patterns: for the same ones it answers the very same. */
export function createPatterns(): (patterns: readonly string[]) => Compiled {
  const known = new Map<string, Compiled>();
  return (patterns) => {
    // No pattern has a comma in it.
    const text = patterns.join();
    const same = known.get(text);
    if (same) return same;
    const compiled = { patterns, matches: compileGlobs(patterns) };
    known.set(text, compiled);
    // The oldest one, used or not: to keep an order of use the table would be changed with every token, and made anew
    // every few of them.
    const oldest = known.keys().next();
    if (known.size > MAX_COMPILED && !oldest.done) known.delete(oldest.value);
    return compiled;
  };
}
