/**
 * Logging in and out of the admin page, and what a page may find out about its own rights.
 *
 * @module
 */
import type { Auth, Grant } from "./auth.ts";
import { readBody } from "./http/body.ts";
import type { Config } from "./config.ts";
import { GongError } from "./errors.ts";
import { isChannelName } from "./globs.ts";
import { Fields, parseJsonBytes } from "./json.ts";
import type { Logger } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import { problem } from "./http/problem.ts";
import type { HubClient } from "./types.ts";

/** What {@linkcode createAdmin} needs. */
export interface AdminOptions {
  readonly config: Pick<Config, "dev" | "maxMessage" | "maxSubscriptions" | "bodyTimeout">;
  readonly auth: Auth;
  readonly hub: Pick<HubClient, "revoke">;
  /** Gets an entry for each login, failed login and logout. */
  readonly log: Logger;
  /** Counts refusals. */
  readonly metrics: Pick<Metrics, "count">;
}

/** Answers a request, or leaves a path that is not its own to others. */
export type AdminHandler = (request: Request, url: URL, address: string) => Promise<Response | undefined>;

/** A key has at most a few hundred bytes. */
const MAX_BODY = 4096;

type Route = (request: Request, url: URL, address: string) => Response | Promise<Response>;

/**
 * `POST /admin/login`, `POST /admin/logout`, `GET /admin/session` and `GET /session?channel=NAME`, as the wire has them;
 * refusals are `application/problem+json`.
 *
 * What changes something needs JSON, which no form of a foreign page can send, and an `Origin` that is our own: neither
 * none nor one of `allowOrigin`.
 */
export function createAdmin({ config, auth, hub, log, metrics }: AdminOptions): AdminHandler {
  /** The body of a request for a change. */
  async function readChange(request: Request, url: URL): Promise<Fields> {
    auth.checkOrigin(request, url);
    if (!auth.isOwn(request, url)) {
      throw new GongError("forbidden", "Only the server's own pages may do this.", { field: "Origin" });
    }
    const type = request.headers.get("content-type")?.split(";", 1)[0]?.trim().toLowerCase();
    if (type !== "application/json") {
      throw new GongError("unsupported_type", "The body has to be `application/json`.", { field: "Content-Type" });
    }
    return new Fields(parseJsonBytes(await readBody(request, { limit: MAX_BODY, timeout: config.bodyTimeout })));
  }

  async function login(request: Request, url: URL, address: string): Promise<Response> {
    const body = await readChange(request, url);
    body.only(["key"]);
    const key = body.string("key");
    if (key === undefined) throw body.error("key", "`key` is missing.");
    try {
      const { cookie, grant } = auth.login(key, address);
      log.info("admin.login", { name: grant.name, address });
      return nothing({ "set-cookie": cookie });
    } catch (error) {
      log.warning("admin.login_failed", { code: GongError.from(error).code, address });
      throw error;
    }
  }

  async function logout(request: Request, url: URL, address: string): Promise<Response> {
    (await readChange(request, url)).only([]);
    const grant = await auth.identify(request, url, address);
    const cookie = auth.logout(grant);
    if (grant?.login !== undefined) {
      hub.revoke(grant.login);
      log.info("admin.logout", { name: grant.name, address });
    }
    return nothing({ "set-cookie": cookie });
  }

  async function session(request: Request, url: URL, address: string): Promise<Response> {
    const grant = await auth.identify(request, url, address);
    if (grant === undefined && !config.dev) throw new GongError("unauthorized", "Nobody is logged in.");
    const { name, scopes } = config.dev ? { name: grant?.name ?? "dev", scopes: ["admin"] } : grant!;
    return json({ name, scopes, dev: config.dev });
  }

  /** A browser is not told why its WebSocket was refused, so its page asks here. */
  async function rights(request: Request, url: URL, address: string): Promise<Response> {
    const channels = url.searchParams.getAll("channel");
    if (channels.length === 0) channels.push("broadcast");
    if (channels.length > config.maxSubscriptions) {
      throw new GongError("bad_request", `At most ${config.maxSubscriptions} channels are taken.`, {
        field: "channel",
      });
    }
    const wrong = channels.find((name) => !isChannelName(name));
    if (wrong !== undefined) {
      throw new GongError("bad_request", `${JSON.stringify(wrong)} is not a channel name.`, { field: "channel" });
    }
    const grant = await auth.identify(request, url, address);
    const unheard = channels.find((name) => !auth.may(grant, "subscribe", name));
    const publish = auth.may(grant, "publish", channels[0]!);
    const reason = unheard !== undefined
      ? describe(grant, "Listening", "listen", unheard)
      : publish
      ? undefined
      : describe(grant, "Publishing", "publish", channels[0]!);
    return json({ subscribe: unheard === undefined, publish, reason, maxMessage: config.maxMessage });
  }

  const routes: ReadonlyMap<string, { readonly methods: readonly string[]; readonly route: Route }> = new Map([
    ["/admin/login", { methods: ["POST"], route: login }],
    ["/admin/logout", { methods: ["POST"], route: logout }],
    ["/admin/session", { methods: ["GET", "HEAD"], route: session }],
    ["/session", { methods: ["GET", "HEAD"], route: rights }],
  ]);

  return async (request, url, address) => {
    const found = routes.get(url.pathname);
    if (found === undefined) return undefined;
    try {
      if (!found.methods.includes(request.method)) throw new GongError("method_not_allowed");
      return await found.route(request, url, address);
    } catch (thrown) {
      const error = GongError.from(thrown);
      metrics.count("gong_refused_total", { reason: error.code });
      if (error.code === "internal") log.error("admin.failed", { path: url.pathname, error: thrown });
      return problem(error, { allow: found.methods });
    }
  };
}

function describe(grant: Grant | undefined, acting: string, act: string, channel: string): string {
  return grant === undefined ? `${acting} to ${channel} needs a login.` : `${grant.name} may not ${act} to ${channel}.`;
}

function json(value: unknown): Response {
  return Response.json(value, { headers: { "cache-control": "no-store", "x-content-type-options": "nosniff" } });
}

function nothing(headers: Record<string, string>): Response {
  return new Response(null, { status: 204, headers: { ...headers, "cache-control": "no-store" } });
}
