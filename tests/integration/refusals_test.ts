/**
 * Every refusal of an HTTP request and of a handshake, byte for byte over a socket: one table a server.
 *
 * @module
 */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type Gong, type GongOptions, startGong } from "../support/gong.ts";
import { openWebSocket, rawRequest, type RawResponse } from "../support/raw.ts";
import { get, handshake, post, request } from "../support/requests.ts";

/** One line: what is sent, and what has to come back. */
interface Row {
  title: string;
  send: string;
  status: number;
  /** Has to be in the body. Of a problem, `code` and `field` are checked by {@linkcode PROBLEM}. */
  body?: string;
  code?: string;
  field?: string;
  headers?: Record<string, RegExp>;
}

const ADMIN = "admin-secret-0123456789";
const STATS = "stats-secret-0123456789";
const PUBLISH = "publish-secret-0123456789";
const OTHER = "no-such-secret-0123456789";
const KEYS = { GONG_API_KEY: `a:admin:${ADMIN},s:stats:${STATS},p:publish:${PUBLISH}` };

const TEXT = { "content-type": /^text\/plain/ };
const PROBLEM = { "content-type": /^application\/problem\+json/ };
const RETRY = { "retry-after": /^[1-9]\d*$/ };

const HANDSHAKES: Row[] = [
  {
    title: "no Upgrade header: 400 as text that says what was expected",
    send: get("/push"),
    status: 400,
    headers: TEXT,
    body: "WebSocket",
  },
  { title: "no Upgrade header, and POST", send: post("/push", "{}"), status: 400, headers: TEXT, body: "WebSocket" },
  { title: "no Upgrade header, JSON door", send: get("/push?format=json"), status: 400, headers: TEXT },
  { title: "Upgrade to something else", send: handshake("/push", { Upgrade: "h2c" }), status: 400, headers: TEXT },
  {
    title: "a handshake by POST",
    send: handshake("/push", {}, "POST"),
    status: 405,
    headers: { ...TEXT, allow: /^GET$/ },
  },
  { title: "no Connection header", send: handshake("/push", { Connection: "" }), status: 400, headers: TEXT },
  {
    title: "Connection without upgrade",
    send: handshake("/push", { Connection: "keep-alive" }),
    status: 400,
    headers: TEXT,
  },
  {
    title: "no key",
    send: handshake("/push", { "Sec-WebSocket-Key": "" }),
    status: 400,
    headers: TEXT,
    body: "Sec-WebSocket-Key",
  },
  {
    title: "a key of 15 bytes",
    send: handshake("/push", { "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAA" }),
    status: 400,
    body: "Sec-WebSocket-Key",
  },
  {
    title: "a key that is not base64",
    send: handshake("/push", { "Sec-WebSocket-Key": "!!!!!!!!!!!!!!!!!!!!!!==" }),
    status: 400,
    body: "Sec-WebSocket-Key",
  },
  ...["", "8", "12", "013", "13, 8", "thirteen"].map((version): Row => ({
    title: `WebSocket version "${version}"`,
    send: handshake("/push", { "Sec-WebSocket-Version": version }),
    status: 426,
    headers: { ...TEXT, "sec-websocket-version": /^13$/ },
  })),
  { title: "an unknown path", send: get("/nothing"), status: 404 },
  { title: "a handshake on an unknown path", send: handshake("/nothing"), status: 404 },
  { title: "a path below the door", send: handshake("/push/more"), status: 404 },
  {
    title: "a foreign origin",
    send: handshake("/push", { Origin: "https://evil.example" }),
    status: 403,
    headers: TEXT,
    body: "origin",
  },
  {
    title: "a foreign origin that begins like ours",
    send: handshake("/push", { Origin: "http://127.0.0.1.evil.example" }),
    status: 403,
  },
  {
    title: "another port of our host",
    send: handshake("/push", { Host: "127.0.0.1:8000", Origin: "http://127.0.0.1:9000" }),
    status: 403,
  },
  { title: "Origin: null", send: handshake("/push", { Origin: "null" }), status: 403, headers: TEXT },
  {
    title: "a host name that is not ours",
    send: handshake("/push", { Host: "rebound.example", Origin: "http://rebound.example" }),
    status: 421,
    headers: TEXT,
  },
  { title: "a malformed Host", send: handshake("/push", { Host: "a/admin?" }), status: 400 },
  { title: "a malformed channel", send: handshake("/push?channel=a%20b"), status: 400, headers: TEXT, body: "channel" },
  { title: "an empty channel", send: handshake("/push?channel="), status: 400, body: "channel" },
  { title: "a channel of 129 characters", send: handshake(`/push?channel=${"x".repeat(129)}`), status: 400 },
  { title: "an unknown format", send: handshake("/push?format=xml"), status: 400, headers: TEXT, body: "format" },
  { title: "echo that is neither true nor false", send: handshake("/push?echo=2"), status: 400, body: "echo" },
];

