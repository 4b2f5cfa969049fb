/**
 * Gong as a child process: from source, or the compiled binary that `GONG_BINARY` names.
 *
 * @module
 */
import { Lines } from "./lines.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** What is common to a server and to a command of Gong. */
export interface SpawnOptions {
  /** Added to the environment, which otherwise has no `GONG_*`. */
  env?: Record<string, string>;
  /** Written to the child's working directory first, which is otherwise empty: name → content. */
  files?: Record<string, string>;
  /** What runs the program, e.g. `["prlimit", "--nofile=60"]`; it has to keep the process id (exec). */
  prefix?: readonly string[];
  /** A working directory that is there already and stays, in place of a new one. */
  dir?: string;
  /** Put before the program's own arguments when run from source, e.g. `--v8-flags=...`. */
  denoArgs?: readonly string[];
}

/** Settings of {@linkcode startGong}. */
export interface GongOptions extends SpawnOptions {
  /** `--dev`: everything open, loopback only. Default true. */
  dev?: boolean;
  /** Another program from source, which prints the same ready line, e.g. `tests/support/faulty_server.ts`. */
  entry?: string;
  /** How long the ready line may take, in milliseconds. Default 120,000. */
  readyWithin?: number;
}

/** A running server. */
export interface Gong extends AsyncDisposable {
  /** Origin, e.g. `http://127.0.0.1:40123`. */
  readonly url: string;
  /** The same as a WebSocket origin. */
  readonly ws: string;
  readonly port: number;
  readonly pid: number;
  /** Its working directory. */
  readonly dir: string;
  /** The whole ready line. */
  readonly ready: Readonly<Record<string, unknown>>;
  /** Resolves when the process has ended, to its exit code (128 + number of the signal that killed it). */
  readonly finished: Promise<number>;
  /** Everything printed so far, standard output and error mixed. */
  output(): string;
  /** The first line of output, printed or to come, that matches; rejects after 20 s or at the end of the output. */
  line(matches: RegExp | ((line: string) => boolean), within?: number): Promise<string>;
  signal(signal: Deno.Signal): void;
  /** It stands still until this is disposed of: what waits for its answers, as clients that close, would not end before. */
  pause(): Disposable;
  /** SIGTERM, then the exit code. */
  stop(): Promise<number>;
  /** SIGKILL. */
  kill(): Promise<void>;
}

/** What a command of Gong left behind. */
export interface Finished {
  code: number;
  stdout: string;
  stderr: string;
}

/** The program and the arguments that come before Gong's own. */
function program(dir: string, options: GongOptions): string[] {
  if (options.entry) return [Deno.execPath(), "run", "-A", "--config", `${ROOT}deno.json`, `${ROOT}${options.entry}`];
  const binary = Deno.env.get("GONG_BINARY");
  // As the task `start` does it; reading also means the working directory, which in the binary is just `.`.
  const source = [
    "run",
    "--quiet",
    "-P",
    `--allow-read=${ROOT},${dir}`,
    `--allow-write=${dir}`,
    "--no-prompt",
    "--v8-flags=--max-semi-space-size=8",
    "--config",
    `${ROOT}deno.json`,
  ];
  const command = binary ? [binary] : [Deno.execPath(), ...source, ...options.denoArgs ?? [], `${ROOT}main.ts`];
  return [...options.prefix ?? [], ...command];
}

function environment(options: SpawnOptions): Record<string, string> {
  const own = Object.entries(Deno.env.toObject()).filter(([name]) => !name.startsWith("GONG_"));
  return { ...Object.fromEntries(own), NO_COLOR: "1", ...options.env };
}

async function prepare(options: SpawnOptions): Promise<string> {
  const dir = options.dir ?? await Deno.makeTempDir({ prefix: "gong-test-" });
  // Also for a child that runs as another user.
  if (options.dir === undefined) await Deno.chmod(dir, 0o755);
  for (const [name, content] of Object.entries(options.files ?? {})) {
    await Deno.writeTextFile(`${dir}/${name}`, content);
  }
  return dir;
}

