import { assert, assertEquals, assertMatch } from "@std/assert";
import { createAdmin } from "../lib/admin.ts";
import { createAuth } from "../lib/auth.ts";
import { createTokens } from "../lib/auth/tokens.ts";
import { type Config, defaultConfig } from "../lib/config.ts";
import type { Fields, Logger } from "../lib/log.ts";
import { Metrics } from "../lib/metrics.ts";

const KEY = "correct-horse-battery";
const READER = "reader-reader-reader";
const ADDRESS = "192.0.2.7";
const OWN = "http://localhost:8998";

/** The handler with real auth, and what it logged, revoked and counted. */
function setup(overrides: Partial<Config> = {}) {
  const config = defaultConfig({ apiKey: [`ops:admin:${KEY}`, `graph:stats:${READER}`], ...overrides });
  const failures: string[] = [];
  const logged: [event: string, fields: Fields][] = [];
  const revoked: string[] = [];
  const note = (event: string, fields: Fields = {}) => void logged.push([event, fields]);
  const log: Logger = { debug: note, info: note, warning: note, error: note, with: () => log };
  const secret = crypto.getRandomValues(new Uint8Array(32));
  const tokens = createTokens(config, { keys: [] });
  const auth = createAuth(config, { secret, tokens, onFailure: (address) => failures.push(address) });
  const metrics = new Metrics({ isolate: "0" });
  const admin = createAdmin({ config, auth, hub: { revoke: (login) => revoked.push(login) }, log, metrics });

  async function ask(method: string, path: string, init: RequestInit & { headers?: Record<string, string> } = {}) {
    const url = new URL(path, OWN);
    const headers = { host: url.host, ...init.headers };
    const response = await admin(new Request(url, { ...init, method, headers }), url, ADDRESS);
    assert(response !== undefined, `${path} is not answered`);
    return response;
  }

  /** What a page of ours sends. */
  function post(path: string, body: unknown, headers: Record<string, string> = {}) {
    const own = { "content-type": "application/json", origin: OWN };
    return ask("POST", path, {
      body: typeof body === "string" ? body : JSON.stringify(body),
      headers: { ...own, ...headers },
    });
  }

  async function login(key = KEY): Promise<string> {
    const response = await post("/admin/login", { key });
    assertEquals(response.status, 204);
    return response.headers.get("set-cookie")!.split(";")[0]!;
  }

  return { admin, auth, ask, post, login, logged, revoked, failures, metrics };
}

Deno.test("createAdmin() leaves other paths to others", async () => {
  const { admin } = setup();
  for (const path of ["/", "/admin", "/admin/", "/admin/login/", "/admin/other", "/session/", "/sessions"]) {
    const url = new URL(path, OWN);
    assertEquals(await admin(new Request(url), url, ADDRESS), undefined, path);
  }
});

