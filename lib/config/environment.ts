/**
 * Variables that look like ours and are not.
 *
 * @module
 */

import { nearest } from "../flags.ts";
import { CONFIG_VARIABLE, OPTIONS } from "./options.ts";
import { ConfigError, type Env } from "./schema.ts";

const KNOWN: readonly string[] = [...OPTIONS.map((option) => option.env), CONFIG_VARIABLE];

/**
 * Refuses a variable that begins with `GONG_` and sets nothing.
 *
 * @throws {ConfigError} naming it and the nearest valid one
 */
export function checkVariables(env: Env): void {
  for (const name of listVariables(env)) {
    if (!name.startsWith("GONG_") || KNOWN.includes(name)) continue;
    throw new ConfigError(`${name}: there is no such setting; the nearest is ${nearest(name, KNOWN)}`);
  }
}

// A permission for GONG_* alone lets nobody list the variables; with `"ignore": true`, as in deno.json, exactly those
// are listed. Without it one that is misspelt goes unnoticed, and the others count all the same.
function listVariables(env: Env): string[] {
  try {
    return Object.keys(env.toObject());
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return [];
    throw error;
  }
}
