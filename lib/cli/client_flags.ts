/**
 * Flags that the commands which talk to a server share.
 *
 * @module
 */

import { type Env, parseApiKey } from "../config.ts";
import { type Flags, UsageError } from "../flags.ts";
import { parseSeconds } from "../units.ts";
import { readCa, type Trust } from "./dial.ts";

/** Names of the flags below, for `parseFlags`. */
export const CLIENT_FLAGS = { text: ["api-key", "ca", "timeout"], boolean: ["insecure"] } as const;

/** Their part of a help text. */
export const CLIENT_USAGE =
  `  --api-key KEY        Sent as X-API-Key; GONG_API_KEY in the environment does the same. Of NAME:SCOPES:SECRET only
                       the secret is sent, of several keys the first.
  --ca FILE            PEM file with certificates to trust.
  --insecure           Trust any certificate.
  --timeout TIME       For connecting, and for each answer (10s).
`;

/** Seconds of `--timeout`. @throws {UsageError} */
export function readTimeout(flags: Flags): number {
  const text = flags.text.get("timeout");
  if (text === undefined) return 10;
  try {
    const seconds = parseSeconds(text);
    // What setTimeout() can hold.
    if (seconds > 0 && seconds <= 86_400) return seconds;
  } catch {
    // Told below.
  }
  throw new UsageError(`--timeout ${text}: expected a duration of at most a day, e.g. 10, 500ms or 2m`);
}

/** The secret to send, if there is one. @throws {UsageError} which does not repeat it */
export function readKey(flags: Flags, env: Env): string | undefined {
  const given = flags.text.get("api-key");
  const text = given ?? env.get("GONG_API_KEY")?.split(",")[0]?.trim() ?? "";
  if (text === "") return undefined;
  try {
    return parseApiKey(text).secret;
  } catch (error) {
    throw new UsageError(`${given === undefined ? "GONG_API_KEY" : "--api-key"}: ${(error as Error).message}`);
  }
}

/**
 * Whom to trust.
 *
 * @param secure whether the address is one with TLS: otherwise the flags would promise what nothing does
 * @throws {UsageError}
 */
export async function readTrust(flags: Flags, secure: boolean): Promise<Trust> {
  const path = flags.text.get("ca");
  const insecure = flags.boolean.get("insecure") ?? false;
  if (!secure && (path !== undefined || insecure)) {
    throw new UsageError(`${insecure ? "--insecure" : "--ca"} is for addresses with TLS: wss:// or https://`);
  }
  return { insecure, ...path === undefined ? {} : { ca: await readCa(path) } };
}
