import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { CLIENT, KEYS, sessionInfo, setUp } from "./support/api.ts";

/** Every path with what it needs and what it has. */
const PATHS = [
  { path: "/api/publish", allow: "POST, OPTIONS" },
  { path: "/api/sessions", allow: "GET, HEAD, OPTIONS" },
  { path: "/api/sessions/0-a", allow: "GET, DELETE, HEAD, OPTIONS" },
  { path: "/api/history?channel=a", allow: "GET, HEAD, OPTIONS" },
  { path: "/api/publications/order-7", allow: "GET, HEAD, OPTIONS" },
  { path: "/api/recent", allow: "GET, HEAD, OPTIONS" },
  { path: "/api/stats", allow: "GET, HEAD, OPTIONS" },
  { path: "/metrics", allow: "GET, HEAD, OPTIONS" },
  { path: "/health", allow: "GET, HEAD, OPTIONS" },
  { path: "/ready", allow: "GET, HEAD, OPTIONS" },
];

Deno.test("createApi() leaves paths that are not its own to others", async () => {
  const { api } = setUp();
  for (const path of ["/", "/api", "/apis/publish", "/health/", "/metrics/x", "/ready2", "/push", "/admin/login"]) {
    const url = new URL(path, "http://localhost");
    assertEquals(await api(new Request(url), url, CLIENT), undefined, path);
  }
});

Deno.test("createApi() answers 404 for every other path under /api/", async () => {
  const { send } = setUp();
  for (
    const path of [
      "/api/",
      "/api/publish/",
      "/api/Publish",
      "/api//publish",
      "/api/sessions/",
      "/api/sessions/a/b",
      "/api/publications/",
      "/api/publications/a/b",
      "/api/publications",
    ]
  ) {
    const response = await send("GET", path, { key: KEYS.admin });
    assertEquals([response.status, (await response.json()).code], [404, "not_found"], path);
  }
});

Deno.test("createApi() answers OPTIONS and refuses other methods with what there is", async () => {
  const { send } = setUp();
  for (const { path, allow } of PATHS) {
    const options = await send("OPTIONS", path);
    assertEquals([options.status, options.headers.get("allow"), options.body], [204, allow, null], path);
    for (const method of ["PUT", "PATCH", "constructor", allow.includes("POST") ? "GET" : "POST"]) {
      const refused = await send(method, path, { key: KEYS.admin });
      assertEquals([refused.status, refused.headers.get("allow")], [405, allow], `${method} ${path}`);
    }
  }
});

Deno.test("createApi() asks each path for its scope", async () => {
  const { send, hub } = setUp();
  hub.sessions = [sessionInfo("0-a")];
  hub.traces.set("order-7", []);
  const status = async (method: string, path: string, key?: string) =>
    (await send(method, path, key === undefined ? {} : { key })).status;
  for (const path of ["/api/sessions", "/api/sessions/0-a"]) {
    const found = await Promise.all(
      [undefined, KEYS.publish, KEYS.stats, KEYS.admin].map((k) => status("GET", path, k)),
    );
    assertEquals(found, [401, 403, 403, 200], path);
  }
  for (const path of ["/api/recent", "/api/stats", "/api/publications/order-7", "/metrics"]) {
    const found = await Promise.all(
      [undefined, KEYS.publish, KEYS.stats, KEYS.admin].map((k) => status("GET", path, k)),
    );
    assertEquals(found, [401, 403, 200, 200], path);
  }
  for (const path of ["/health", "/ready"]) assertEquals(await status("GET", path), 200);
  const missing = await send("GET", "/api/stats");
  assertMatch(missing.headers.get("www-authenticate")!, /^Bearer/);
  const wrong = await send("GET", "/api/stats", { key: "not-a-key" });
  assertEquals((await wrong.json()).detail, "The key is not valid.");
  assertEquals((await send("GET", "/api/stats", { headers: { authorization: `Bearer ${KEYS.stats}` } })).status, 200);
});

Deno.test("createApi() needs no key with dev, and still a host name and an origin of its own", async () => {
  const { send, hub } = setUp({ dev: true, apiKey: [] });
  assertEquals((await send("GET", "/api/sessions")).status, 200);
  assertEquals((await send("POST", "/api/publish", { body: { channel: "news", data: 1 } })).status, 200);
  assertEquals((await send("POST", "/api/publish", { body: { sessions: "all", data: 1 } })).status, 200);
  assertEquals(hub.published.length, 1);
  const rebound = await send("GET", "/api/sessions", { headers: { host: "evil.example" } });
  assertEquals(rebound.status, 421);
  const foreign = await send("POST", "/api/publish", {
    body: { channel: "news", data: 1 },
    headers: { origin: "https://evil.example" },
  });
  assertEquals([foreign.status, hub.published.length], [403, 1]);
});