function spawn(
  args: readonly string[],
  dir: string,
  options: SpawnOptions,
  stdin: "null" | "piped",
): Deno.ChildProcess {
  const [command = "", ...rest] = [...program(dir, options), ...args];
  return new Deno.Command(command, {
    args: rest,
    cwd: dir,
    clearEnv: true,
    env: environment(options),
    stdin,
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/**
 * Starts `gong serve --port 0 ARGS` and resolves when it is ready.
 *
 * @example
 * await using gong = await startGong(["--isolates", "2"]);
 * const response = await fetch(`${gong.url}/health`);
 *
 * @throws with what it printed, when it ends or is not ready in time
 */
export async function startGong(args: readonly string[] = [], options: GongOptions = {}): Promise<Gong> {
  const dir = await prepare(options);
  const dev = options.dev ?? true ? ["--dev"] : [];
  const child = spawn(["serve", ...dev, "--port", "0", ...args], dir, options, "null");
  const printed = new Lines();
  const [forStdout, forBoth] = child.stdout.tee();
  const stdout = new Lines();
  const collected = Promise.all([
    stdout.collect(forStdout),
    printed.collect(merge(forBoth, child.stderr)),
  ]);
  const finished = child.status.then(async (status) => {
    await collected;
    if (options.dir === undefined) await Deno.remove(dir, { recursive: true }).catch(() => {});
    return status.code;
  });

  function kill(signal: Deno.Signal): void {
    try {
      child.kill(signal);
    } catch {
      // Already ended.
    }
  }

  async function end(signal: Deno.Signal): Promise<number> {
    kill(signal);
    return await finished;
  }

  let ready: Record<string, unknown>;
  try {
    ready = JSON.parse(await stdout.find(isReadyLine, options.readyWithin ?? 120_000));
  } catch (cause) {
    await end("SIGKILL");
    throw new Error(`gong did not become ready; it printed:\n${printed.text()}`, { cause });
  }

  const url = String(ready.url).replace(/\/$/, "");
  return {
    url,
    ws: url.replace(/^http/, "ws"),
    port: Number(ready.port),
    pid: child.pid,
    dir,
    ready,
    finished,
    output: () => printed.text(),
    line: (matches, within) => printed.find(matches, within),
    signal: (signal) => child.kill(signal),
    pause() {
      child.kill("SIGSTOP");
      return { [Symbol.dispose]: () => kill("SIGCONT") };
    },
    stop: () => end("SIGTERM"),
    async kill() {
      await end("SIGKILL");
    },
    async [Symbol.asyncDispose]() {
      await end("SIGKILL");
    },
  };
}

/**
 * Runs a command of Gong to its end, e.g. `runGong(["check", "--port", "1"])`.
 *
 * @param stdin what it reads; without it, standard input is empty
 */
export async function runGong(
  args: readonly string[],
  options: SpawnOptions & { stdin?: string } = {},
): Promise<Finished> {
  const dir = await prepare(options);
  try {
    const child = spawn(args, dir, options, "piped");
    const writer = child.stdin.getWriter();
    // A command that does not read its input may be gone before all of it is written.
    const written = writer.write(new TextEncoder().encode(options.stdin ?? "")).then(() => writer.close()).catch(
      () => {},
    );
    const { code, stdout, stderr } = await child.output();
    await written;
    return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
  } finally {
    if (options.dir === undefined) await Deno.remove(dir, { recursive: true });
  }
}

function isReadyLine(line: string): boolean {
  if (!line.startsWith("{")) return false;
  try {
    return JSON.parse(line).event === "ready";
  } catch {
    return false;
  }
}

/** Both streams' chunks as they come. */
function merge(...streams: ReadableStream<Uint8Array>[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async start(controller) {
      await Promise.allSettled(streams.map(async (stream) => {
        for await (const chunk of stream) controller.enqueue(chunk);
      }));
      controller.close();
    },
  });
}