Deno.test("POST /admin/login answers a right key with a cookie that is not the key", async () => {
  const { post, ask, logged } = setup();
  const response = await post("/admin/login", { key: KEY });
  assertEquals([response.status, response.headers.get("cache-control")], [204, "no-store"]);
  const cookie = response.headers.get("set-cookie")!;
  assertMatch(cookie, /^gong=[\w.-]+; /);
  for (const part of ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age="]) assert(cookie.includes(part), cookie);
  assert(!cookie.includes(KEY));
  assertEquals(logged, [["admin.login", { name: "ops", address: ADDRESS }]]);

  const session = await ask("GET", "/admin/session", { headers: { cookie: cookie.split(";")[0]! } });
  assertEquals(await session.json(), { name: "ops", scopes: ["admin"], dev: false });
});

Deno.test("POST /admin/login answers a wrong key with 401, says so in the log, and never what it was", async () => {
  const { post, logged, failures, metrics } = setup();
  const response = await post("/admin/login", { key: "wrong-wrong-wrong-wrong" });
  assertEquals(response.status, 401);
  assertEquals(response.headers.get("content-type"), "application/problem+json");
  assertEquals(response.headers.get("set-cookie"), null);
  assertEquals((await response.json()).code, "unauthorized");
  assertEquals(failures, [ADDRESS]);
  assertEquals(logged, [["admin.login_failed", { code: "unauthorized", address: ADDRESS }]]);
  const refused = metrics.samples().filter(({ name }) => name === "gong_refused_total");
  assertEquals(refused.map(({ labels, value }) => [labels.reason, value]), [["unauthorized", 1]]);
});

Deno.test("POST /admin/login answers a blocked address with 429, the right key too", async () => {
  const { post, auth, logged } = setup();
  auth.block(ADDRESS, Date.now() + 30_000);
  const response = await post("/admin/login", { key: KEY });
  assertEquals(response.status, 429);
  const wait = Number(response.headers.get("retry-after"));
  assert(wait > 25 && wait <= 30, `${wait}`);
  assertEquals((await response.json()).code, "rate_limited");
  assertEquals(logged.map(([event]) => event), ["admin.login_failed"]);
});

Deno.test("POST /admin/login takes only a small JSON object with a key", async () => {
  const { post, login, logged } = setup();
  const table: [body: unknown, headers: Record<string, string>, status: number, field?: string][] = [
    [{}, {}, 400, "/key"],
    [{ key: 7 }, {}, 400, "/key"],
    [{ key: KEY, more: 1 }, {}, 400, "/more"],
    [[], {}, 400, ""],
    ["{", {}, 400],
    ["", {}, 400],
    [{ key: KEY }, { "content-type": "text/plain" }, 415, "Content-Type"],
    [{ key: KEY }, { "content-type": "application/x-www-form-urlencoded" }, 415, "Content-Type"],
    [{ key: KEY }, { "content-encoding": "gzip" }, 415, "Content-Encoding"],
    [{ key: "x".repeat(4096) }, {}, 413],
  ];
  for (const [body, headers, status, field] of table) {
    const response = await post("/admin/login", body, headers);
    assertEquals(response.status, status, JSON.stringify([body, headers]).slice(0, 80));
    assertEquals((await response.json()).field, field);
  }
  assertEquals(logged, []);
  await login();
});

Deno.test("POST /admin/login gives up on a body that comes too slowly", async () => {
  const { ask } = setup({ bodyTimeout: 1 });
  const body = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode('{"key":')) });
  const response = await ask("POST", "/admin/login", {
    body,
    headers: { "content-type": "application/json", origin: OWN },
  });
  assertEquals(response.status, 408);
  await response.body?.cancel();
});

Deno.test("POST /admin/login and /admin/logout take nothing that a foreign page could send", async () => {
  const { ask, login, revoked } = setup({ allowOrigin: ["https://app.example.com"] });
  const cookie = await login();
  for (const path of ["/admin/login", "/admin/logout"]) {
    const body = path === "/admin/login" ? JSON.stringify({ key: KEY }) : "{}";
    for (const origin of [undefined, "null", "https://evil.example", "https://app.example.com", "http://localhost:1"]) {
      const headers = { "content-type": "application/json", cookie, ...(origin === undefined ? {} : { origin }) };
      const response = await ask("POST", path, { body, headers });
      assertEquals(response.status, 403, `${path} from ${origin}`);
      assertEquals([response.headers.get("set-cookie"), (await response.json()).field], [null, "Origin"]);
    }
  }
  assertEquals(revoked, []);
  assertEquals((await ask("GET", "/admin/session", { headers: { cookie } })).status, 200);
});

Deno.test("POST /admin/logout ends the login here and everywhere", async () => {
  const { ask, post, login, revoked, logged } = setup();
  const cookie = await login();
  const other = await login();
  const response = await post("/admin/logout", {}, { cookie });
  assertEquals(response.status, 204);
  assertMatch(response.headers.get("set-cookie")!, /^gong=; .*Max-Age=0/);
  assertEquals(revoked.length, 1);
  assertEquals(logged.at(-1), ["admin.logout", { name: "ops", address: ADDRESS }]);
  assertEquals((await ask("GET", "/admin/session", { headers: { cookie } })).status, 401);
  assertEquals((await ask("GET", "/admin/session", { headers: { cookie: other } })).status, 200);

  const again = await post("/admin/logout", {}, { cookie });
  assertEquals([again.status, revoked.length], [204, 1]);
});

