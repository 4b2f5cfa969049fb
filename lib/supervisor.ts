/**
 * Runs a server: the hub in this isolate, an edge in each worker, and whatever happens to them.
 *
 * @module
 */
import { createHmac } from "node:crypto";
import { Worker } from "node:worker_threads";
import { compareConfigs, type Config, type ConfigChange, parseApiKey, parseListenAddress, urlHost } from "./config.ts";
import { AddressError } from "./supervisor/address_error.ts";
import { AdminFeed } from "./supervisor/admin_feed.ts";
import { GongError } from "./errors.ts";
import { Hub } from "./hub.ts";
import type { Port } from "./link.ts";
import type { Logger } from "./log.ts";
import { Lookout } from "./lookout.ts";
import { Metrics } from "./metrics.ts";
import { claimPort, type PortClaim } from "./supervisor/port_claim.ts";
import { measureProcess, residentBytes, watchIsolate } from "./vitals.ts";
import { VERSION } from "./version.ts";
import type { WorkerData } from "./worker.ts";

/** A server that runs. */
export interface Running {
  /** Where it is reached, e.g. `http://127.0.0.1:8998`. */
  readonly url: string;
  readonly port: number;
  /** Where the admin page, the API and the metrics are, if not there. */
  readonly adminUrl?: string | undefined;
  /** Resolves with the exit code when it has ended. */
  readonly finished: Promise<number>;
  /**
   * Goes on with a new configuration, as far as that can be done: no client is dropped but whom it takes the right to be
   * there. What cannot be read changes nothing.
   *
   * @throws what reading a file throws
   */
  reload(next: Config): Promise<ConfigChange>;
  /** Ends it: no new session begins, those that are there are closed with 1001 within `config.drain` seconds. */
  shutdown(): Promise<void>;
}

/** What {@linkcode startServer} needs beside the configuration. */
export interface SupervisorOptions {
  readonly log: Logger;
  /** Whether the log goes to a terminal; workers cannot find out. */
  readonly terminal?: boolean;
  /** Starts an isolate; a test may start one with faults. */
  readonly createWorker?: (workerData: WorkerData) => Worker;
}

/** Between beats to the edges, and looks at memory, in milliseconds. */
const BEAT = 1000;
/** Before an edge that died is started again, in milliseconds; doubled, up to a second, while it does not come up. */
const FIRST_RESTART = 50;
/** Seconds that an edge gets to close its sessions before it is replaced. */
const REPLACE_DRAIN = 2;

interface EdgeProcess {
  readonly number: number;
  /** 0 to `isolates`: an edge that takes the place of another has its slot. */
  readonly slot: number;
  readonly worker: Worker;
  restartAfter: number;
}

/**
 * Starts a server and resolves when every edge listens.
 *
 * @throws {AddressError} when an address cannot be listened on; a port may be taken, by another Gong too
 */
export async function startServer(config: Config, options: SupervisorOptions): Promise<Running> {
  const claims = claimAddresses(config);
  const { port } = claims.clients;
  let supervisor: Supervisor | undefined;
  try {
    supervisor = new Supervisor(config, claims, options);
    await supervisor.start();
  } catch (error) {
    await supervisor?.end(1);
    release(claims);
    throw error;
  }
  const { finished } = supervisor;
  const urlOf = (host: string, port: number) => `${config.cert ? "https" : "http"}://${urlHost(host)}:${port}`;
  const admin = claims.admin && urlOf(parseListenAddress(config.adminListen).host, claims.admin.port);
  return {
    url: urlOf(config.host, port),
    port,
    adminUrl: admin,
    finished,
    reload: (next) => supervisor.reload(next),
    shutdown: () => supervisor.shutdown(),
  };
}

/** The ports that the edges share: that of the clients, and the admin's where it has one. */
interface Claims {
  readonly clients: PortClaim;
  readonly admin: PortClaim | undefined;
}

function claimAddresses({ host, port, adminListen }: Config): Claims {
  const clients = claimFor("--port", host, port);
  if (adminListen === "") return { clients, admin: undefined };
  try {
    const admin = parseListenAddress(adminListen);
    return { clients, admin: claimFor("--admin-listen", admin.host, admin.port) };
  } catch (error) {
    clients.release();
    throw error;
  }
}

function claimFor(flag: string, host: string, port: number): PortClaim {
  try {
    return claimPort(host, port);
  } catch (cause) {
    throw new AddressError(flag, host, port, cause);
  }
}

function release({ clients, admin }: Claims): void {
  clients.release();
  admin?.release();
}