const BAD_BODIES: Row[] = [
  { title: "a body that is not JSON", send: post("/api/publish", "{oops"), status: 400, code: "bad_request" },
  { title: "no body", send: post("/api/publish", ""), status: 400, code: "bad_request" },
  { title: "JSON that is no object", send: post("/api/publish", "[1]"), status: 400, code: "bad_request" },
  { title: "no channel", send: post("/api/publish", '{"data":1}'), status: 400, field: "channel" },
  { title: "no data", send: post("/api/publish", '{"channel":"a"}'), status: 400, field: "data" },
  {
    title: "a malformed channel",
    send: post("/api/publish", '{"channel":"a b","data":1}'),
    status: 400,
    field: "channel",
  },
  {
    title: "a channel that is a number",
    send: post("/api/publish", '{"channel":1,"data":1}'),
    status: 400,
    field: "channel",
  },
  {
    title: "a malformed one among several channels",
    send: post("/api/publish", '{"channels":["a",""],"data":1}'),
    status: 400,
    field: "channels",
  },
  {
    title: "an id of 65 bytes",
    send: post("/api/publish", JSON.stringify({ channel: "a", data: 1, id: "i".repeat(65) })),
    status: 400,
    field: "id",
  },
  {
    title: "base64 that is none",
    send: post("/api/publish", '{"channel":"a","data":"*","encoding":"base64"}'),
    status: 400,
    field: "data",
  },
  {
    title: "a content type with a line break",
    send: post("/api/publish", '{"channel":"a","data":"x","contentType":"a/b\\r\\nX: y"}'),
    status: 400,
    field: "contentType",
  },
  {
    title: "JSON nested too deeply",
    send: post("/api/publish", `{"channel":"a","data":${"[".repeat(100)}${"]".repeat(100)}}`),
    status: 400,
    code: "bad_request",
  },
  {
    title: "a reserved channel",
    send: post("/api/publish", '{"channel":"$admin","data":1}'),
    status: 403,
    code: "forbidden",
  },
  {
    title: "another media type",
    send: post("/api/publish", '{"channel":"a","data":1}', { "Content-Type": "text/plain" }),
    status: 415,
    code: "unsupported_type",
  },
  {
    title: "no media type",
    send: post("/api/publish", '{"channel":"a","data":1}', { "Content-Type": "" }),
    status: 415,
    code: "unsupported_type",
  },
  {
    title: "a compressed body",
    send: post("/api/publish", '{"channel":"a","data":1}', { "Content-Encoding": "gzip" }),
    status: 415,
    code: "unsupported_type",
  },
  {
    title: "a body that says it is too large",
    send: post("/api/publish", "", { "Content-Length": "1001" }),
    status: 413,
    code: "too_large",
  },
  {
    title: "a body without a length that becomes too large",
    send: request("POST", "/api/publish", { "Content-Type": "application/json", "Transfer-Encoding": "chunked" }) +
      `400\r\n${"x".repeat(0x400)}\r\n`,
    status: 413,
    code: "too_large",
  },
  {
    title: "a body that does not come",
    send: post("/api/publish", '{"chan', { "Content-Length": "100" }),
    status: 408,
    code: "timeout",
  },
];

