import { parseApiKey } from "../config.ts";
import { UsageError } from "../flags.ts";
import { ProgressBar } from "./bench/bar.ts";
import { figuresOfProcess, figuresOfStats, type ReadFigures } from "./bench/figures.ts";
import { type BenchArguments, parseBenchArguments } from "./bench/flags.ts";
import { runLoad } from "./bench/load.ts";
import { formatReport, isComplete } from "./bench/report.ts";
import type { Command, Io } from "./command.ts";

const usage = `Usage: gong bench [FLAGS] [ws://HOST:PORT/PATH]

Loads a server and reports what arrived and how fast. The address is ws://127.0.0.1:8998/push unless said
(socketio: /socket.io/); any WebSocket server that sends each text frame to everybody can be measured.

  --subscribers N   Connections that listen (100).
  --publishers N    Connections that publish (1); 0 only holds the subscribers for --duration.
  --rate N          Messages a second over all publishers (100); 0 is as fast as their sockets take them.
  --count N         Messages to publish; without it, as many as --duration allows.
  --duration TIME   How long to publish (10s).
  --size BYTES      Of one message (128), at least 42.
  --format FORMAT   plain: a frame is a message (default); json: the lines of the JSON door; stomp: STOMP 1.2, of which
                    any server with topics (/topic/NAME) over WebSocket can be measured; socketio: Socket.IO 5 over
                    WebSocket, of which any server that sends an event "message" to its whole namespace can be.
  --channel NAME    Channel to publish to (the server's default one); of socketio the namespace /NAME.
  --workers N       Isolates of the generator that listen (one for 50 subscribers, at most one a core).
  --settle TIME     What is missing when nothing arrived for so long is lost (5s).
  --api-key KEY     Sent with every handshake and to --stats; GONG_API_KEY in the environment does the same.
  --ca FILE         PEM file with a further authority for wss.
  --pid PID         Process of the server: reports its CPU and memory. Needs the whole system to be readable: from
                    source, deno run -A main.ts bench.
  --stats URL       The server's /api/stats: the same from a Gong.
  --json            Prints the report as one JSON object.

Exit code: 0 when everybody connected and every message arrived once and in order, else 1.
`;

async function run(args: readonly string[], io: Io): Promise<number> {
  const wanted = parseBenchArguments(args);
  const figures = figuresOf(wanted, io);
  const bar = new ProgressBar((text) => io.stderr(text));
  const load = { ...wanted.load, apiKey: keyOf(wanted, io), caCerts: await readAuthorities(wanted.ca) };
  try {
    const report = await runLoad(load, {
      ...(figures !== undefined && { figures }),
      ...(io.terminal && { onProgress: (progress) => bar.show(progress) }),
    });
    bar.clear();
    io.stdout(wanted.json ? JSON.stringify(report) + "\n" : formatReport(report));
    return isComplete(report) ? 0 : 1;
  } catch (error) {
    bar.clear();
    io.stderr(`gong bench: ${explain(error)}\n`);
    return 1;
  }
}

function figuresOf(wanted: BenchArguments, io: Io): ReadFigures | undefined {
  if (wanted.pid !== undefined) return figuresOfProcess(wanted.pid);
  if (wanted.stats !== undefined) return figuresOfStats(wanted.stats, keyOf(wanted, io));
  return undefined;
}

/** A key may be given as the server takes it, with name and scopes; only its secret is sent. */
function keyOf({ apiKey }: BenchArguments, { env }: Io): string {
  const text = apiKey ?? env.get("GONG_API_KEY")?.split(",")[0]?.trim() ?? "";
  try {
    return text === "" ? "" : parseApiKey(text).secret;
  } catch (error) {
    throw new UsageError(`--api-key: ${(error as Error).message}`);
  }
}

async function readAuthorities(path: string | undefined): Promise<string[]> {
  if (path === undefined) return [];
  try {
    return [await Deno.readTextFile(path)];
  } catch (error) {
    throw new UsageError(`--ca ${path}: ${(error as Error).message}`);
  }
}

function explain(error: unknown): string {
  if (error instanceof Deno.errors.NotCapable) {
    return "another process can only be looked at with --allow-all: deno run -A main.ts bench, or use --stats";
  }
  return error instanceof Error ? error.message : String(error);
}

/** `gong bench`. */
export const command: Command = { name: "bench", summary: "Load a server and report what arrived", usage, run };
