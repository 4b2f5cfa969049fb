/**
 * `gong token`: makes a token, or looks into one.
 *
 * @module
 */

import { CompactSign } from "jose/jws/compact/sign";
import { importJWK } from "jose/key/import";
import { TokenFault } from "../auth/tokens.ts";
import { type Config, readPrivateKey, resolveConfig } from "../config.ts";
import { type Flags, UsageError } from "../flags.ts";
import { parseJson } from "../json.ts";
import { parseSeconds } from "../units.ts";
import type { Command, Io } from "./command.ts";
import { reasonUnread } from "./dial.ts";
import { InputError } from "./input.ts";
import { inspect } from "./inspect_token.ts";
import { judgeToken, readToken } from "./known_tokens.ts";

const usage = `Usage: gong token --user ID [FLAGS]
       gong token --inspect TOKEN [FLAGS]

Makes a token that a server of the same settings accepts, and prints it; or shows what is in one, and whether such a
server accepts it. The settings are those of gong serve: the same flags, environment and file. Those that count here are
--token-secret, --token-key-file, --token-jwks, --token-issuer and --token-audience; a flag can be seen in the list of
processes, so a secret is better set as GONG_TOKEN_SECRET.

  --user ID            Whose token it is.
  --channels PATTERNS  Channels that the user may hear, e.g. 'news,room:*'; may be repeated.
  --publish PATTERNS   Channels that the user may publish to; may be repeated.
  --info JSON          What presence shows of the user.
  --expires TIME       For how long it is, e.g. 90, 15m, 12h, 7d (1h).
  --sign-key FILE      PEM file with the private key to sign with: RSA, EC with P-256 or Ed25519. Without it the first
                       --token-secret signs.
  --inspect TOKEN      Looks into a token; - reads it from standard input, where no list of processes shows it.

Exit code: 0 made, or accepted; 1 refused; 2 wrong usage.
`;

export const command: Command = {
  name: "token",
  summary: "Makes a token for a user, or looks into one",
  usage,
  run,
};

const MAKING = ["user", "info", "expires", "sign-key"];
const PATTERNS = ["channels", "publish"];

async function run(args: readonly string[], io: Io): Promise<number> {
  const more = { text: [...MAKING, "inspect"], list: PATTERNS };
  const { config, flags } = resolveConfig(args, io.env, Deno.readTextFileSync, { more });
  const inspected = flags.text.get("inspect");
  if (inspected === undefined) return await make(config, flags, io);
  const other = MAKING.find((name) => flags.text.has(name)) ?? PATTERNS.find((name) => flags.list.has(name));
  if (other !== undefined) throw new UsageError(`--${other} is for a token that is made, --inspect for one there is`);
  try {
    return await inspect(config, await readToken(inspected, io), io);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    io.stderr(`standard input: ${error.message}\n`);
    return 1;
  }
}

async function make(config: Config, flags: Flags, io: Io): Promise<number> {
  const claims = readClaims(config, flags);
  const token = await sign(config, flags, JSON.stringify(claims));
  const verdict = await judgeToken(config, token);
  if (verdict instanceof TokenFault) {
    if (verdict.check === "claims" || verdict.check === "size") {
      throw new UsageError(`no server takes such a token: ${verdict.message}`);
    }
    io.stderr(`gong: a server of these settings does not accept it: ${verdict.message}\n`);
  }
  io.stdout(`${token}\n`);
  return 0;
}

function readClaims({ tokenIssuer, tokenAudience }: Config, flags: Flags): Record<string, unknown> {
  const user = flags.text.get("user");
  if (user === undefined) throw new UsageError("--user is missing: whose token is it to be?");
  const now = Math.floor(Date.now() / 1000);
  const info = flags.text.get("info");
  const patterns = PATTERNS.filter((name) => flags.list.has(name));
  return {
    sub: user,
    ...Object.fromEntries(patterns.map((name) => [name, split(flags.list.get(name) ?? [])])),
    ...info === undefined ? {} : { info: readInfo(info) },
    ...tokenIssuer === "" ? {} : { iss: tokenIssuer },
    ...tokenAudience === "" ? {} : { aud: tokenAudience },
    iat: now,
    exp: now + readLifetime(flags),
  };
}

function split(texts: readonly string[]): readonly string[] {
  return texts.flatMap((text) => text === "" ? [] : text.split(",").map((pattern) => pattern.trim()));
}

function readInfo(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    throw new UsageError(`--info: this is not JSON; a text is '"text"', with quotes`);
  }
}

function readLifetime(flags: Flags): number {
  const text = flags.text.get("expires") ?? "1h";
  try {
    const seconds = Math.round(parseSeconds(text));
    if (seconds > 0) return seconds;
  } catch {
    // Told below.
  }
  throw new UsageError(`--expires ${text}: expected a duration of a second or more, e.g. 90, 15m, 12h or 7d`);
}

/** The claims come as text: of their numbers a digit could be lost otherwise. */
async function sign({ tokenSecret }: Config, flags: Flags, claims: string): Promise<string> {
  const path = flags.text.get("sign-key");
  const jws = new CompactSign(new TextEncoder().encode(claims));
  if (path !== undefined) {
    const { algorithm, jwk } = readKey(path);
    return await jws.setProtectedHeader({ alg: algorithm, typ: "JWT" }).sign(await importJWK(jwk, algorithm));
  }
  const [secret] = tokenSecret;
  if (secret === undefined) {
    throw new UsageError("there is nothing to sign with: set GONG_TOKEN_SECRET, or name a private key by --sign-key");
  }
  return await jws.setProtectedHeader({ alg: "HS256", typ: "JWT" }).sign(new TextEncoder().encode(secret));
}

function readKey(path: string): ReturnType<typeof readPrivateKey> {
  let pem: string;
  try {
    pem = Deno.readTextFileSync(path);
  } catch (error) {
    throw new UsageError(`--sign-key ${path}: ${reasonUnread(error)}`);
  }
  try {
    return readPrivateKey(pem);
  } catch (error) {
    throw new UsageError(`--sign-key ${path}: ${(error as Error).message}`);
  }
}
