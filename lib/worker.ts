/**
 * Entry of a worker isolate: one edge, serving on the shared port.
 *
 * @module
 */
import { parentPort, workerData } from "node:worker_threads";
import { Answering } from "./http/answering.ts";
import { createAuth } from "./auth.ts";
import { LiveAuth } from "./auth_live.ts";
import { createTokens } from "./auth/tokens.ts";
import { type Config, parseListenAddress } from "./config.ts";
import { Edge } from "./edge.ts";
import { createHubClient } from "./edge/hub_client.ts";
import { Link, type Port } from "./link.ts";
import { configureLog, createLogger } from "./log.ts";
import type { EdgeMethods, HubMethods, ReconfigureOrder } from "./methods.ts";
import { Metrics } from "./metrics.ts";
import { createHandler, type Listening } from "./server.ts";
import { Turn } from "./turn.ts";
import { measureIsolate, watchIsolate } from "./vitals.ts";

/** What the supervisor gives a worker at its start. */
export interface WorkerData {
  readonly config: Config;
  readonly number: number;
  /** Its place among the edges, for metrics. */
  readonly slot: number;
  readonly port: number;
  /** That of `adminListen`, where there is one. */
  readonly adminPort: number | undefined;
  readonly busName: string;
  /** Number of the last batch that this edge need not see. */
  readonly last: number;
  /** Signs admin logins; shared by all edges. */
  readonly secret: Uint8Array;
  /** Seals what clients bring back, after a restart too: 32 bytes that the broker keeps; shared by all edges. */
  readonly seal: Uint8Array;
  /** PEM, when the server speaks TLS. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  /** PEM of the files of `tokenKeyFile`. */
  readonly tokenKeys: readonly string[];
  readonly terminal: boolean;
}

/** How long to wait before a listener that failed is opened again, in milliseconds; doubled, up to a second, until one lasts. */
const FIRST_RETRY = 50;
const LAST_RETRY = 1000;

async function main(data: WorkerData, port: Port): Promise<void> {
  const { config, number, busName, last, secret, seal } = data;
  await configureLog({ level: config.logLevel, format: config.logFormat, terminal: data.terminal });
  const log = createLogger("edge").with({ edge: number });
  const metrics = new Metrics({ isolate: String(data.slot) });
  const stop = new AbortController();
  const createVerdicts = (config: Config, keys: readonly string[]) =>
    createAuth(config, {
      secret,
      tokens: createTokens(config, {
        keys,
        onUnreachable: (error) => log.warning("tokens.unreachable", { error: error.message }),
      }),
      onFailure: (address) => hub.failedAuth(address),
      onTokenRefused: ({ check, message }, address) => {
        log.info("token.refused", { check, reason: message, address });
        metrics.count("gong_tokens_refused_total", { check });
      },
    });
  const auth = new LiveAuth(createVerdicts(config, data.tokenKeys));
  // The link hands requests to the edge, and the edge asks over the link.
  const methods: Partial<EdgeMethods> = {};
  const turn = new Turn();
  const onFault = (error: unknown, method: string) => log.error("edge.fault", { method, error: String(error) });
  const link = new Link<HubMethods>(port, methods, onFault, turn);
  const hub = createHubClient(link);
  const edge = new Edge({
    ...{ config, number, busName, last, link, seal, auth, log, metrics, turn },
    measure: () => measureIsolate(metrics),
    async stop() {
      stop.abort();
      await serving;
    },
    answered: () => answering.idle(),
  });
  let level = config.logLevel;
  Object.assign(methods, edge.methods(), {
    reconfigure({ config: changed, tokenKeys, withdrawn }: ReconfigureOrder) {
      auth.replace(createVerdicts(changed, tokenKeys));
      edge.judgeAll(withdrawn);
      if (changed.logLevel === level) return;
      level = changed.logLevel;
      configureLog({ level, format: config.logFormat, terminal: data.terminal }).catch((error) =>
        onFault(error, "log")
      );
    },
  });
  watchIsolate(metrics);
  const handler = createHandler({ config, edge, hub, auth, log, metrics, seal });
  const answering = new Answering();
  const addresses = addressesOf(data);
  const opened = new Set<Listening>();
  const serving = Promise.all(
    addresses.map((address) =>
      serve(
        address,
        data.tls,
        (request, info) => answering.count(handler(request, info, address.listening)),
        stop.signal,
        {
          ready: () => {
            opened.add(address.listening);
            if (opened.size === addresses.length) link.notify("ready", null);
          },
          failed: (reason) => {
            log.error("listener.failed", { port: address.port, reason });
            metrics.count("gong_refused_total", { reason: "listener" });
            link.notify("failed", reason);
          },
        },
      )
    ),
  );
  await serving;
}

/** Where an edge listens. */
interface Address {
  readonly hostname: string;
  readonly port: number;
  readonly listening: Listening;
}

function addressesOf({ config, port, adminPort }: WorkerData): Address[] {
  const { host: hostname, adminListen } = config;
  if (adminPort === undefined) return [{ hostname, port, listening: "only" }];
  const admin = { hostname: parseListenAddress(adminListen).host, port: adminPort, listening: "admin" as const };
  return [{ hostname, port, listening: "clients" }, admin];
}

/** What becomes of a listener. */
interface ListenerEvents {
  ready(): void;
  failed(reason: string): void;
}

/**
 * Serves until `stop`. A listener that fails, as it does when descriptors run out, leaves its connections alone and is
 * opened again as soon as that works.
 */
async function serve(
  { hostname, port }: Address,
  tls: WorkerData["tls"],
  handler: Deno.ServeHandler<Deno.NetAddr>,
  stop: AbortSignal,
  events: ListenerEvents,
): Promise<void> {
  let wait = FIRST_RETRY;
  while (!stop.aborted) {
    const opened = performance.now();
    try {
      const server = Deno.serve({
        ...{ hostname, port, reusePort: Deno.build.os === "linux", ...tls },
        onListen: () => events.ready(),
      }, handler);
      const onStop = () => void server.shutdown();
      stop.addEventListener("abort", onStop);
      await server.finished.finally(() => stop.removeEventListener("abort", onStop));
    } catch (error) {
      events.failed(String(error));
    }
    if (stop.aborted) return;
    if (performance.now() - opened > LAST_RETRY) wait = FIRST_RETRY;
    await new Promise((resolve) => setTimeout(resolve, wait));
    wait = Math.min(wait * 2, LAST_RETRY);
  }
}

/**
 * The port to the supervisor. `parentPort.on` looks into every message for ports first, property by property and byte by
 * byte: a page of history would take twice as long, and bytes two hundred times.
 */
function openPort(port: NonNullable<typeof parentPort>): Port {
  return {
    postMessage: (message) => port.postMessage(message),
    on: (type, listener) => globalThis.addEventListener(type, (event) => listener((event as MessageEvent).data)),
  };
}

if (parentPort) await main(workerData as WorkerData, openPort(parentPort));
