import { BrokerSetupError } from "../brokers/setup_error.ts";
import { type Config, ConfigError, optionsHelp, resolveConfig } from "../config.ts";
import { configureLog, createLogger, type Logger } from "../log.ts";
import type { Running, SupervisorOptions } from "../supervisor.ts";
import { AddressError } from "../supervisor/address_error.ts";
import { VERSION } from "../version.ts";
import type { Command, Io } from "./command.ts";
import { openSignals, type Signals } from "./signals.ts";

/** What `serve` needs of the process beyond {@linkcode Io}; a test has its own. */
export interface Parts {
  start(config: Config, options: SupervisorOptions): Promise<Running>;
  readonly signals: Signals;
  /** Ends the process at once. */
  exit(code: number): void;
}

/** `gong serve`: the server itself. */
export const command: Command = {
  name: "serve",
  summary: "Runs the server",
  usage: `gong serve runs the server until SIGTERM or SIGINT; a second signal ends it at once. When it is ready it
prints one line of JSON on standard output; the log goes to standard error.

Usage: gong serve [FLAGS]

A flag --max-message can also be set as GONG_MAX_MESSAGE in the environment, or as "maxMessage" in the file of
--config. A flag wins over the environment, the environment over the file. Repeatable flags take several values
joined by commas too. A SIZE is bytes, or 64KiB, 1MiB, 2GiB; a TIME is seconds, or 500ms, 25s, 2m, 12h.

${optionsHelp()}
Exit code: 0 shut down, 1 failed (e.g. the port is in use), 2 wrong configuration, 130 or 143 second signal.
`,
  run: (args, io) =>
    serve(args, io, { start: startSupervisor, signals: openSignals(), exit: (code) => Deno.exit(code) }),
};

/**
 * Runs the server until it has ended.
 *
 * @returns the exit code
 * @throws {ConfigError} for a wrong configuration
 */
export async function serve(args: readonly string[], io: Io, parts: Parts): Promise<number> {
  const { config: given } = resolveConfig(args, io.env, Deno.readTextFileSync);
  const setUpLog = ({ logLevel }: Config) =>
    configureLog({
      level: logLevel,
      format: given.logFormat,
      terminal: io.terminal,
      write: (line) => io.stderr(line),
    });
  await setUpLog(given);
  const log = createLogger("main");
  const config = openDoors(given, io, log);

  let running: Running | undefined;
  let stopping = false;
  const unlisten = parts.signals.listen((signal, code) => {
    if (running === undefined || stopping) return parts.exit(code);
    stopping = true;
    log.info("server.stopping", { signal, drain: config.drain });
    running.shutdown().catch((error: unknown) => {
      log.error("server.shutdown_failed", { error });
      parts.exit(1);
    });
  });
  const reload = async (): Promise<void> => {
    if (running === undefined || stopping) return;
    const next = readAgain(args, io, config, log);
    if (next === undefined) return;
    try {
      const { config, changed, needRestart } = await running.reload(next);
      if (changed.includes("logLevel")) await setUpLog(config);
      log.info("config.reloaded", { changed });
      if (needRestart.length > 0) log.warning("config.restart_needed", { settings: needRestart });
    } catch (error) {
      log.error("config.kept", { reason: error instanceof Error ? error.message : String(error) });
    }
  };
  // A terminal that is closed sends it too, and nobody would end the server then.
  const unlistenReload = io.terminal ? () => {} : parts.signals.listenReload(() => void reload());
  try {
    running = await parts.start(config, { log, terminal: io.terminal });
    io.stdout(`${JSON.stringify(readyLine(config, running))}\n`);
    return await running.finished;
  } catch (error) {
    const reason = error instanceof AddressError ? explainAddress(error) : explain(error, config);
    if (reason === undefined) throw error;
    io.stderr(`gong: ${reason}\n`);
    return 1;
  } finally {
    unlisten();
    unlistenReload();
  }
}

/** The configuration as it is now in the files; flags and environment are those of the process. Says what is wrong with it. */
function readAgain(args: readonly string[], io: Io, current: Config, log: Logger): Config | undefined {
  try {
    const { config } = resolveConfig(args, io.env, Deno.readTextFileSync);
    // The key of this run, if it was made up, is that as long as nobody sets one.
    return config.apiKey.length > 0 || config.dev ? config : Object.freeze({ ...config, apiKey: current.apiKey });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    log.error("config.kept", { reason: error.message });
    return undefined;
  }
}

async function startSupervisor(config: Config, options: SupervisorOptions): Promise<Running> {
  const { startServer } = await import("../supervisor.ts");
  return await startServer(config, options);
}

function readyLine(config: Config, { url, port, adminUrl }: Running): Record<string, unknown> {
  const { isolates, dev } = config;
  return {
    event: "ready",
    url,
    port,
    ...adminUrl === undefined ? {} : { adminUrl },
    pid: Deno.pid,
    isolates,
    version: VERSION,
    dev,
  };
}

/** Says what stands open; without a key makes one, and shows it where only a person sees it. */
function openDoors(config: Config, io: Io, log: Logger): Config {
  if (config.dev) {
    const hint = "everybody who reaches this server may subscribe, publish and use /admin (--dev)";
    if (io.terminal) io.stderr(`gong: ${hint}\n`);
    else log.warning("server.open", { hint });
    return config;
  }
  if (config.apiKey.length > 0) return config;
  const secret = randomSecret();
  const hint = "set API keys with --api-key-file, GONG_API_KEY or --api-key";
  if (io.terminal) io.stderr(`gong: the API key of this run is ${secret}\ngong: it is not shown again; ${hint}\n`);
  else log.warning("server.no_key", { hint });
  return Object.freeze({ ...config, apiKey: Object.freeze([secret]) });
}

/** 256 bits in the alphabet of a URL. */
function randomSecret(): string {
  return crypto.getRandomValues(new Uint8Array(32)).toBase64({ alphabet: "base64url", omitPadding: true });
}

/** What keeps a server from starting without anything being broken, in words. */
function explain(error: unknown, { host, port }: Config): string | undefined {
  if (error instanceof BrokerSetupError) return error.message;
  // A port that was ours a moment ago.
  return explainAddress(new AddressError("--port", host, port, error));
}

function explainAddress({ flag, host, port, cause }: AddressError): string | undefined {
  if (cause instanceof Deno.errors.AddrInUse) {
    return `port ${port} is in use on ${host}, by another Gong or another program; ${flag} names another, 0 a free one`;
  }
  const addressFlag = flag === "--port" ? "--host" : flag;
  if (cause instanceof Deno.errors.AddrNotAvailable) return `${host} is no address of this machine; see ${addressFlag}`;
  if (cause instanceof Deno.errors.PermissionDenied) {
    return `this user may not listen on port ${port} of ${host}; ${flag} names another`;
  }
  return undefined;
}
