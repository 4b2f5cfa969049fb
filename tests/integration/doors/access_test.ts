import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { HTTP_DOORS } from "../../support/doors/mod.ts";
import { ask } from "../../support/doors/http.ts";
import { type Gong, startGong } from "../../support/gong.ts";
import { untilSessions } from "../../support/until.ts";

const APP = "https://app.example.com";
const FOREIGN = "https://evil.example";

/** What is asked, and what has to come back. */
interface Row {
  readonly title: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  /** Added to the query. */
  readonly query?: string;
  readonly status: number;
  /** The origin that may read the answer. */
  readonly readable?: string;
  /** Methods that are told, in any header that tells them. */
  readonly methods?: boolean;
}

const PREFLIGHT = { "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "last-event-id" };
const METHODS = ["GET", "HEAD", "OPTIONS"];

const ROWS: readonly Row[] = [
  { title: "no origin", status: 200 },
  { title: "an origin of --allow-origin", headers: { Origin: APP }, status: 200, readable: APP },
  { title: "a foreign origin", headers: { Origin: FOREIGN }, status: 403 },
  { title: "an origin that only begins like an allowed one", headers: { Origin: `${APP}.evil.example` }, status: 403 },
  { title: "a sandboxed page", headers: { Origin: "null" }, status: 403 },
  { title: "HEAD", method: "HEAD", status: 200 },
  {
    title: "HEAD of an origin of --allow-origin",
    method: "HEAD",
    headers: { Origin: APP },
    status: 200,
    readable: APP,
  },
  { title: "HEAD of a foreign origin", method: "HEAD", headers: { Origin: FOREIGN }, status: 403 },
  { title: "OPTIONS", method: "OPTIONS", status: 204, methods: true },
  {
    title: "a preflight of an origin of --allow-origin",
    method: "OPTIONS",
    headers: { Origin: APP, ...PREFLIGHT },
    status: 204,
    readable: APP,
    methods: true,
  },
  {
    title: "a preflight of a foreign origin",
    method: "OPTIONS",
    headers: { Origin: FOREIGN, ...PREFLIGHT },
    status: 403,
  },
  { title: "POST", method: "POST", status: 405, methods: true },
  { title: "DELETE", method: "DELETE", headers: { Origin: APP }, status: 405, readable: APP, methods: true },
  { title: "what is malformed", query: "&colour=red", headers: { Origin: APP }, status: 400, readable: APP },
  {
    title: "a channel that may not be heard",
    query: "&channel=secret",
    headers: { Origin: APP },
    status: 403,
    readable: APP,
  },
  { title: "HEAD of a channel that may not be heard", method: "HEAD", query: "&channel=secret", status: 403 },
];

const ARGS = ["--isolates", "1", "--allow-origin", APP, "--public-channels", "open.*"];
const KEYS = { GONG_API_KEY: "s:stats:stats-secret-0123456789" };

async function check(gong: Gong, target: string, row: Row, contentType: RegExp): Promise<void> {
  const { method = "GET", headers = {}, query = "", status, readable = null, methods = false } = row;
  const response = await ask(gong, target + query, { method, headers });
  const got = (name: string) => response.headers.get(name);
  try {
    const isStream = status === 200 && method === "GET";
    const body = isStream ? "" : await response.text();
    assertEquals(response.status, status, body);
    assertEquals(got("access-control-allow-origin"), readable);
    assertEquals(got("access-control-allow-credentials"), readable && "true");
    assertMatch(got("vary") ?? "none", /\borigin\b/i);
    if (method !== "OPTIONS") assertEquals(got("cache-control"), "no-store");
    if (methods) {
      const told = `${got("allow") ?? ""} ${got("access-control-allow-methods") ?? ""}`;
      for (const name of METHODS) assertStringIncludes(told, name);
    }
    if (status === 200) {
      assertMatch(got("content-type") ?? "none", contentType);
      assertEquals(got("x-content-type-options"), "nosniff");
      assertEquals(got("content-encoding"), null, "a compressed stream waits for more");
    }
    if (method === "HEAD" || status === 204) assertEquals(body, "");
    else if (status >= 400) {
      assertMatch(got("content-type") ?? "none", /^application\/problem\+json/);
      assertEquals(JSON.parse(body).status, status);
    }
  } finally {
    await response.body?.cancel().catch(() => {});
  }
}

for (const { target, contentType } of HTTP_DOORS) {
  Deno.test(`${target} answers each method and origin as it should`, async (t) => {
    await using gong = await startGong(ARGS, { dev: false, env: KEYS });
    for (const row of ROWS) await t.step(row.title, () => check(gong, target, row, contentType));
    await t.step("its own origin", async () => {
      const own = { title: "", headers: { Origin: gong.url }, status: 200 };
      const response = await ask(gong, target, { headers: own.headers });
      assertEquals(response.status, 200);
      assert(response.headers.get("access-control-allow-origin") !== "*");
      await response.body?.cancel();
    });
  });
}

Deno.test("HEAD of a door leaves no session", async () => {
  await using gong = await startGong(["--isolates", "1"]);
  for (const { target } of HTTP_DOORS) {
    const response = await ask(gong, target, { method: "HEAD" });
    assertEquals(response.status, 200);
  }
  await untilSessions(gong, 0);
});

Deno.test("--require-origin lets in who says where it comes from, also by Sec-Fetch-Site alone", async (t) => {
  await using gong = await startGong(["--isolates", "1", "--require-origin", "--allow-origin", APP]);
  const rows: [Record<string, string>, number][] = [
    [{}, 403],
    [{ "Sec-Fetch-Site": "cross-site" }, 403],
    [{ "Sec-Fetch-Site": "same-site" }, 403],
    [{ "Sec-Fetch-Site": "none" }, 403],
    [{ "Sec-Fetch-Site": "same-origin" }, 200],
    [{ "Sec-Fetch-Site": "cross-site", Origin: APP }, 200],
    [{ "Sec-Fetch-Site": "same-origin", Origin: FOREIGN }, 403],
    [{ Origin: gong.url }, 200],
  ];
  for (const { target } of HTTP_DOORS) {
    for (const [headers, status] of rows) {
      await t.step(`${target} ${JSON.stringify(headers)}`, async () => {
        const response = await ask(gong, target, { headers });
        await response.body?.cancel();
        assertEquals(response.status, status);
      });
    }
  }
});
