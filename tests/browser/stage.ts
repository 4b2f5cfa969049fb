/**
 * The pages as they are, with logins as they are, before an API and doors that the test plays: for what a real server
 * cannot be brought to do quickly, such as ten thousand connections or a hostile address.
 *
 * @module
 */
import { createAdmin } from "../../lib/admin.ts";
import { createTokens } from "../../lib/auth/tokens.ts";
import { createAuth } from "../../lib/auth.ts";
import { type Config, defaultConfig } from "../../lib/config.ts";
import { GongError } from "../../lib/errors.ts";
import { createLogger } from "../../lib/log.ts";
import { Metrics } from "../../lib/metrics.ts";
import { createPages } from "../../lib/pages.ts";
import { problem } from "../../lib/http/problem.ts";
import type { Glimpse, SessionInfo, Trace } from "../../lib/types.ts";

/** What the stage shows and what was done on it. */
export interface Stage extends AsyncDisposable {
  readonly url: string;
  /** The figures that the feed and `/api/stats` give next. */
  stats: Record<string, unknown>;
  recent: Glimpse[];
  sessions: SessionInfo[];
  /** Bodies of `POST /api/publish`. */
  readonly published: Record<string, unknown>[];
  /** What is noted of publications, by their ids. */
  readonly traces: Map<string, readonly Trace[]>;
  /** Ids that were looked up. */
  readonly looked: string[];
  /** Ids of closed sessions. */
  readonly closed: string[];
  /** Requests for a page of sessions. */
  pages: number;
  /** Closes every WebSocket. */
  hangUp(code: number, reason: string): void;
}

/** Answers on a free port of the loopback until it is disposed of. */
export function openStage(overrides: Partial<Config> = {}): Stage {
  const config = defaultConfig({ dev: true, ...overrides });
  const secret = crypto.getRandomValues(new Uint8Array(32));
  const auth = createAuth(config, { secret, tokens: createTokens(config, { keys: [] }) });
  const pages = createPages({ config });
  const metrics = new Metrics({ isolate: "0" });
  const admin = createAdmin({ config, auth, hub: { revoke: auth.revoke }, log: createLogger("admin"), metrics });
  const feeds = new Set<WebSocket>();
  const stage: Omit<Stage, "url" | typeof Symbol.asyncDispose> = {
    stats: {},
    recent: [],
    sessions: [],
    published: [],
    traces: new Map(),
    looked: [],
    closed: [],
    pages: 0,
    hangUp(code, reason) {
      for (const socket of feeds) socket.close(code, reason);
    },
  };

  /** The JSON door, with the one channel that the stage has. */
  function push(request: Request): Response {
    auth.identify(request, new URL(request.url), "127.0.0.1");
    const { socket, response } = Deno.upgradeWebSocket(request);
    feeds.add(socket);
    socket.onopen = () => socket.send(JSON.stringify({ type: "welcome", session: "own", version: "0" }));
    socket.onmessage = ({ data }) => {
      const { id, subscribe } = JSON.parse(data);
      const told = { epoch: "e", offset: 0, recovered: true };
      socket.send(JSON.stringify({ id, ok: subscribe ? told : {} }));
      if (!subscribe) return;
      socket.send(JSON.stringify({ type: "subscribed", channel: subscribe.channel, ...told }));
      if (subscribe.channel === "$admin") feed(socket);
    };
    socket.onclose = () => feeds.delete(socket);
    return response;
  }

  function feed(socket: WebSocket): void {
    let offset = 0;
    const tick = () => {
      if (socket.readyState !== WebSocket.OPEN) return clearInterval(timer);
      const data = { stats: { time: Date.now(), ...stage.stats }, recent: stage.recent };
      socket.send(JSON.stringify({ channel: "$admin", epoch: "e", offset: ++offset, time: Date.now(), data }));
    };
    const timer = setInterval(tick, 1000);
    tick();
  }

  async function api(request: Request, url: URL): Promise<Response | undefined> {
    const id = /^\/api\/sessions\/(.+)$/.exec(url.pathname)?.[1];
    const publication = /^\/api\/publications\/(.+)$/.exec(url.pathname)?.[1];
    if (url.pathname.startsWith("/api/")) auth.require(await auth.identify(request, url, "127.0.0.1"), "admin");
    if (url.pathname === "/api/stats") return Response.json({ time: Date.now(), ...stage.stats });
    if (url.pathname === "/api/recent") return Response.json({ publications: stage.recent });
    if (url.pathname === "/ready") {
      return Response.json({ ready: false, reasons: ["edge 2 is silent"] }, { status: 503 });
    }
    if (url.pathname === "/api/publish") {
      const body = await request.json();
      if (body.channel === "no") throw new GongError("forbidden", "This is <b>not</b> allowed.", { field: "/channel" });
      const channels: string[] = body.channels ?? [body.channel];
      const offset = stage.published.push(body);
      return Response.json({ positions: channels.map((channel) => ({ channel, epoch: "k3f9", offset })) });
    }
    if (url.pathname === "/api/sessions") {
      return Response.json(pageOf(stage.sessions, url.searchParams), { headers: { n: String(++stage.pages) } });
    }
    if (publication !== undefined) return trace(decodeURIComponent(publication));
    if (id === undefined) return undefined;
    const found = stage.sessions.find((session) => session.id === decodeURIComponent(id));
    if (found === undefined) throw new GongError("not_found");
    if (request.method !== "DELETE") return Response.json(found);
    stage.closed.push(found.id);
    stage.sessions = stage.sessions.filter((session) => session !== found);
    return new Response(null, { status: 204 });
  }

  function trace(id: string): Response {
    stage.looked.push(id);
    const publications = stage.traces.get(id);
    if (publications === undefined) throw new GongError("not_found");
    return Response.json({ id, publications });
  }

  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const url = new URL(request.url);
    try {
      if (request.headers.has("upgrade")) return push(request);
      return await pages(request, url) ?? await admin(request, url, "127.0.0.1") ?? await api(request, url) ??
        problem(new GongError("not_found"));
    } catch (error) {
      return problem(GongError.from(error));
    }
  });

  return Object.assign(stage, {
    url: `http://127.0.0.1:${server.addr.port}`,
    async [Symbol.asyncDispose]() {
      stage.hangUp(1001, "over");
      await server.shutdown();
    },
  });
}

function pageOf(sessions: readonly SessionInfo[], query: URLSearchParams) {
  const limit = Number(query.get("limit"));
  const after = query.get("after");
  const first = after === null ? 0 : sessions.findIndex(({ id }) => id > after);
  const page = first < 0 ? [] : sessions.slice(first, first + limit);
  const last = page.at(-1)?.id;
  return {
    sessions: page,
    total: sessions.length,
    ...(last !== undefined && first + limit < sessions.length ? { next: last } : {}),
  };
}
