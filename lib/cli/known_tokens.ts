/**
 * Tokens, for the commands that judge them as the server of the same settings would.
 *
 * @module
 */

import type { Grant } from "../auth/grant.ts";
import { createTokens, TokenFault } from "../auth/tokens.ts";
import type { Config } from "../config.ts";
import type { Io } from "./command.ts";
import { readText } from "./input.ts";

/** Characters of a token that are looked at; no server of ours takes as many. */
const LARGEST = 65_536;

/** The value of a flag that is a token; `-` is standard input. @throws {InputError} */
export async function readToken(text: string, io: Io): Promise<string> {
  return (text === "-" ? await readText(io.stdin, LARGEST) : text).trim();
}

/** What the token grants at the server of these settings, or why it is refused there. */
export async function judgeToken(config: Config, token: string): Promise<Grant | TokenFault> {
  const tokens = createTokens(config, { keys: config.tokenKeyFile.map((path) => Deno.readTextFileSync(path)) });
  try {
    return await tokens.verify(token);
  } catch (error) {
    const { cause } = error as Error;
    if (cause instanceof TokenFault) return cause;
    throw error;
  }
}
