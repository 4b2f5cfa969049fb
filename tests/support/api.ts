/**
 * The HTTP API over a hub that is a few arrays.
 *
 * @module
 */
import { type Api, type ApiOptions, createApi } from "../../lib/api.ts";
import { createTokens } from "../../lib/auth/tokens.ts";
import { type Auth, createAuth } from "../../lib/auth.ts";
import { type Config, defaultConfig } from "../../lib/config.ts";
import type { Fields, Logger } from "../../lib/log.ts";
import { Metrics } from "../../lib/metrics.ts";
import type {
  Draft,
  Glimpse,
  History,
  HubClient,
  PageLimit,
  PageRequest,
  Position,
  PublishResult,
  PutOptions,
  Readiness,
  Refusal,
  Schedule,
  ScheduleOrder,
  SessionInfo,
  Start,
  Trace,
} from "../../lib/types.ts";

/** Where requests without another address come from. */
export const CLIENT = "192.0.2.7";

/** Keys of {@linkcode setUp}, by what they are for. */
export const KEYS = {
  admin: "key-of-the-administrator",
  publish: "key-of-the-publisher",
  stats: "key-of-the-statistician",
} as const;

/** A hub of arrays: numbers what it is given, and keeps every call. */
export class ArrayHub implements HubClient {
  readonly published: Draft[] = [];
  readonly calls: { readonly drafts: readonly Draft[] }[] = [];
  readonly signals: { readonly sessions: readonly string[] | "all"; readonly data: unknown }[] = [];
  readonly closed: { readonly id: string; readonly code: number; readonly reason: string }[] = [];
  /** A channel that is named here refuses everything. */
  readonly refusals = new Map<string, Refusal>();
  /** To a channel that is named here, everything has been published already, there. */
  readonly repeats = new Map<string, Position>();
  sessions: SessionInfo[] = [];
  glimpses: Glimpse[] = [];
  /** What is read of a channel, whatever is asked for. */
  readonly histories = new Map<string, History>();
  readonly reads: { readonly channel: string; readonly start: Start; readonly limit: PageLimit }[] = [];
  readonly traces = new Map<string, readonly Trace[]>();
  readonly schedules = new Map<string, Schedule>();
  readonly puts: PutOptions[] = [];
  ready: Promise<Readiness> = Promise.resolve({ ready: true, reasons: [] });
  readonly metrics = new Metrics({ isolate: "hub" });
  readonly #tops = new Map<string, number>();