Deno.test("createApi() lets a login cookie change things only from a page of its own", async () => {
  const { auth, send, hub } = setUp();
  hub.sessions = [sessionInfo("0-a")];
  const cookie = auth.login(KEYS.admin, CLIENT).cookie.split(";")[0]!;
  const change = async (headers: Record<string, string>) =>
    (await send("POST", "/api/publish", { body: { channel: "news", data: 1 }, headers: { cookie, ...headers } }))
      .status;
  assertEquals(await change({}), 401);
  assertEquals(await change({ origin: "https://evil.example" }), 403);
  assertEquals(await change({ origin: "null" }), 403);
  assertEquals(hub.published.length, 0);
  assertEquals(await change({ origin: "http://localhost" }), 200);
  assertEquals((await send("DELETE", "/api/sessions/0-a", { headers: { cookie } })).status, 401);
  assertEquals((await send("GET", "/api/sessions", { headers: { cookie } })).status, 200);
});

Deno.test("createApi() checks origin, method, rate, key, type and body in this order", async () => {
  const { send, refused } = setUp({ apiRate: 1, maxMessage: 1024 }, { now: () => 0 });
  const bad = { body: "{", headers: { origin: "https://evil.example", "content-type": "text/plain" } };
  const address = (name: string) => ({ ...bad, address: name });
  const codeOf = async (method: string, options: Parameters<typeof send>[2]) =>
    (await (await send(method, "/api/publish", options)).json()).code;

  assertEquals(await codeOf("PUT", address("a")), "forbidden");
  const own = { "content-type": "text/plain" };
  assertEquals(await codeOf("PUT", { ...bad, headers: own }), "method_not_allowed");
  assertEquals(await codeOf("POST", { ...bad, headers: own, address: "b" }), "unauthorized");
  assertEquals(await codeOf("POST", { ...bad, headers: own, address: "b", key: "wrong" }), "unauthorized");
  assertEquals(await codeOf("POST", { ...bad, headers: own, address: "b", key: KEYS.publish }), "rate_limited");
  assertEquals(await codeOf("POST", { ...bad, headers: own, address: "c", key: KEYS.publish }), "unsupported_type");
  assertEquals(await codeOf("POST", { body: "{", address: "c", key: KEYS.publish }), "bad_request");
  assertEquals(refused(), {
    forbidden: 1,
    method_not_allowed: 1,
    unauthorized: 2,
    rate_limited: 1,
    unsupported_type: 1,
    bad_request: 1,
  });
});

Deno.test("createApi() limits the rate of an address, but not of health and readiness", async () => {
  let now = 0;
  const { send } = setUp({ apiRate: 2 }, { now: () => now });
  const status = async (address: string) => (await send("GET", "/api/stats", { key: KEYS.stats, address })).status;
  assertEquals(await Promise.all(["a", "a", "a", "a", "a"].map(status)), [200, 200, 200, 200, 429]);
  assertEquals(await status("b"), 200);
  const limited = await send("GET", "/api/stats", { key: KEYS.stats, address: "a" });
  assertEquals([limited.status, limited.headers.get("retry-after")], [429, "1"]);
  for (let times = 0; times < 20; times++) assertEquals((await send("GET", "/ready", { address: "a" })).status, 200);
  now = 500;
  assertEquals(await status("a"), 200);
});

Deno.test("createApi() gives every answer the headers that keep it from being kept or guessed", async () => {
  const { send } = setUp();
  for (const { path } of PATHS) {
    for (const method of ["GET", "OPTIONS", "PUT"]) {
      const { headers } = await send(method, path, { key: KEYS.admin });
      const found = [headers.get("cache-control"), headers.get("x-content-type-options")];
      assertEquals(found, ["no-store", "nosniff"], `${method} ${path}`);
    }
  }
});

Deno.test("GET /api/sessions pages through all of them", async () => {
  const { send, hub } = setUp();
  hub.sessions = Array.from({ length: 5 }, (_, index) => sessionInfo(`0-${index}`));
  const ids: string[] = [];
  let next: string | undefined = "";
  while (next !== undefined) {
    const after: string = next === "" ? "" : `&after=${next}`;
    const page = await (await send("GET", `/api/sessions?limit=2${after}`, { key: KEYS.admin })).json();
    assertEquals(page.total, 5);
    ids.push(...page.sessions.map(({ id }: { id: string }) => id));
    next = page.next;
  }
  assertEquals(ids, ["0-0", "0-1", "0-2", "0-3", "0-4"]);
});

Deno.test("GET /api/sessions names a parameter that is wrong", async () => {
  const { send } = setUp();
  const cases = {
    "limit=0": "limit",
    "limit=501": "limit",
    "limit=1.5": "limit",
    "limit=1e2": "limit",
    "limit=": "limit",
    "limit=-1": "limit",
    "limit=1&limit=2": "limit",
    "after=%00": "after",
    "after=": "after",
    "page=2": "page",
  };
  for (const [query, field] of Object.entries(cases)) {
    const response = await send("GET", `/api/sessions?${query}`, { key: KEYS.admin });
    assertEquals([response.status, (await response.json()).field], [400, field], query);
  }
});

