/**
 * A Redis server as a child process, with nothing in it.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import { createClient } from "@redis/client";
import { Lines } from "./lines.ts";
import { needsProgram } from "./programs.ts";

/** Settings of {@linkcode startRedis}. */
export interface RedisOptions {
  /** Further arguments, e.g. `["--appendonly", "yes"]`; last wins. */
  readonly args?: readonly string[];
  /** What makes it speak TLS, and nothing else: `command` cannot be used then. */
  readonly tls?: readonly string[];
  /** A file of settings of a Sentinel, which this is then. */
  readonly config?: string;
  /** The port to listen on, e.g. that of one which has ended. Default: a free one. */
  readonly port?: number;
  /** A working directory that is there already and stays, in place of a new one. */
  readonly dir?: string;
}

/** A running Redis. */
export interface Redis extends AsyncDisposable {
  /** `redis://127.0.0.1:PORT` */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly dir: string;
  /** One command, on a connection of its own, e.g. `command("CLIENT", "KILL", "TYPE", "pubsub")`. */
  command(...args: (string | Buffer)[]): Promise<unknown>;
  /** SIGSTOP and SIGCONT. */
  pause(): void;
  resume(): void;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGTERM: it saves, if it was started so. */
  stop(): Promise<void>;
}

const PROGRAM = "redis-server";

/** What a test needs that is none of {@linkcode redisTest}. */
export const NEEDS_REDIS = needsProgram(PROGRAM);

/**
 * A test that needs Redis. Deno 2.6 looks for leaks by itself, and would find what the client leaves behind that does
 * nothing any more (the time-out of a connection that is gone, the wait before another try), and the shared server.
 */
export function redisTest(name: string, run: (t: Deno.TestContext) => Promise<void>): void {
  Deno.test({ ...NEEDS_REDIS, name, fn: run, sanitizeOps: false, sanitizeResources: false });
}

let shared: Promise<Redis> | undefined;

/** One for all tests of a file, which keep to prefixes of their own. It ends with the process. */
export function sharedRedis(): Promise<Redis> {
  return shared ??= startRedis().then((redis) => {
    globalThis.addEventListener("unload", () => Deno.kill(redis.pid, "SIGKILL"));
    return redis;
  });
}

/** Starts it and resolves when it answers. Nothing is saved unless `args` say so. */
export async function startRedis({ args = [], tls, config, port, dir }: RedisOptions = {}): Promise<Redis> {
  const folder = dir ?? await Deno.makeTempDir({ prefix: "gong-redis-" });
  for (let tries = 0;; tries++) {
    const own = port ?? freePort();
    const child = new Deno.Command(PROGRAM, {
      args: config !== undefined
        ? [config, "--sentinel", "--bind", "127.0.0.1", "--port", String(own), "--dir", folder]
        : [
          ...["--bind", "127.0.0.1", "--dir", folder, "--save", ""],
          ...tls ? ["--port", "0", "--tls-port", String(own), ...tls] : ["--port", String(own)],
          ...args,
        ],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const printed = new Lines();
    const collected = printed.collect(child.stdout);
    const finished = child.status.then(async () => {
      await collected;
      if (dir === undefined) await Deno.remove(folder, { recursive: true }).catch(() => {});
    });
    try {
      await printed.find(config === undefined ? /Ready to accept connections/ : /Sentinel ID is/);
    } catch (error) {
      kill(child, "SIGKILL");
      await finished;
      // Somebody else took the port meanwhile.
      if (port === undefined && tries < 3 && /Address already in use|Failed listening/.test(printed.text())) continue;
      throw error;
    }
    return toRedis(own, folder, child, finished);
  }
}

function toRedis(port: number, dir: string, child: Deno.ChildProcess, finished: Promise<void>): Redis {
  const url = `redis://127.0.0.1:${port}`;
  async function end(signal: Deno.Signal): Promise<void> {
    kill(child, signal);
    await finished;
  }
  return {
    ...{ url, port, dir, pid: child.pid },
    async command(...args) {
      const client = createClient({ url, socket: { reconnectStrategy: false } });
      client.on("error", () => {});
      await client.connect();
      try {
        return await client.sendCommand(args);
      } finally {
        client.destroy();
      }
    },
    pause: () => child.kill("SIGSTOP"),
    resume: () => child.kill("SIGCONT"),
    kill: () => end("SIGKILL"),
    stop: () => end("SIGTERM"),
    [Symbol.asyncDispose]: () => end("SIGKILL"),
  };
}

function kill(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch {
    // Already ended.
  }
}

/** One that nobody listens on now. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