function readTls({ cert, key }: Config): WorkerData["tls"] {
  return cert ? { cert: Deno.readTextFileSync(cert), key: Deno.readTextFileSync(key) } : undefined;
}

function createEdgeWorker(workerData: WorkerData): Worker {
  return new Worker(new URL("./worker.ts", import.meta.url), { workerData });
}

class Supervisor {
  readonly finished: Promise<number>;
  #config: Config;
  readonly #claims: Claims;
  readonly #log: Logger;
  readonly #terminal: boolean;
  readonly #createWorker: (workerData: WorkerData) => Worker;
  readonly #metrics = new Metrics({ isolate: "hub" });
  readonly #busName = `gong-${crypto.randomUUID()}`;
  #secret: Uint8Array = crypto.getRandomValues(new Uint8Array(32));
  #seal: WorkerData["seal"] = new Uint8Array();
  readonly #tls: WorkerData["tls"];
  #tokenKeys: WorkerData["tokenKeys"];
  readonly #hub: Hub;
  readonly #feed: AdminFeed;
  readonly #edges = new Map<number, EdgeProcess>();
  readonly #starting = new Map<number, (failure?: string) => void>();
  readonly #timers: ReturnType<typeof setInterval>[] = [];
  readonly #stopWatching: () => void;
  #finish: (code: number) => void = () => {};
  /** Number of the edge that was started last. */
  #started = 0;
  #pressure = 0;
  #ending = false;

