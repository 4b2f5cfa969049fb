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
export const CLIENT_FLAGS = { text: ["api-key", "ca", "timeout", "token"], boolean: ["insecure"] } as const;

/** Their part of a help text. */
export const CLIENT_USAGE =
  `  --api-key KEY        Sent as X-API-Key; GONG_API_KEY in the environment does the same. Of NAME:SCOPES:SECRET only
                       the secret is sent, of several keys the first.
  --token TOKEN        Sent as Authorization: Bearer, to be a user; seen in the list of processes, as a key is.
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

/** What a token can have in it (RFC 7515 section 7.1). */
const TOKEN = /^[\w-]+\.[\w-]+\.[\w-]*$/;

/** The headers that say who asks: a key, or a token. @throws {UsageError} which repeats neither */
export function readCredentials(flags: Flags, env: Env): Readonly<Record<string, string>> {
  const token = flags.text.get("token");
  if (token === undefined) {
    const key = readKey(flags, env);
    return key === undefined ? {} : { "X-API-Key": key };
  }
  if (flags.text.has("api-key")) throw new UsageError("--token and --api-key: one of them says who you are");
  if (!TOKEN.test(token)) {
    throw new UsageError("--token: expected three parts of letters, digits, - and _ with dots between");
  }
  return { Authorization: `Bearer ${token}` };
}

function readKey(flags: Flags, env: Env): string | undefined {
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
