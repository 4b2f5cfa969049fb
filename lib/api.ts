/**
 * The HTTP API: which path does what, and what a request has to pass before it does.
 *
 * @module
 */
import type { Grant } from "./auth.ts";
import { type Action, type ApiOptions, bodyLimit, HEADERS, type Resource } from "./api/call.ts";
import { history } from "./api/history.ts";
import { disconnect, subscribe, unsubscribe } from "./api/orders.ts";
import { createPresence } from "./api/presence.ts";
import { publish } from "./api/publish.ts";
import { cancelSchedule, getSchedule, listSchedules, makeSchedule, replaceSchedule } from "./api/schedules.ts";
import { closeSession, getSession, listSessions } from "./api/sessions.ts";
import { createReady, health, metrics, recent, stats } from "./api/state.ts";
import { trace } from "./api/trace.ts";
import { getUser, listUsers } from "./api/users.ts";
import { ByteBudget } from "./http/body.ts";
import { GongError } from "./errors.ts";
import { problem } from "./http/problem.ts";
import { TokenBuckets } from "./rates.ts";

export type { ApiOptions } from "./api/call.ts";

/** Answers a request; undefined when the path is not one of the API. It never throws. */
export type Api = (request: Request, url: URL, address: string) => Promise<Response | undefined>;

/** Addresses whose rate is remembered. */
const MAX_ADDRESSES = 10_000;
/** What all bodies that are being read may hold: so many bytes, or four of the largest. */
const BODIES = 64 * 2 ** 20;
const SESSIONS = "/api/sessions/";
const PUBLICATIONS = "/api/publications/";
const USERS = "/api/users/";
const SCHEDULES = "/api/schedules/";
/** Folders whose paths have one name more. */
const FOLDERS: readonly string[] = [SESSIONS, PUBLICATIONS, SCHEDULES];

/**
 * The API of one edge: `/api/...`, `/metrics`, `/health` and `/ready`, as PROTOCOL.md has them.
 *
 * The order of the checks: host and origin, method, rate of the address, key, type of the body, body.
 */
export function createApi(options: ApiOptions): Api {
  const { config, auth, log, metrics: figures, hub, now } = options;
  const rate = { rate: config.apiRate, burst: config.apiRate * 2, capacity: MAX_ADDRESSES };
  const buckets = new TokenBuckets(now === undefined ? rate : { ...rate, now });
  const budget = new ByteBudget(Math.max(BODIES, bodyLimit(config.maxMessage) * 4));
  const resources: ReadonlyMap<string, Resource> = new Map<string, Resource>([
    ["/api/publish", { POST: publish }],
    ["/api/sessions", { GET: listSessions }],
    [SESSIONS, { GET: getSession, DELETE: closeSession }],
    ["/api/disconnect", { POST: disconnect }],
    ["/api/subscribe", { POST: subscribe }],
    ["/api/unsubscribe", { POST: unsubscribe }],
    ["/api/presence", { GET: createPresence(config) }],
    ["/api/users", { GET: listUsers }],
    [USERS, { GET: getUser }],
    ["/api/schedules", { GET: listSchedules, POST: makeSchedule }],
    [SCHEDULES, { GET: getSchedule, PUT: replaceSchedule, DELETE: cancelSchedule }],
    ["/api/history", { GET: history }],
    [PUBLICATIONS, { GET: trace }],
    ["/api/recent", { GET: recent }],
    ["/api/stats", { GET: stats }],
    ["/metrics", { GET: metrics }],
    ["/health", { GET: health }],
    ["/ready", { GET: createReady(hub) }],
  ]);

  /** Lets the request in, and runs it. */
  async function perform(action: Action, request: Request, url: URL, address: string): Promise<Response> {
    if (action.scope === "none") {
      return await action.run({ options, request, url, address, grant: undefined, budget });
    }
    if (!buckets.take(address)) {
      throw new GongError("rate_limited", undefined, { retryAfter: buckets.retryAfter(address) });
    }
    const grant = await auth.identify(request, url, address);
    checkScope(action, grant);
    return await action.run({ options, request, url, address, grant, budget });
  }

  function checkScope({ scope, orChannel }: Action, grant: Grant | undefined): void {
    if (scope === "none" || scope === "channel" || orChannel && (auth.isOpen || grant?.user !== undefined)) return;
    if (orChannel && grant === undefined && !auth.has(grant, scope)) {
      throw new GongError("unauthorized", "This needs a key or a token.");
    }
    auth.require(grant, scope);
  }

  async function answer(resource: Resource | undefined, request: Request, url: URL, address: string) {
    if (request.headers.has("origin")) auth.checkOrigin(request, url);
    else auth.checkHost(request, url);
    if (resource === undefined) throw new GongError("not_found", "There is nothing at this path.");
    if (request.method === "OPTIONS") {
      return new Response(null, { status: 204, headers: { ...HEADERS, allow: methodsOf(resource).join(", ") } });
    }
    // Deno leaves the body out of an answer to HEAD.
    const action = resource[(request.method === "HEAD" ? "GET" : request.method) as keyof Resource];
    if (action === undefined || !methodsOf(resource).includes(request.method)) {
      throw new GongError("method_not_allowed");
    }
    return await perform(action, request, url, address);
  }

  return async (request, url, address) => {
    const resource = find(resources, url.pathname);
    if (resource === undefined && !url.pathname.startsWith("/api/")) return undefined;
    try {
      return await answer(resource, request, url, address);
    } catch (thrown) {
      const error = GongError.from(thrown);
      const { code, cause } = error;
      figures.count("gong_refused_total", { reason: code });
      const fields = { path: url.pathname, method: request.method, address, code };
      if (code === "internal") log.error("api.failed", { ...fields, error: cause });
      else if (code === "unauthorized" || code === "forbidden") log.info("api.refused", fields);
      else log.debug("api.refused", fields);
      return problem(error, resource === undefined ? {} : { allow: methodsOf(resource) });
    }
  };
}

/** One name may follow some paths, and has to. */
function find(resources: ReadonlyMap<string, Resource>, path: string): Resource | undefined {
  // Ids of users may have slashes.
  if (path.startsWith(USERS) && path.length > USERS.length) return resources.get(USERS);
  const end = path.lastIndexOf("/") + 1;
  const folder = path.slice(0, end);
  if (!FOLDERS.includes(folder)) return resources.get(path);
  return end < path.length ? resources.get(folder) : undefined;
}

function methodsOf(resource: Resource): string[] {
  const own = Object.keys(resource);
  return [...own, ...(own.includes("GET") ? ["HEAD"] : []), "OPTIONS"];
}
