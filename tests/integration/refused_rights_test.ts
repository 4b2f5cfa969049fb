import { assertEquals, assertMatch } from "@std/assert";
import { startGong } from "../support/gong.ts";
import { rawRequest } from "../support/raw.ts";
import { refusals, RETRY, type Row, TEXT } from "../support/refusals.ts";
import { get, handshake, post, request } from "../support/requests.ts";

const ADMIN = "admin-secret-0123456789";
const STATS = "stats-secret-0123456789";
const PUBLISH = "publish-secret-0123456789";
const OTHER = "no-such-secret-0123456789";
const KEYS = { GONG_API_KEY: `a:admin:${ADMIN},s:stats:${STATS},p:publish:${PUBLISH}` };

/** Our own page, to a `Host` without a port. */
const OWN = { Origin: "http://127.0.0.1" };
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
  { title: "a wrong key at the login", send: post("/admin/login", `{"key":"${OTHER}"}`, OWN), status: 401 },
  {
    title: "a login that no page of ours sent",
    send: post("/admin/login", `{"key":"${ADMIN}"}`),
    status: 403,
    code: "forbidden",
  },
  {
    title: "a login from a foreign page",
    send: post("/admin/login", `{"key":"${ADMIN}"}`, { Origin: "https://evil.example" }),
    status: 403,
    code: "forbidden",
  },
  {
    title: "a login as a form",
    send: post("/admin/login", "key=x", { ...OWN, "Content-Type": "application/x-www-form-urlencoded" }),
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

refusals("what the key does not allow", ["--auth-failures", "1000"], { dev: false, env: KEYS }, RIGHTS);

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
