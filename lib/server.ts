/**
 * The composition root of an edge: what a request meets, in which order.
 *
 * @module
 */
import { createAddresses } from "./address.ts";
import { createAdmin } from "./admin.ts";
import { createApi } from "./api.ts";
import type { Auth } from "./auth.ts";
import type { Config } from "./config.ts";
import { findHttpDoor, type HttpHandler, METHODS, type Peer, push, type Speech, STOMP_PATH } from "./doors/mod.ts";
import { createSocketIo, SOCKET_IO_PATH } from "./doors/socketio/server.ts";
import { StompDoors } from "./doors/stomp.ts";
import type { Edge } from "./edge.ts";
import { EngineFault, toRefusal } from "./engineio/answers.ts";
import { GongError } from "./errors.ts";
import type { Logger } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import { requestUrl } from "./auth/origins.ts";
import { allowOrigin } from "./http/cors.ts";
import { createPages } from "./pages.ts";
import { plainProblem, problem } from "./http/problem.ts";
import { TokenBuckets } from "./rates.ts";
import type { HubClient } from "./types.ts";

/** What the handlers of an edge are made of. */
export interface ServerOptions {
  readonly config: Config;
  readonly edge: Edge;
  readonly hub: HubClient;
  readonly auth: Auth;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** A secret of all edges, which outlives them. */
  readonly seal: Uint8Array;
}

/** The peer, as `Deno.serve` tells it. */
interface Info {
  readonly remoteAddr: Deno.Addr;
  readonly completed: Promise<void>;
}

/**
 * Which address a request came to: where there is only one, that has everything; else what is for operators and back-ends is
 * at the admin's alone, which has the doors too, as its page needs one.
 */
export type Listening = "only" | "clients" | "admin";

/** Addresses whose rate is remembered. */
const MAX_ADDRESSES = 10_000;
/** What a balancer or a supervisor asks: it has to get its answer in a flood too. */
const UNLIMITED: ReadonlySet<string> = new Set(["/health", "/ready"]);

/** The handler that `Deno.serve` calls for every request. It never throws. */
export function createHandler(
  options: ServerOptions,
): (request: Request, info: Info, listening?: Listening) => Promise<Response> {
  const { config, auth, log, metrics } = options;
  const addresses = createAddresses(config.trustedProxies);
  // What the configuration names comes last, so that it wins.
  const plain = config.path.map((path): [string, Speech] => [trim(path), "plain"]);
  const paths = new Map<string, Speech>([[STOMP_PATH, "stomp"], ...plain]);
  const stomp = new StompDoors(config);
  const api = createApi(options);
  const admin = createAdmin(options);
  const pages = createPages({ config });
  const doors = { ...options, refused: note, openStomp: stomp.open.bind(stomp) };
  const socketIo = createSocketIo({ ...options, refused: note });

  const rate = config.requestRate;
  const buckets = new TokenBuckets({ rate, burst: rate * 2, capacity: MAX_ADDRESSES });

  /** Whether the address has had its share. A request whose target cannot be read counts too. */
  function isFlood(target: URL | GongError, address: string): boolean {
    return !(target instanceof URL && UNLIMITED.has(target.pathname)) && !buckets.take(address);
  }

  function refuseFlood(request: Request, target: URL | GongError, address: string): Response {
    const error = new GongError("rate_limited", undefined, { retryAfter: buckets.retryAfter(address) });
    metrics.count("gong_refused_total", { reason: error.code });
    // At info the log would be flooded too.
    log.debug("request.flood", { address, code: error.code, status: error.status });
    const isUrl = target instanceof URL;
    const isSocketIo = isUrl && trim(target.pathname) === SOCKET_IO_PATH;
    if (request.headers.has("upgrade") && !isSocketIo) return plainProblem(error);
    // Its page has to be able to read when to come back.
    const origin = isUrl ? auth.allowedOrigin(request, target) : undefined;
    return allowOrigin(request, isSocketIo ? toRefusal(error) : problem(error), origin);
  }

  async function route(request: Request, url: URL, address: string, listening: Listening): Promise<Response> {
    auth.checkHost(request, url);
    if (listening === "clients" && isForOperators(url.pathname)) throw nothingHere();
    const answer = await api(request, url, address);
    if (answer) return allowOrigin(request, answer, auth.allowedOrigin(request, url));
    const response = await admin(request, url, address) ?? await pages(request, url);
    // What a client may do it has to be able to find out from wherever it may do it.
    if (response && url.pathname === "/session") {
      return allowOrigin(request, response, auth.allowedOrigin(request, url));
    }
    if (response) return response;
    throw nothingHere();
  }

  /** A door over plain HTTP: its pages may be of other origins, and what it refuses they may read too. */
  async function visit(handler: HttpHandler, request: Request, url: URL, peer: Peer): Promise<Response> {
    const origin = auth.allowedOrigin(request, url);
    try {
      return allowOrigin(request, await handler(request, url, peer, options), origin);
    } catch (caught) {
      const error = GongError.from(caught);
      note(error, peer.address, trim(url.pathname));
      return allowOrigin(request, problem(error, { allow: METHODS }), origin);
    }
  }

  /** Notes a refusal. Of a URL only the path is told, and only a door's: a query may have a key in it. */
  function note(error: GongError, address: string, door: string | undefined): void {
    const { code, status } = error;
    metrics.count("gong_refused_total", { reason: code });
    if (code === "internal") log.error("request.fault", { address, error: describe(error.cause) });
    else if (door !== undefined) log.info("handshake.refused", { door, address, code, status, ...reasonOf(error) });
    else log.info("request.refused", { address, code, status });
  }

  return async (request, info, listening = "only") => {
    const { remoteAddr } = info;
    const remote = remoteAddr.transport === "tcp" ? remoteAddr.hostname : "";
    const address = addresses.of(remote, request.headers);
    const target = readTarget(request);
    if (isFlood(target, address)) return refuseFlood(request, target, address);
    let door: string | undefined;
    try {
      if (target instanceof GongError) throw target;
      const path = trim(target.pathname);
      const speech = paths.get(path);
      if (speech !== undefined) {
        door = path;
        // Nothing is awaited before a handshake is answered: see `Edge.checkRoom`.
        return push(request, target, { address, path, speech }, doors);
      }
      if (path === SOCKET_IO_PATH) {
        return await socketIo.handle(request, target, { address, completed: () => info.completed });
      }
      const httpDoor = findHttpDoor(path);
      return httpDoor
        ? await visit(httpDoor, request, target, { address, completed: () => info.completed })
        : await route(request, target, address, listening);
    } catch (caught) {
      const error = GongError.from(caught);
      note(error, address, door);
      return plainProblem(error);
    }
  };
}

/** Whether the path has what moves to `adminListen`. Who asks whether a server lives has no business with its figures. */
function isForOperators(path: string): boolean {
  return ["/admin", "/api", "/metrics"].some((own) => path === own || path.startsWith(`${own}/`));
}

function nothingHere(): GongError {
  return new GongError("not_found", "There is nothing at this path.");
}

/** One of five texts, by which a client of an older version is told from one that has come too late. */
function reasonOf(error: GongError): { readonly reason?: string } {
  return error instanceof EngineFault ? { reason: error.message } : {};
}

/** The URL of the request, or why it has none. */
function readTarget(request: Request): URL | GongError {
  try {
    return requestUrl(request);
  } catch (error) {
    return GongError.from(error);
  }
}

/** A trailing slash is the same path. */
function trim(path: string): string {
  return path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
}

function describe(cause: unknown): string {
  return cause instanceof Error ? cause.stack ?? cause.message : String(cause);
}
