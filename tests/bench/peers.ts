import { startGong } from "../support/gong.ts";
import { Lines } from "../support/lines.ts";
import { figuresOfProcess } from "../support/load.ts";

/** A server under measurement. */
export interface Peer extends AsyncDisposable {
  readonly name: "loop" | "nchan" | "Gong";
  /** What is connected to. */
  readonly url: string;
  /** What it has used. */
  readonly figures: ReturnType<typeof figuresOfProcess>;
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
    figures: figuresOfProcess(child.pid),
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
 * @param options `door`: where its URL points to, the plain WebSocket door or none, for plain HTTP; `dir`: the folder that
 * it is started in and may write to
 */
export async function startServer(
  args: readonly string[],
  { door = "push", dir }: { door?: "push" | "http"; dir?: string } = {},
): Promise<Peer> {
  const gong = await startGong(["--log-level", "warning", ...args], dir === undefined ? {} : { dir });
  return {
    name: "Gong",
    url: door === "push" ? `${gong.ws}/push` : gong.url,
    figures: figuresOfProcess(gong.pid),
    [Symbol.asyncDispose]: () => gong[Symbol.asyncDispose](),
  };
}

/** A port that nobody listens on. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