const METHODS: Row[] = [
  ...["GET", "PUT", "DELETE"].map((method): Row => ({
    title: `${method} /api/publish`,
    send: request(method, "/api/publish"),
    status: 405,
    code: "method_not_allowed",
    headers: { allow: /POST/ },
  })),
  { title: "POST /health", send: post("/health", "{}"), status: 405, headers: { allow: /GET/ } },
  { title: "POST /metrics", send: post("/metrics", "{}"), status: 405, headers: { allow: /GET/ } },
  { title: "POST /", send: post("/", "{}"), status: 405, headers: { allow: /GET/ } },
  { title: "GET /admin/login", send: get("/admin/login"), status: 405, headers: { allow: /POST/ } },
  { title: "an unknown path of the API", send: get("/api/nothing"), status: 404, code: "not_found" },
  { title: "an unknown session", send: get("/api/sessions/nobody"), status: 404, code: "not_found" },
  { title: "a page of more than 500 sessions", send: get("/api/sessions?limit=501"), status: 400, field: "limit" },
];

const RIGHTS: Row[] = [
  {
    title: "publishing without a key",
    send: post("/api/publish", '{"channel":"a","data":1}'),
    status: 401,
    code: "unauthorized",
    headers: { "www-authenticate": /Bearer/ },
  },
  {
    title: "publishing with a wrong key",
    send: post("/api/publish", '{"channel":"a","data":1}', { "X-API-Key": OTHER }),
    status: 401,
    code: "unauthorized",
  },
  {
    title: "publishing with a key for something else",
    send: post("/api/publish", '{"channel":"a","data":1}', { "X-API-Key": STATS }),
    status: 403,
    code: "forbidden",
  },
  {
    title: "Authorization by password",
    send: get("/metrics", { Authorization: "Basic YTpi" }),
    status: 401,
    code: "unauthorized",
  },
  {
    title: "two different keys",
    send: get("/metrics", { Authorization: `Bearer ${ADMIN}`, "X-API-Key": STATS }),
    status: 400,
    code: "bad_request",
  },
  ...["/metrics", "/api/stats", "/api/recent", "/api/sessions", "/admin/session"].map((path): Row => ({
    title: `${path} without a key`,
    send: get(path),
    status: 401,
    code: "unauthorized",
  })),
  ...["/metrics", "/api/stats", "/api/recent"].map((path): Row => ({
    title: `${path} with a key to publish`,
    send: get(path, { Authorization: `Bearer ${PUBLISH}` }),
    status: 403,
    code: "forbidden",
  })),
  {
    title: "the sessions with a key for figures",
    send: get("/api/sessions", { "X-API-Key": STATS }),
    status: 403,
    code: "forbidden",
  },
  {
    title: "closing a session with a key for figures",
    send: request("DELETE", "/api/sessions/x", { "X-API-Key": STATS }),
    status: 403,
    code: "forbidden",
  },
  { title: "a wrong key at the login", send: post("/admin/login", `{"key":"${OTHER}"}`), status: 401 },
  {
    title: "a login from a foreign page",
    send: post("/admin/login", `{"key":"${ADMIN}"}`, { Origin: "https://evil.example" }),
    status: 403,
    code: "forbidden",
  },
  {
    title: "a login as a form",
    send: post("/admin/login", "key=x", { "Content-Type": "application/x-www-form-urlencoded" }),
    status: 415,
    code: "unsupported_type",
  },
  { title: "a channel that is not public", send: handshake("/push?channel=secret"), status: 403, headers: TEXT },
  { title: "a reserved channel", send: handshake("/push?channel=$admin"), status: 403, headers: TEXT },
  {
    title: "a handshake with a wrong key",
    send: handshake("/push", { "X-API-Key": OTHER }),
    status: 401,
    headers: TEXT,
  },
];

function refusals(title: string, args: string[], options: GongOptions, rows: readonly Row[]): void {
  Deno.test(`gong serve refuses: ${title}`, async (t) => {
    await using gong = await startGong(["--isolates", "1", ...args], options);
    for (const row of rows) {
      await t.step(row.title, async () => check(row, await rawRequest(gong.port, row.send)));
    }
    await assertServes(gong);
  });
}

function check(row: Row, answer: RawResponse): void {
  assertEquals(answer.status, row.status, answer.body);
  if (row.body) assertStringIncludes(answer.body.toLowerCase(), row.body.toLowerCase());
  const isProblem = row.code !== undefined || row.field !== undefined;
  for (const [name, value] of Object.entries({ ...isProblem ? PROBLEM : {}, ...row.headers })) {
    assertMatch(answer.headers.get(name) ?? `no ${name}`, value);
  }
  if (!isProblem) return;
  const problem = JSON.parse(answer.body);
  assertEquals(problem.status, row.status);
  assertEquals(problem.code, row.code ?? problem.code);
  // A field is a JSON pointer or a name: `channel`, `/channels/1`.
  if (row.field) assertMatch(String(problem.field), new RegExp(`\\b${row.field}\\b`));
}

