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
import { push } from "./doors/mod.ts";
import type { Edge } from "./edge.ts";
import { GongError } from "./errors.ts";
import type { Logger } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import { requestUrl } from "./origins.ts";
import { createPages } from "./pages.ts";
import { plainProblem } from "./problem.ts";
import type { HubClient } from "./types.ts";

/** What the handlers of an edge are made of. */
export interface ServerOptions {
  readonly config: Config;
  readonly edge: Edge;
  readonly hub: HubClient;
  readonly auth: Auth;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** The peer, as `Deno.serve` tells it. */
interface Info {
  readonly remoteAddr: Deno.Addr;
}

/** The handler that `Deno.serve` calls for every request. It never throws. */
export function createHandler(options: ServerOptions): (request: Request, info: Info) => Promise<Response> {
  const { config, auth, log, metrics } = options;
  const addresses = createAddresses(config.trustedProxies);
  const paths = new Set(config.path.map(trim));
  const api = createApi(options);
  const admin = createAdmin(options);
  const pages = createPages({ config });

  async function route(request: Request, url: URL, address: string): Promise<Response> {
    if (paths.has(trim(url.pathname))) return await push(request, url, address, options);
    auth.checkHost(request, url);
    const response = await api(request, url, address) ?? await admin(request, url, address) ??
      await pages(request, url);
    if (response) return response;
    throw new GongError("not_found", "There is nothing at this path.");
  }

  return async (request, { remoteAddr }) => {
    const remote = remoteAddr.transport === "tcp" ? remoteAddr.hostname : "";
    const address = addresses.of(remote, request.headers);
    try {
      return await route(request, requestUrl(request), address);
    } catch (caught) {
      const error = GongError.from(caught);
      metrics.count("gong_refused_total", { reason: error.code });
      if (error.code === "internal") log.error("request.fault", { address, error: describe(error.cause) });
      else log.info("request.refused", { address, code: error.code, status: error.status });
      return plainProblem(error);
    }
  };
}

/** A trailing slash is the same path. */
function trim(path: string): string {
  return path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
}

function describe(cause: unknown): string {
  return cause instanceof Error ? cause.stack ?? cause.message : String(cause);
}
