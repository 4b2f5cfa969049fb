/**
 * What is in a token, in words.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { TokenFault } from "../auth/tokens.ts";
import type { Config } from "../config.ts";
import { parseJsonBytes } from "../json.ts";
import type { Io } from "./command.ts";
import { judgeToken } from "./known_tokens.ts";
import { printable } from "./printable.ts";

/** Claims that are times, in seconds since 1970 (RFC 7519 section 4.1). */
const TIMES: ReadonlySet<string> = new Set(["exp", "nbf", "iat"]);

const UNITS = [["d", 86_400], ["h", 3600], ["min", 60], ["s", 1]] as const;

/**
 * Prints the token's header and claims, and whether a server of these settings accepts it.
 *
 * @returns 0 when it does, 1 when not
 */
export async function inspect(config: Config, token: string, io: Io): Promise<number> {
  const [header = "", claims = ""] = token.split(".");
  io.stdout(`Header\n${describe(header)}Claims\n${describe(claims)}`);
  const verdict = await judgeToken(config, token);
  if (verdict instanceof TokenFault) {
    io.stdout(`refused: ${verdict.check}: ${printable(verdict.message)}\n`);
    return 1;
  }
  io.stdout(`accepted: ${printable(verdict.name)}, until ${describeTime(verdict.until! / 1000)}\n`);
  return 0;
}

/** One line for each member; the signature need not be right. */
function describe(part: string): string {
  let members: [string, unknown][];
  try {
    members = Object.entries(parseJsonBytes(Buffer.from(part, "base64url")) as object);
  } catch {
    return "  (not readable)\n";
  }
  return members.map(([name, value]) => {
    const time = TIMES.has(name) && typeof value === "number" ? ` (${describeTime(value)})` : "";
    return `  ${printable(name)}: ${printable(JSON.stringify(value))}${time}\n`;
  }).join("");
}

function describeTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return "no date";
  const left = seconds - Date.now() / 1000;
  const [unit, size] = UNITS.find(([, size]) => Math.abs(left) >= size) ?? ["s", 1];
  const amount = `${Math.floor(Math.abs(left) / size)} ${unit}`;
  return `${date.toISOString()}, ${left < 0 ? `${amount} ago` : `in ${amount}`}`;
}