  constructor(config: Config, claims: Claims, options: SupervisorOptions) {
    const { log, terminal = false, createWorker = createEdgeWorker } = options;
    this.#config = config;
    this.#claims = claims;
    this.#log = log;
    this.#terminal = terminal;
    this.#createWorker = createWorker;
    this.#tls = readTls(config);
    this.#tokenKeys = config.tokenKeyFile.map((path) => Deno.readTextFileSync(path));
    this.finished = new Promise((resolve) => this.#finish = resolve);
    this.#hub = new Hub(config, {
      log,
      metrics: this.#metrics,
      busName: this.#busName,
      measure: () => this.#measure(),
      events: {
        ready: (edge) => this.#ready(edge),
        failed: (edge, reason) => this.#starting.get(edge)?.(reason),
        exhausted: (edge, bytes) => void this.#replace(edge, bytes),
      },
    });
    this.#feed = new AdminFeed(this.#hub);
    this.#stopWatching = watchIsolate(this.#metrics);
    this.#metrics.gauge("gong_build_info", { version: VERSION, deno: Deno.version.deno }, 1);
  }

  async start(): Promise<void> {
    this.#hub.directory.mark("start", "starting");
    this.#seal = await this.#hub.start();
    this.#started = this.#hub.beforeEdges;
    // Who has logged in on one node is logged in on all.
    if (this.#hub.isShared) this.#secret = createHmac("sha256", this.#seal).update("gong admin logins").digest();
    await Promise.all(Array.from({ length: this.#config.isolates }, (_, slot) => this.#startFirst(slot)));
    this.#hub.directory.mark("start");
    const lookout = new Lookout(BEAT, performance.now());
    this.#timers.push(setInterval(() => this.#beat(lookout.mayJudge(performance.now())), BEAT));
  }

  async reload(next: Config): Promise<ConfigChange> {
    const tokenKeys = next.tokenKeyFile.map((path) => Deno.readTextFileSync(path));
    const tls = readTls(next);
    const { config, changed, needRestart } = compareConfigs(this.#config, next);
    const withdrawn = this.#config.apiKey.filter((key) => !config.apiKey.includes(key)).map((key) =>
      parseApiKey(key).name
    );
    const hasNewKeys = tokenKeys.join() !== this.#tokenKeys.join();
    this.#config = config;
    this.#tokenKeys = tokenKeys;
    if (changed.length > 0 || hasNewKeys) await this.#hub.reconfigure({ config, tokenKeys, withdrawn });
    // A listener has one certificate, and one that is closed for another takes its WebSockets along.
    const files = (["cert", "key"] as const).filter((key) => tls?.[key] !== this.#tls?.[key]);
    return {
      config,
      changed: [...new Set([...changed, ...hasNewKeys ? ["tokenKeyFile" as const] : []])],
      needRestart: [...new Set([...needRestart, ...files])],
    };
  }

  async shutdown(): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    this.#hub.directory.mark("end", "draining");
    this.#log.info("server.drain", { seconds: this.#config.drain });
    await this.#hub.drain(this.#config.drain);
    await this.end(0);
  }

  /** Ends everything at once. */
  async end(code: number): Promise<void> {
    this.#ending = true;
    this.#timers.forEach(clearInterval);
    this.#stopWatching();
    this.#feed.close();
    for (const { worker } of this.#edges.values()) await worker.terminate();
    await this.#hub.close();
    release(this.#claims);
    this.#finish(code);
  }

  #startFirst(slot: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const { number } = this.#spawn(slot, FIRST_RESTART);
      this.#starting.set(number, (failure) => {
        this.#starting.delete(number);
        if (failure === undefined) return resolve();
        reject(failure.includes("AddrInUse") ? new Deno.errors.AddrInUse(failure) : new GongError("internal", failure));
      });
    });
  }

  #spawn(slot: number, restartAfter: number): EdgeProcess {
    const number = ++this.#started;
    const workerData: WorkerData = {
      config: this.#config,
      number,
      slot,
      port: this.#claims.clients.port,
      adminPort: this.#claims.admin?.port,
      busName: this.#busName,
      last: this.#hub.join(number),
      secret: this.#secret,
      seal: this.#seal,
      tls: this.#tls,
      tokenKeys: this.#tokenKeys,
      terminal: this.#terminal,
    };
    const worker = this.#createWorker(workerData);
    const edge = { number, slot, worker, restartAfter };
    this.#edges.set(number, edge);
    this.#hub.attach(number, worker as Port);
    worker.on("error", (error: unknown) => this.#log.error("edge.error", { edge: number, error: String(error) }));
    worker.on("exit", (code: number) => this.#lose(edge, code));
    return edge;
  }

  #ready(number: number): void {
    const edge = this.#edges.get(number);
    if (edge) edge.restartAfter = FIRST_RESTART;
    if (this.#pressure > 0) this.#hub.directory.tell(number, "pressure", true);
    this.#log.info("edge.ready", { edge: number });
    this.#starting.get(number)?.();
  }

  /** The edge's isolate is gone, and its sessions with it: another takes its place. */
  #lose(edge: EdgeProcess, code: number): void {
    const { number } = edge;
    if (!this.#edges.delete(number)) return;
    const sessions = this.#hub.detach(number);
    if (this.#ending) return;
    this.#metrics.count("gong_edge_restarts_total");
    this.#metrics.count("gong_sessions_closed_total", { reason: "edge" }, sessions);
    this.#log.error("edge.lost", { edge: number, code, sessions });
    this.#starting.get(number)?.(`edge ${number} exited with ${code}`);
    setTimeout(() => {
      if (!this.#ending) this.#spawn(edge.slot, Math.min(edge.restartAfter * 2, 1000));
    }, edge.restartAfter);
  }

  /** Ends an edge whose sockets will not go: only the end of its isolate frees them. */
  async #replace(number: number, bytes: number): Promise<void> {
    const edge = this.#edges.get(number);
    if (!edge || this.#ending) return;
    this.#log.warning("edge.exhausted", { edge: number, bytes });
    await this.#hub.directory.vacate(number, REPLACE_DRAIN);
    await edge.worker.terminate();
  }

  #beat(mayJudge: boolean): void {
    this.#hub.directory.beat();
    for (const [edge, silence] of mayJudge ? this.#hub.directory.silences() : []) {
      if (silence < this.#config.hang * 1000) continue;
      this.#log.error("edge.hangs", { edge, seconds: Math.round(silence / 1000) });
      // Such a worker cannot be ended, only the process can.
      this.#finish(70);
      return;
    }
    this.#watchMemory();
  }

  /** Over the watermark new sessions are refused; a second look later the largest outboxes go. */
  #watchMemory(): void {
    const over = residentBytes() - this.#config.memory;
    const { directory } = this.#hub;
    if (over <= 0 && this.#pressure > 0) directory.tellAll("pressure", false);
    if (over > 0 && this.#pressure === 0) directory.tellAll("pressure", true);
    if (over > 0 && this.#pressure > 0) directory.tellAll("shed", over / Math.max(1, this.#edges.size));
    if (over > 0 !== this.#pressure > 0) this.#log.warning("memory.watermark", { over: over > 0 });
    this.#pressure = over > 0 ? this.#pressure + 1 : 0;
    directory.mark("memory", over > 0 ? "over the memory watermark" : undefined);
  }

  #measure(): void {
    measureProcess(this.#metrics);
    this.#metrics.gauge("gong_edges", {}, this.#edges.size);
    this.#metrics.gauge("gong_ready", {}, this.#hub.directory.readiness().ready ? 1 : 0);
  }
}