Deno.test("/api/sessions/ID shows and closes one session", async () => {
  const { send, hub, entries } = setUp();
  hub.sessions = [sessionInfo("0-a")];
  const shown = await send("GET", "/api/sessions/0-a", { key: KEYS.admin });
  assertEquals(await shown.json(), sessionInfo("0-a"));
  for (const id of ["0-b", "%2e%2e", "a".repeat(200), "%zz"]) {
    assertEquals((await send("GET", `/api/sessions/${id}`, { key: KEYS.admin })).status, 404, id);
    assertEquals((await send("DELETE", `/api/sessions/${id}`, { key: KEYS.admin })).status, 404, id);
  }
  assertEquals((await send("DELETE", "/api/sessions/0-a", { key: KEYS.publish })).status, 403);
  assertEquals(hub.closed, []);
  const closed = await send("DELETE", "/api/sessions/0-a", { key: KEYS.admin });
  assertEquals([closed.status, closed.body], [204, null]);
  assertEquals(hub.closed, [{ id: "0-a", code: 4403, reason: "Closed by the operator." }]);
  assertEquals(entries.filter(({ event }) => event === "api.session_closed"), [{
    level: "info",
    event: "api.session_closed",
    fields: { session: "0-a", name: "boss", address: CLIENT },
  }]);
});

Deno.test("GET /api/recent answers with what the hub remembers", async () => {
  const { send, hub } = setUp();
  hub.glimpses = Array.from({ length: 2 }, (_, index) => {
    return { channel: "news", offset: 2 - index, time: 1, contentType: "text/plain", bytes: 1, preview: "a" };
  });
  const { publications } = await (await send("GET", "/api/recent", { key: KEYS.stats })).json();
  assertEquals(publications, hub.glimpses);
});

Deno.test("GET /api/recent shows what users are told to admins only", async () => {
  const { send, hub } = setUp();
  const told = { channel: "$user/42", offset: 1, time: 1, contentType: "text/plain", bytes: 6, preview: "secret" };
  hub.glimpses = [told];
  const shown = async (key: string) => (await (await send("GET", "/api/recent", { key })).json()).publications;
  assertEquals(await shown(KEYS.stats), [{ ...told, preview: "" }]);
  assertEquals(await shown(KEYS.admin), [told]);
});

Deno.test("GET /api/stats and GET /metrics show the same figures", async () => {
  const { send, hub } = setUp();
  hub.metrics.count("gong_published_total", {}, 5);
  hub.metrics.counter("process_cpu_seconds_total").value = 1.25;
  hub.metrics.gauge("process_resident_memory_bytes", {}, 4096);
  const stats = await (await send("GET", "/api/stats", { key: KEYS.stats })).json();
  assertEquals([stats.gong_published_total, stats.cpuSeconds, stats.residentBytes], [5, 1.25, 4096]);
  const metrics = await send("GET", "/metrics", { key: KEYS.stats });
  assertEquals(metrics.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  assertStringIncludes(await metrics.text(), "\ngong_published_total 5\n");
});

Deno.test("GET /ready says why it is not, also when the hub fails, and asks it once for all who wait", async () => {
  const { send, hub } = setUp();
  assertEquals(await (await send("GET", "/health")).json(), { status: "ok" });
  assertEquals(await (await send("GET", "/ready")).json(), { ready: true, reasons: [] });

  const slow = Promise.withResolvers<{ ready: boolean; reasons: string[] }>();
  let asked = 0;
  hub.readiness = () => {
    asked++;
    return slow.promise;
  };
  const waiting = Array.from({ length: 10 }, () => send("GET", "/ready"));
  slow.resolve({ ready: false, reasons: ["draining"] });
  for (const response of await Promise.all(waiting)) {
    assertEquals([response.status, await response.json()], [503, { ready: false, reasons: ["draining"] }]);
  }
  assertEquals(asked, 1);

  hub.readiness = () => Promise.reject(new Error("gone"));
  const failed = await send("GET", "/ready");
  assertEquals([failed.status, (await failed.json()).reasons], [503, ["the hub does not answer"]]);
});

Deno.test("createApi() answers 500 without a word of the cause, and logs it", async () => {
  const { send, hub, entries } = setUp();
  hub.samples = () => Promise.reject(new Error("secret detail"));
  const response = await send("GET", "/api/stats", { key: KEYS.stats });
  const text = await response.text();
  assertEquals(response.status, 500);
  assert(!text.includes("secret"), text);
  const [entry] = entries.filter(({ level }) => level === "error");
  assertEquals([entry?.event, String(entry?.fields.error)], ["api.failed", "Error: secret detail"]);
});
