import { startGong } from "../support/gong.ts";
import { Lines } from "../support/lines.ts";

/** A server under measurement. */
export interface Peer extends AsyncDisposable {
  readonly name: "loop" | "Gong";
  /** What is connected to. */
  readonly url: string;
  readonly pid: number;
}

/** The bare loop of `loop.ts`, with the idle time-out that Gong's pings have by default. */
export async function startLoop(): Promise<Peer> {
  const script = new URL("./loop.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-config", "--allow-net", "--no-prompt", script, "25"],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const lines = new Lines();
  const collected = lines.collect(child.stdout);
  const { port } = JSON.parse(await lines.find((line) => line.startsWith("{"), 30_000));
  return {
    name: "loop",
    url: `ws://127.0.0.1:${port}/push`,
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
      await collected;
    },
  };
}

/** Gong from source (or the binary named by `GONG_BINARY`), with `--dev` and its defaults but for `args`. */
export async function startServer(args: readonly string[]): Promise<Peer> {
  const gong = await startGong(["--log-level", "warning", ...args]);
  return {
    name: "Gong",
    url: `${gong.ws}/push`,
    pid: gong.pid,
    [Symbol.asyncDispose]: () => gong[Symbol.asyncDispose](),
  };
}
