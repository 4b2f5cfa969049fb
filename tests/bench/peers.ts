import { setTimeout as delay } from "node:timers/promises";
import { startGong } from "../support/gong.ts";
import { Lines } from "../support/lines.ts";
import { figuresOfProcess } from "../support/load.ts";

/** A server under measurement. */
export interface Peer extends AsyncDisposable {
  readonly name: "loop" | "bare" | "nchan" | "socket.io" | "Gong";
  /** What is connected to. */
  readonly url: string;
  /** What it has used. */
  readonly figures: ReadFigures;
}

type ReadFigures = ReturnType<typeof figuresOfProcess>;

/** Of Gong's doors. */
const PATHS = { push: "/push", "socket.io": "/socket.io/", http: "" } as const;

/** Has Deno collect the garbage of all isolates, and give back what is free, at SIGUSR2. */
const COLLECTING = { DENO_USR2_MEMORY_TRIM: "1" };

/** Memory counts as settled when it was the same so many times, each so many milliseconds after the other. */
const SETTLED = { times: 3, pause: 500 };

/** The bare loop of `loop.ts`, with the idle time-out that Gong's pings have by default. */
export function startLoop(): Promise<Peer> {
  const script = new URL("./loop.ts", import.meta.url).pathname;
  const command = [Deno.execPath(), "run", "--no-config", "--allow-net", "--no-prompt", script, "25"];
  return startChild("loop", command, { path: "/push" });
}

/** A server of Socket.IO that keeps nothing: what a connection takes by Deno alone. */
export function startBareSocketio({ collects }: { collects: boolean }): Promise<Peer> {
  const script = new URL("./socketio/bare.ts", import.meta.url).pathname;
  const command = [Deno.execPath(), "run", "--no-config", "--allow-net", "--no-prompt", script];
  return startChild("bare", command, { path: PATHS["socket.io"], env: collects ? COLLECTING : {}, collects });
}

/** How a {@linkcode startChild} is started. */
interface ChildOptions {
  /** What of it is connected to. */
  readonly path: string;
  /** Added to the environment. */
  readonly env?: Record<string, string>;
  /** Its figures are those after a collection of garbage, which SIGUSR2 makes it do. Default: as they are. */
  readonly collects?: boolean;
}

/** Starts a program that prints a line of JSON with its port, of this machine, as soon as it has one. */
export async function startChild(
  name: Peer["name"],
  [program = "", ...args]: readonly string[],
  { path, env = {}, collects = false }: ChildOptions,
): Promise<Peer> {
  const child = new Deno.Command(program, { args, env, stdin: "null", stdout: "piped", stderr: "inherit" }).spawn();
  const lines = new Lines();
  const collected = lines.collect(child.stdout);
  const { port } = JSON.parse(await lines.find((line) => line.startsWith("{"), 30_000));
  const figures = figuresOfProcess(child.pid);
  return {
    name,
    url: `ws://127.0.0.1:${port}${path}`,
    figures: collects ? () => collect(() => child.kill("SIGUSR2"), figures) : figures,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
      await collected;
    },
  };
}

/**
 * Gong from source (or the binary named by `GONG_BINARY`), with `--dev` and its defaults but for `args`.
 *
 * @param options `door`: where its URL points to: the plain WebSocket door, that of Socket.IO, or none, for plain HTTP; `dir`: the folder that
 * it is started in and may write to; `collects`: whether its figures are those after a collection of garbage
 */
export async function startServer(
  args: readonly string[],
  { door = "push", dir, collects = false }: { door?: keyof typeof PATHS; dir?: string; collects?: boolean } = {},
): Promise<Peer> {
  const gong = await startGong(["--log-level", "warning", ...args], {
    env: collects ? COLLECTING : {},
    ...(dir === undefined ? {} : { dir }),
  });
  const figures = figuresOfProcess(gong.pid);
  return {
    name: "Gong",
    url: `${door === "http" ? gong.url : gong.ws}${PATHS[door]}`,
    figures: collects ? () => collect(() => gong.signal("SIGUSR2"), figures) : figures,
    [Symbol.asyncDispose]: () => gong[Symbol.asyncDispose](),
  };
}

/** Has all isolates of the process collect; nothing tells when they have, but that no more memory comes free. */
async function collect(start: () => void, read: ReadFigures): ReturnType<ReadFigures> {
  start();
  let figures = await read();
  for (let same = 0; same < SETTLED.times;) {
    await delay(SETTLED.pause);
    const before = figures.rss;
    figures = await read();
    same = Math.abs(figures.rss - before) < before / 100 ? same + 1 : 0;
  }
  return figures;
}

/** A port that nobody listens on. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