  publish(drafts: readonly Draft[]): Promise<PublishResult[]> {
    this.calls.push({ drafts });
    return Promise.resolve(drafts.map((draft) => {
      const error = this.refusals.get(draft.channel);
      if (error) return { error };
      const first = this.repeats.get(draft.channel);
      if (first) return { ...first, repeated: true };
      const offset = (this.#tops.get(draft.channel) ?? 0) + 1;
      this.#tops.set(draft.channel, offset);
      this.published.push(draft);
      return { epoch: `e-${draft.channel}`, offset };
    }));
  }

  signal(sessions: readonly string[] | "all", { data }: { data: unknown }): Promise<number> {
    this.signals.push({ sessions, data });
    const ids = this.sessions.map(({ id }) => id);
    return Promise.resolve(sessions === "all" ? ids.length : sessions.filter((id) => ids.includes(id)).length);
  }

  reach(users: readonly string[]) {
    return Promise.resolve(this.sessions.filter(({ user }) => user !== undefined && users.includes(user)).length);
  }

  listSessions({ limit, after }: { limit: number; after?: string }) {
    const rest = this.sessions.filter(({ id }) => after === undefined || id > after);
    const sessions = rest.slice(0, limit);
    const page = { sessions, total: this.sessions.length };
    return Promise.resolve(rest.length > limit ? { ...page, next: sessions.at(-1)!.id } : page);
  }

  getSession(id: string) {
    return Promise.resolve(this.sessions.find((session) => session.id === id));
  }

  closeSession(id: string, code: number, reason: string) {
    const found = this.sessions.some((session) => session.id === id);
    if (found) this.closed.push({ id, code, reason });
    return Promise.resolve(found);
  }

  samples() {
    return Promise.resolve(this.metrics.samples());
  }

  readiness() {
    return this.ready;
  }

  recent() {
    return Promise.resolve(this.glimpses);
  }

  history(channel: string, start: Start, limit: PageLimit) {
    this.reads.push({ channel, start, limit });
    const top = { epoch: `e-${channel}`, offset: this.#tops.get(channel) ?? 0 };
    return Promise.resolve(this.histories.get(channel) ?? { top, publications: [], recovered: true });
  }

  publication(id: string) {
    return Promise.resolve(this.traces.get(id));
  }

  readonly presence = unasked;
  readonly totals = unasked;
  readonly users = unasked;
  readonly user = unasked;
  readonly disconnect = unasked;
  readonly subscribeSessions = unasked;
  readonly unsubscribeSessions = unasked;

  listSchedules({ limit, after = "", creator }: PageRequest & { creator?: string }) {
    const all = [...this.schedules.values()].filter((one) => creator === undefined || one.creator === creator);
    const rest = all.filter(({ id }) => id > after);
    const page = { schedules: rest.slice(0, limit), total: all.length };
    return Promise.resolve(rest.length > limit ? { ...page, next: rest[limit - 1]!.id } : page);
  }

  getSchedule(id: string) {
    return Promise.resolve(this.schedules.get(id));
  }

  putSchedule(order: ScheduleOrder, options: PutOptions) {
    const created = !this.schedules.has(order.id);
    const schedule = { ...order, created: 1, next: 2 };
    this.schedules.set(order.id, schedule);
    this.puts.push(options);
    return Promise.resolve({ schedule, created });
  }

  cancelSchedule(id: string, owner?: string) {
    const known = this.schedules.get(id);
    return Promise.resolve((owner === undefined || known?.creator === owner) && this.schedules.delete(id));
  }

  failedAuth() {}

  revoke() {}
}

function unasked(): Promise<never> {
  return Promise.reject(new Error("no test asks this"));
}

/** A session of that id. */
export function sessionInfo(id: string): SessionInfo {
  const rest = { door: "plain", address: CLIENT, userAgent: "test", channels: ["news"], since: 1 };
  return { id, ...rest, pending: 0, delivered: 2, edge: 0 };
}

/** An event of the log. */
export interface Entry {
  readonly level: string;
  readonly event: string;
  readonly fields: Fields;
}

/** A logger that keeps what it is told. */
export function createRecorder(): { log: Logger; entries: Entry[] } {
  const entries: Entry[] = [];
  const level = (level: string) => (event: string, fields: Fields = {}) => void entries.push({ level, event, fields });
  const log: Logger = {
    debug: level("debug"),
    info: level("info"),
    warning: level("warning"),
    error: level("error"),
    with: () => log,
  };
  return { log, entries };
}

/** An API with everything it is made of. */
export interface ApiFixture {
  readonly api: Api;
  readonly auth: Auth;
  readonly hub: ArrayHub;
  readonly entries: readonly Entry[];
  readonly metrics: Metrics;
  /** Sends a request to the API; the body is JSON unless it is a string. */
  send(method: string, path: string, options?: SendOptions): Promise<Response>;
  /** `POST /api/publish` with the key that may publish. */
  publish(body: unknown, options?: SendOptions): Promise<Response>;
  /** Refusals counted so far, by code. */
  refused(): Record<string, number>;
}

/** What a request has beside method and path. */
export interface SendOptions {
  readonly key?: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly address?: string;
}

/** The API with three keys, and some settings of its own. */
export function setUp(overrides: Partial<Config> = {}, options: Partial<ApiOptions> = {}): ApiFixture {
  const apiKey = [`boss:admin:${KEYS.admin}`, `shop:publish:${KEYS.publish}`, `eye:stats:${KEYS.stats}`];
  const config = defaultConfig({ apiKey, allowHost: ["localhost"], ...overrides });
  const tokens = createTokens(config, { keys: [] });
  const auth = createAuth(config, { secret: new Uint8Array(32).fill(7), tokens, onFailure: () => {} });
  const hub = new ArrayHub();
  const metrics = new Metrics({ isolate: "0" });
  const { log, entries } = createRecorder();
  const api = createApi({ config, hub, auth, log, metrics, ...options });
  async function send(method: string, path: string, { key, body, headers, address = CLIENT }: SendOptions = {}) {
    const url = new URL(path, "http://localhost");
    const request = new Request(url, {
      method,
      headers: {
        host: url.host,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(key === undefined ? {} : { "x-api-key": key }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const response = await api(request, url, address);
    if (response === undefined) throw new Error(`${path} is not of the API`);
    return response;
  }
  function refused(): Record<string, number> {
    const own = metrics.samples().filter(({ name }) => name === "gong_refused_total");
    return Object.fromEntries(own.map(({ labels, value }) => [labels.reason, value]));
  }
  const publish: ApiFixture["publish"] = (body, more) => {
    return send("POST", "/api/publish", { key: KEYS.publish, body, ...more });
  };
  return { api, auth, hub, entries, metrics, send, publish, refused };
}
