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
import { userChannel } from "../../lib/reserved.ts";
import { problem } from "../../lib/http/problem.ts";
import type { Glimpse, SessionInfo, Trace } from "../../lib/types.ts";

/** What the stage shows and what was done on it. */
export interface Stage extends AsyncDisposable {
  readonly url: string;
  /** The figures that the feed and `/api/stats` give next. */
  stats: Record<string, unknown>;
  recent: Glimpse[];
  sessions: SessionInfo[];
  /** Users who are connected, as `/api/users` has them. */
  users: { user: string; info?: unknown; sessions: string[]; count: number }[];
  /** Who hears each channel that has presence, as `/api/presence` has them. */
  readonly present: Map<string, { session: string; user?: string; info?: unknown; since: number }[]>;
  /** As `/api/schedules` has them. */
  schedules: Record<string, unknown>[];
  /** Orders about users, sessions and schedules: method, path, and body if there is one. */
  readonly orders: unknown[][];
  /** What the next order is refused with. */
  refusal: GongError | undefined;
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
    users: [],
    present: new Map(),
    schedules: [],
    orders: [],
    refusal: undefined,
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
      if (body.users) {
        return Response.json({
          positions: [{ channel: `$user/${body.users[0]}`, epoch: "k3f9", offset }],
          reached: stage.users.find(({ user }) => user === body.users[0])?.count ?? 0,
        });
      }
      return Response.json({ positions: channels.map((channel) => ({ channel, epoch: "k3f9", offset })) });
    }
    if (url.pathname === "/api/sessions") {
      const { items, ...rest } = pageOf(stage.sessions, ({ id }) => id, url.searchParams);
      return Response.json({ sessions: items, ...rest }, { headers: { n: String(++stage.pages) } });
    }
    const crowd = await users(request, url) ?? await schedules(request, url);
    if (crowd !== undefined) return crowd;
    if (publication !== undefined) return trace(decodeURIComponent(publication));
    if (id === undefined) return undefined;
    const found = stage.sessions.find((session) => session.id === decodeURIComponent(id));
    if (found === undefined) throw new GongError("not_found");
    if (request.method !== "DELETE") return Response.json(found);
    stage.closed.push(found.id);
    stage.sessions = stage.sessions.filter((session) => session !== found);
    return new Response(null, { status: 204 });
  }

  async function users(request: Request, url: URL): Promise<Response | undefined> {
    const query = url.searchParams;
    const user = /^\/api\/users\/(.+)$/.exec(url.pathname)?.[1];
    if (/^\/api\/(disconnect|unsubscribe)$/.test(url.pathname)) {
      const body = await order(request, url);
      if (url.pathname === "/api/unsubscribe") {
        stage.present.set(body.channel, stage.present.get(body.channel)!.filter((one) => one.session !== body.session));
      } else stage.users = stage.users.filter((one) => one.user !== body.user);
      return Response.json({ count: 1 });
    }
    if (url.pathname === "/api/users") {
      const found = stage.users.filter((one) => one.user.startsWith(query.get("prefix") ?? ""));
      const { items, ...rest } = pageOf(found, (one) => one.user, query);
      return Response.json({ users: items, ...rest });
    }
    if (user !== undefined) {
      const found = stage.users.find((one) => one.user === decodeURIComponent(user));
      if (found === undefined) throw new GongError("not_found");
      return Response.json({ ...found, sessions: stage.sessions.filter((one) => one.user === found.user) });
    }
    if (url.pathname !== "/api/presence") return undefined;
    if (!query.has("channel")) return Response.json({ connections: 7, sessions: 5, users: stage.users.length });
    const present = stage.present.get(query.get("channel")!);
    if (present === undefined) throw new GongError("forbidden", "No rule has presence for this channel.");
    const { items, total, next } = pageOf(present, (one) => one.session, query);
    return Response.json({
      channel: query.get("channel"),
      count: total,
      users: new Set(present.flatMap(({ user }) => user ?? [])).size,
      present: items,
      next,
    });
  }

  async function schedules(request: Request, url: URL): Promise<Response | undefined> {
    const name = /^\/api\/schedules(?:\/(.+))?$/.exec(url.pathname);
    if (name === null) return undefined;
    const id = name[1] && decodeURIComponent(name[1]);
    const found = stage.schedules.find((one) => one.id === id);
    if (request.method === "GET" && id === undefined) {
      const { items, ...rest } = pageOf(stage.schedules, (one) => String(one.id), url.searchParams);
      return Response.json({ schedules: items, ...rest });
    }
    if (request.method !== "PUT" && id !== undefined && found === undefined) throw new GongError("not_found");
    if (request.method === "GET") return Response.json(found);
    const body = await order(request, url);
    stage.schedules = stage.schedules.filter((one) => one !== found);
    if (request.method === "DELETE") return new Response(null, { status: 204 });
    const { users = [], channels = users.map(userChannel), ...rest } = body;
    const at = rest.at === undefined ? {} : { at: new Date(rest.at).getTime() };
    const schedule = { id, creator: "dev", channels, created: 0, next: Date.now() + 60_000, ...rest, ...at };
    stage.schedules.push(schedule);
    return Response.json(schedule, { status: found ? 200 : 201 });
  }

  async function order(request: Request, url: URL) {
    const body = await request.json();
    stage.orders.push([request.method, url.pathname, body]);
    const { refusal } = stage;
    stage.refusal = undefined;
    if (refusal !== undefined) throw refusal;
    return body;
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

function pageOf<T>(all: readonly T[], keyOf: (item: T) => string, query: URLSearchParams) {
  const limit = Number(query.get("limit"));
  const after = query.get("after");
  const first = after === null ? 0 : all.findIndex((item) => keyOf(item) > after);
  const items = first < 0 ? [] : all.slice(first, first + limit);
  const last = items.at(-1);
  return {
    items,
    total: all.length,
    ...(last !== undefined && first + limit < all.length ? { next: keyOf(last) } : {}),
  };
}
