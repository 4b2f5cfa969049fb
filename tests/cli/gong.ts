/**
 * The program as an operator runs it: a process of its own, with the permissions of deno.json.
 *
 * @module
 */

/** What a process has printed, and how it ended. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What {@linkcode runGong} gives a process. */
export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** Where it runs, and what it may read beside its own files. */
  readonly cwd?: string;
}

const ROOT = new URL("../../", import.meta.url).pathname;

/** Runs one command to its end. */
export async function runGong(
  args: readonly string[],
  { env = {}, input = "", cwd = ROOT }: RunOptions = {},
): Promise<Ran> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...[
        "run",
        "--quiet",
        "-P",
        "--no-prompt",
        "--no-lock",
        "--no-check",
        `--allow-read=${cwd}`,
        `--config=${ROOT}deno.json`,
      ],
      ...[`${ROOT}main.ts`, ...args],
    ],
    env: { ...env, NO_COLOR: "1" },
    cwd,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}
