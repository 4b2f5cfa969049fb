import { type Flags, parseFlags, UsageError } from "../../flags.ts";
import { isChannelName, isReserved } from "../../globs.ts";
import { parseBytes, parseSeconds } from "../../units.ts";
import { DEFAULT_WS_URL, parseWsUrl } from "../ws_url.ts";
import { MARK_BYTES, MAX_MESSAGES, MAX_PUBLISHERS } from "./mark.ts";
import { defaultWorkers, type Format, FORMATS, LOAD_DEFAULTS, type LoadOptions } from "./options.ts";

/** What the command line of `gong bench` says. */
export interface BenchArguments {
  /** Without what has to be read from files and the environment first, and what only comparisons ask for. */
  readonly load: Omit<LoadOptions, "apiKey" | "caCerts" | "distinctIds">;
  readonly apiKey: string | undefined;
  /** File with further authorities. */
  readonly ca: string | undefined;
  /** Process to measure. */
  readonly pid: number | undefined;
  /** `/api/stats` to measure by. */
  readonly stats: URL | undefined;
  readonly json: boolean;
}

/**
 * Reads the command line of `gong bench`.
 *
 * @throws {UsageError} when it is wrong
 */
export function parseBenchArguments(args: readonly string[]): BenchArguments {
  const flags = parseFlags(args, {
    text: [
      ...["subscribers", "publishers", "rate", "count", "duration", "size", "format", "channel", "workers", "settle"],
      ...["api-key", "ca", "pid", "stats"],
    ],
    boolean: ["json"],
    most: 1,
  });
  const subscribers = integer(flags, "subscribers", LOAD_DEFAULTS.subscribers, 0, 1_000_000);
  const publishers = integer(flags, "publishers", LOAD_DEFAULTS.publishers, 0, MAX_PUBLISHERS);
  if (flags.text.has("pid") && flags.text.has("stats")) {
    throw new UsageError("--pid and --stats: one of them is enough");
  }
  const wanted = format(flags);
  return {
    load: {
      url: address(flags, wanted).href,
      subscribers,
      publishers,
      rate: integer(flags, "rate", LOAD_DEFAULTS.rate, 0, 10_000_000),
      count: integer(flags, "count", LOAD_DEFAULTS.count, 0, MAX_MESSAGES),
      duration: amount(flags, "duration", LOAD_DEFAULTS.duration, parseSeconds),
      size: size(flags),
      format: wanted,
      channel: channel(flags),
      workers: integer(flags, "workers", defaultWorkers(subscribers), 1, 64),
      settle: amount(flags, "settle", LOAD_DEFAULTS.settle, parseSeconds),
    },
    apiKey: flags.text.get("api-key"),
    ca: flags.text.get("ca"),
    pid: flags.text.has("pid") ? integer(flags, "pid", 0, 1, 2 ** 22) : undefined,
    stats: flags.text.has("stats") ? statsUrl(flags.text.get("stats")!) : undefined,
    json: flags.boolean.get("json") ?? false,
  };
}

function address({ rest: [text] }: Flags, wanted: Format): URL {
  if (wanted !== "socketio") return parseWsUrl(text ?? DEFAULT_WS_URL);
  // Its path is Socket.IO's own, whatever the server.
  return parseWsUrl(text ?? new URL(DEFAULT_WS_URL).origin, "/socket.io/");
}

function integer(flags: Flags, name: string, otherwise: number, least: number, most: number): number {
  const text = flags.text.get(name);
  if (text === undefined) return otherwise;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
  if (!(value >= least && value <= most)) {
    throw new UsageError(`--${name} ${text}: expected a whole number from ${least} to ${most}`);
  }
  return value;
}

function amount(flags: Flags, name: string, otherwise: number, parse: (text: string) => number): number {
  const text = flags.text.get(name);
  if (text === undefined) return otherwise;
  try {
    return parse(text);
  } catch (error) {
    throw new UsageError(`--${name} ${text}: ${(error as Error).message}`);
  }
}

function size(flags: Flags): number {
  const bytes = amount(flags, "size", LOAD_DEFAULTS.size, parseBytes);
  if (bytes < MARK_BYTES || bytes > 16 * 2 ** 20) {
    throw new UsageError(`--size ${bytes}: expected ${MARK_BYTES} bytes, which a message needs to be timed, to 16MiB`);
  }
  return bytes;
}

function format(flags: Flags): Format {
  const text = flags.text.get("format") ?? LOAD_DEFAULTS.format;
  const known = FORMATS.find((name) => name === text);
  if (known === undefined) throw new UsageError(`--format ${text}: expected one of ${FORMATS.join(", ")}`);
  return known;
}

function channel(flags: Flags): string {
  const text = flags.text.get("channel") ?? "";
  if (text !== "" && (!isChannelName(text) || isReserved(text))) {
    throw new UsageError(`--channel ${text}: not the name of a channel`);
  }
  return text;
}

function statsUrl(text: string): URL {
  const url = URL.parse(text);
  if (url?.protocol !== "http:" && url?.protocol !== "https:") {
    throw new UsageError(`--stats ${text}: expected an address such as http://127.0.0.1:8998/api/stats`);
  }
  return url;
}
