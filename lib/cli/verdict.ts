/**
 * Whether somebody may do something to a channel, as the server of the same settings would decide.
 *
 * @module
 */

import type { Grant } from "../auth/grant.ts";
import { createRights } from "../auth/rights.ts";
import { TokenFault } from "../auth/tokens.ts";
import { type Config, parseApiKey } from "../config.ts";
import { type Flags, UsageError } from "../flags.ts";
import { CHANNEL_GRAMMAR, isChannelName } from "../globs.ts";
import type { Io } from "./command.ts";
import { judgeToken, readToken } from "./known_tokens.ts";
import { printable } from "./printable.ts";

/** Flags that ask for a verdict. */
export const VERDICT_FLAGS: readonly string[] = ["channel", "action", "token", "key-name"];

/** Their part of a help text. */
export const VERDICT_USAGE =
  `  --channel NAME       Asks whether something may be done to this channel, and prints only that, with the reason.
  --action WHAT        What: subscribe or publish.
  --token TOKEN        By the user of this token; - reads it from standard input, where no list of processes shows it.
  --key-name NAME      By whoever has the key of this name. Without both, by anybody.
`;

/** Whether the flags ask for a verdict. */
export function asksForVerdict(flags: Flags): boolean {
  return VERDICT_FLAGS.some((name) => flags.text.has(name));
}

/**
 * Prints the verdict and its reason.
 *
 * @returns 0 when it is allowed, 1 when not
 * @throws {UsageError} for flags that do not make a question; {@linkcode InputError}
 */
export async function printVerdict(config: Config, flags: Flags, io: Io): Promise<number> {
  const channel = readChannel(flags);
  const action = flags.text.get("action");
  if (action !== "subscribe" && action !== "publish") throw new UsageError("--action: expected subscribe or publish");
  const grant = await readGrant(config, flags, io);
  const { allowed, reason } = grant instanceof TokenFault
    ? { allowed: false, reason: `the token is refused: ${grant.check}: ${grant.message}` }
    : createRights(config).judge(grant, action, channel);
  io.stdout(`${allowed ? "allowed" : "not allowed"}: ${printable(reason)}\n`);
  return allowed ? 0 : 1;
}

function readChannel(flags: Flags): string {
  const channel = flags.text.get("channel");
  if (channel === undefined) throw new UsageError("--channel is missing: which channel is it about?");
  if (!isChannelName(channel)) throw new UsageError(`--channel ${channel}: a name is ${CHANNEL_GRAMMAR}`);
  return channel;
}

async function readGrant(config: Config, flags: Flags, io: Io): Promise<Grant | TokenFault | undefined> {
  const token = flags.text.get("token");
  const name = flags.text.get("key-name");
  if (token !== undefined && name !== undefined) {
    throw new UsageError("--token and --key-name: one of them says who asks");
  }
  if (token !== undefined) return await judgeToken(config, await readToken(token, io));
  if (name === undefined) return undefined;
  const key = config.apiKey.map(parseApiKey).find((key) => key.name === name);
  if (key === undefined) throw new UsageError(`--key-name ${name}: there is no key of this name`);
  return { name: key.name, scopes: key.scopes };
}