Deno.test("GET /admin/session tells scopes, and 401 when nobody is logged in", async () => {
  const { ask, login } = setup();
  const cookie = await login(READER);
  const session = await ask("GET", "/admin/session", { headers: { cookie } });
  assertEquals(await session.json(), { name: "graph", scopes: ["stats"], dev: false });
  assertEquals(session.headers.get("cache-control"), "no-store");
  for (const headers of [{}, { cookie: "gong=forged" }, { cookie: `${cookie}x` }]) {
    const refused = await ask("GET", "/admin/session", { headers });
    assertEquals([refused.status, (await refused.json()).code], [401, "unauthorized"], JSON.stringify(headers));
  }
});

Deno.test("GET /admin/session says that with --dev everybody is admin", async () => {
  const { ask } = setup({ dev: true, apiKey: [] });
  assertEquals(await (await ask("GET", "/admin/session")).json(), { name: "dev", scopes: ["admin"], dev: true });
  const foreign = await ask("GET", "/admin/session", { headers: { origin: "https://evil.example" } });
  assertEquals(foreign.status, 403);
  await foreign.body?.cancel();
});

Deno.test("createAdmin() refuses other methods with 405 and Allow", async () => {
  const { ask } = setup();
  const table = {
    "/admin/login": "POST",
    "/admin/logout": "POST",
    "/admin/session": "GET, HEAD",
    "/session": "GET, HEAD",
  };
  for (const [path, allow] of Object.entries(table)) {
    for (const method of ["GET", "POST", "DELETE", "PUT"].filter((method) => !allow.includes(method))) {
      const response = await ask(method, path);
      assertEquals([response.status, response.headers.get("allow")], [405, allow], `${method} ${path}`);
      await response.body?.cancel();
    }
  }
});

Deno.test("GET /session tells what a client may do, before its WebSocket is refused", async () => {
  const { ask, login } = setup({ allowPublish: ["wall"], publicChannels: ["broadcast", "wall", "news:*"] });
  const cookie = await login();
  const reader = await login(READER);
  const nobody = (query: string) => ask("GET", `/session${query}`);
  const table: [query: string, cookie: string | undefined, subscribe: boolean, publish: boolean, reason?: string][] = [
    ["", undefined, true, false, "Publishing to broadcast needs a login."],
    ["?channel=wall", undefined, true, true],
    ["?channel=secret", undefined, false, false, "Listening to secret needs a login."],
    ["?channel=wall&channel=secret", undefined, false, true, "Listening to secret needs a login."],
    ["?channel=news:a&channel=wall", undefined, true, false, "Publishing to news:a needs a login."],
    ["?channel=$admin", undefined, false, false, "Listening to $admin needs a login."],
    ["?channel=secret", cookie, true, true],
    ["?channel=$admin", cookie, true, false, "ops may not publish to $admin."],
    ["?channel=broadcast", reader, true, false, "graph may not publish to broadcast."],
    ["?channel=secret", reader, false, false, "graph may not listen to secret."],
  ];
  for (const [query, cookie, subscribe, publish, reason] of table) {
    const response = cookie === undefined
      ? await nobody(query)
      : await ask("GET", `/session${query}`, { headers: { cookie } });
    const expected = { subscribe, publish, ...(reason === undefined ? {} : { reason }), maxMessage: 65_536 };
    assertEquals(await response.json(), expected, query);
  }
});

Deno.test("GET /session refuses what no handshake would take", async () => {
  const { ask } = setup({ maxSubscriptions: 2 });
  for (const query of ["?channel=", "?channel=a%20b", "?channel=%3Cb%3E", "?channel=a&channel=b&channel=c"]) {
    const response = await ask("GET", `/session${query}`);
    assertEquals(response.status, 400, query);
    assertEquals((await response.json()).field, "channel");
  }
});