async function assertServes(gong: Gong): Promise<void> {
  assertEquals((await rawRequest(gong.port, get("/health"))).status, 200);
  assertEquals(await gong.stop(), 0);
}

const BOUNDS = ["--max-message", "1000", "--body-timeout", "0.3"];

refusals("malformed handshakes", [], {}, HANDSHAKES);
refusals("malformed bodies", BOUNDS, {}, BAD_BODIES);
refusals("wrong methods and paths", [], {}, METHODS);
refusals("what the key does not allow", ["--auth-failures", "1000"], { dev: false, env: KEYS }, RIGHTS);

refusals("no Origin where one is required", ["--require-origin"], {}, [
  { title: "no Origin", send: handshake("/push"), status: 403, headers: TEXT, body: "origin" },
]);

Deno.test("gong serve refuses new sessions above the memory watermark, and says so in /ready", async () => {
  await using gong = await startGong(["--isolates", "1", "--memory", "1"]);
  await gong.line(/memory\.watermark/);
  // Over the same port of the hub as the line that was waited for, but to the edge: ask until it has come through.
  let answer = await rawRequest(gong.port, handshake("/push"));
  for (let i = 0; i < 100 && answer.status === 101; i++) answer = await rawRequest(gong.port, handshake("/push"));
  check({ title: "", send: "", status: 503, headers: { ...TEXT, ...RETRY } }, answer);
  const ready = await rawRequest(gong.port, get("/ready"));
  assertEquals(ready.status, 503);
  assertStringIncludes(ready.body, "memory");
});

Deno.test("gong serve refuses requests of an address over its rate with 429", async () => {
  await using gong = await startGong(["--isolates", "1", "--api-rate", "1"]);
  const statuses = new Set<number>();
  for (let i = 0; i < 4; i++) {
    const answer = await rawRequest(gong.port, post("/api/publish", '{"channel":"a","data":1}'));
    statuses.add(answer.status);
    if (answer.status === 429) assertMatch(answer.headers.get("retry-after") ?? "", RETRY["retry-after"]);
  }
  assertEquals([...statuses], [200, 429]);
});

Deno.test("gong serve refuses a connection too many, and admits one again when one has gone", async (t) => {
  for (const [flag, status] of [["--max-connections", 503], ["--max-per-address", 429]] as const) {
    await t.step(flag, async () => {
      await using gong = await startGong(["--isolates", "2", flag, "2"]);
      const open = await Promise.all([1, 2].map(() => openWebSocket(gong.port)));
      check(
        { title: "", send: "", status, headers: { ...TEXT, ...RETRY } },
        await rawRequest(gong.port, handshake("/push")),
      );
      open[0]?.close();
      let answer: number;
      const deadline = Date.now() + 10_000;
      do answer = (await rawRequest(gong.port, handshake("/push"))).status; while (
        answer !== 101 && Date.now() < deadline
      );
      assertEquals(answer, 101);
      open[1]?.close();
    });
  }
});

Deno.test("gong serve refuses every key of an address that tried too many wrong ones", async () => {
  await using gong = await startGong(["--isolates", "2", "--auth-failures", "3"], { dev: false, env: KEYS });
  const wrong = get("/metrics", { "X-API-Key": OTHER });
  let tries = 0;
  // The hub counts for all isolates, so the verdict reaches them a moment after the try that was one too many.
  for (let status = 401; status === 401; tries++) {
    status = (await rawRequest(gong.port, wrong)).status;
    if (status !== 401) assertEquals(status, 429);
    if (tries > 200) throw new Error("200 wrong keys were all looked at");
  }
  assertEquals(tries > 3, true, `refused after ${tries} tries already`);
  for (const send of [get("/metrics", { "X-API-Key": ADMIN }), handshake("/push", { "X-API-Key": ADMIN })]) {
    const answer = await rawRequest(gong.port, send);
    assertEquals(answer.status, 429);
    assertMatch(answer.headers.get("retry-after") ?? "", RETRY["retry-after"]);
  }
  assertEquals((await rawRequest(gong.port, get("/health"))).status, 200);
});
