/**
 * What the proxies of `deploy/` have in common when they are started in front of nodes.
 *
 * @module
 */
import { assert } from "@std/assert";
import { findProgram } from "./programs.ts";
import { until } from "./until.ts";

const ROOT = new URL("../../", import.meta.url);
/** A certificate for `localhost`, and who signed it. */
const FIXTURES = new URL("tests/fixtures/", ROOT).pathname;
export const CERTIFICATE = { cert: `${FIXTURES}localhost.pem`, key: `${FIXTURES}localhost.key` };
export const AUTHORITY = await Deno.readTextFile(`${FIXTURES}authority.pem`);

/** A proxy that runs. */
export interface Front extends AsyncDisposable {
  /** `https://localhost:PORT` */
  readonly url: string;
  /** `wss://localhost:PORT` */
  readonly ws: string;
  readonly port: number;
  /** What it has logged so far, of all kinds. */
  log(): Promise<string>;
}

/**
 * The file of `deploy/` with some of its words replaced.
 *
 * @throws {AssertionError} for one that is not in the file: then it is the file no more that was meant
 */
export async function adaptFile(name: string, words: readonly (readonly [RegExp, string])[]): Promise<string> {
  let text = await Deno.readTextFile(new URL(`deploy/${name}`, ROOT));
  for (const [word, replacement] of words) {
    assert(word.test(text), `${name} has no ${word}`);
    text = text.replace(word, replacement);
  }
  return text;
}

export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** What a program prints, and its end. */
export interface FrontProcess {
  readonly name: string;
  readonly args: readonly string[];
  readonly port: number;
  readonly dir: string;
  /** Reads what it has logged, besides what it prints. */
  readonly log: () => Promise<string>;
}

/** Runs it until it accepts connections. */
export async function startFront({ name, args, port, dir, log }: FrontProcess): Promise<Front> {
  const child = new Deno.Command(findProgram(name) ?? name, {
    args: [...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let printed = "";
  let hasEnded = false;
  const collected = Promise.all([child.stdout, child.stderr].map(async (stream) => {
    for await (const chunk of stream.pipeThrough(new TextDecoderStream())) printed += chunk;
  }));
  const finished = child.status.then(async () => {
    hasEnded = true;
    await collected;
    await Deno.remove(dir, { recursive: true }).catch(() => {});
  });
  async function end(): Promise<void> {
    try {
      child.kill("SIGTERM");
    } catch {
      // Already ended.
    }
    await finished;
  }
  try {
    await until(() => hasEnded || accepts(port), () => `${name} does not listen:\n${printed}`);
    assert(!hasEnded, `${name} has ended:\n${printed}`);
  } catch (error) {
    await end();
    throw error;
  }
  return {
    url: `https://localhost:${port}`,
    ws: `wss://localhost:${port}`,
    port,
    log: async () => printed + await log(),
    [Symbol.asyncDispose]: end,
  };
}

async function accepts(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}
