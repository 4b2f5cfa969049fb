/** How clients reach a server: by which path, through a proxy, from pages of elsewhere, over TLS. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { io, type ManagerOptions, type SocketOptions } from "socket.io-client";
import { type Gong, startGong } from "../../support/gong.ts";
import { WAYS } from "../../support/socketio/mod.ts";
import { until, untilSessions } from "../../support/until.ts";

const APP = "https://app.example.com";
const HANDSHAKE = "/socket.io/?EIO=4&transport=polling";
const FIXTURES = new URL("../../fixtures/", import.meta.url);

/** Connects to `/`, emits an event, and waits until it is acknowledged, so that both directions are known to work. */
async function talk(url: string, options: Partial<ManagerOptions & SocketOptions>): Promise<void> {
  const socket = io(url, { forceNew: true, reconnection: false, ...options });
  let refusal: Error | undefined;
  socket.on("connect_error", (error) => refusal = error);
  try {
    await until(() => socket.connected || refusal !== undefined);
    if (refusal) throw refusal;
    const { offset } = await socket.emitWithAck("hello");
    assert(offset > 0);
  } finally {
    socket.disconnect();
  }
}

async function ask(gong: Gong, target: string, init: RequestInit = {}): Promise<{ response: Response; text: string }> {
  const response = await fetch(`${gong.url}${target}`, init);
  return { response, text: await response.text() };
}

/** The sid of a new session of a page of that origin. */
async function begin(gong: Gong, origin: string): Promise<string> {
  const { response, text } = await ask(gong, HANDSHAKE, { headers: { origin } });
  assertEquals([response.status, text[0]], [200, "0"]);
  return JSON.parse(text.slice(1)).sid;
}

for (const { way, transports } of WAYS) {
  Deno.test(`a client reaches the server with and without the slash at the end of its path, ${way}`, async () => {
    await using gong = await startGong(["--isolates", "2"]);
    await talk(gong.url, { transports: [...transports], path: "/socket.io/" });
    await talk(gong.url, { transports: [...transports], path: "/socket.io", addTrailingSlash: false });
  });

  Deno.test(`a client behind a proxy is known by the address that the proxy tells, ${way}`, async () => {
    const settings = ["--isolates", "2", "--trusted-proxies", "127.0.0.1", "--public-url", "https://push.example.com"];
    await using gong = await startGong([...settings, "--allow-publish", "*", "--public-channels", "*"], { dev: false });
    const headers = { "x-forwarded-for": "203.0.113.9", origin: "https://push.example.com" };
    await talk(gong.url, { transports: [...transports], extraHeaders: headers });
    const opened = JSON.parse(await gong.line(/session\.open/));
    assertEquals([opened.door, opened.address], ["socketio", "203.0.113.9"]);
    const error = await talk(gong.url, {
      transports: [...transports],
      extraHeaders: { ...headers, origin: "https://push.example.org" },
    }).then(() => undefined, (error) => error);
    assert(error instanceof Error, "a page of another site is refused");
    assertEquals(JSON.parse(await gong.line(/handshake\.refused/)).address, "203.0.113.9");
  });

  Deno.test(`a client reaches the server over TLS, ${way}`, async () => {
    const [cert, key, ca] = await Promise.all(
      ["localhost.pem", "localhost.key", "authority.pem"].map((name) => Deno.readTextFile(new URL(name, FIXTURES))),
    );
    const files = { "localhost.pem": cert!, "localhost.key": key! };
    await using gong = await startGong(
      ["--isolates", "2", "--cert", "localhost.pem", "--key", "localhost.key"],
      { files },
    );
    await talk(`https://localhost:${gong.port}`, { transports: [...transports], ca: [ca!] });
  });
}

Deno.test("a page of an allowed origin may read every answer of /socket.io/, a page of another one none", async () => {
  await using gong = await startGong(["--isolates", "2", "--allow-origin", APP]);
  const sid = await begin(gong, APP);
  const session = `${HANDSHAKE}&sid=${sid}`;
  const rows: readonly [what: string, target: string, init: RequestInit & { headers?: object }, status: number][] = [
    ["a POST", session, { method: "POST", body: "40" }, 200],
    ["a GET", session, {}, 200],
    ["a preflight", session, { method: "OPTIONS", headers: { "access-control-request-method": "POST" } }, 204],
    ["a preflight of a handshake", HANDSHAKE, {
      method: "OPTIONS",
      headers: { "access-control-request-method": "GET", "access-control-request-headers": "authorization" },
    }, 204],
    ["a session that is gone", `${HANDSHAKE}&sid=abc`, {}, 400],
    ["a token that is none", `${HANDSHAKE}&token=abc`, {}, 401],
    ["no transport", "/socket.io/", {}, 400],
  ];
  for (const [what, target, init, status] of rows) {
    const { response, text } = await ask(gong, target, { ...init, headers: { ...init.headers, origin: APP } });
    assertEquals(response.status, status, `${what}: ${text}`);
    const got = (name: string) => response.headers.get(name);
    assertEquals(got("access-control-allow-origin"), APP, what);
    assertEquals(got("access-control-allow-credentials"), "true", what);
    assertStringIncludes(got("vary") ?? "", "Origin", what);
    assertEquals(got("cache-control"), "no-store", what);
    if (status !== 204) continue;
    assertEquals(got("access-control-allow-methods"), "GET, POST, OPTIONS", what);
    for (const name of ["authorization", "content-type"]) {
      assertStringIncludes(got("access-control-allow-headers") ?? "", name, what);
    }
  }
  for (const [what, target, init] of rows) {
    const origin = "https://app.example.org";
    const { response, text } = await ask(gong, target, { ...init, headers: { ...init.headers, origin } });
    assertEquals([response.status, JSON.parse(text).code], [403, 4], what);
    assertEquals(response.headers.get("access-control-allow-origin"), null, what);
  }
});

Deno.test("a page that asks /socket.io/ too often is told so in the form of Socket.IO, and when to come back", async () => {
  await using gong = await startGong(["--isolates", "1", "--request-rate", "1", "--allow-origin", APP]);
  for (;;) {
    const { response, text } = await ask(gong, HANDSHAKE, { headers: { origin: APP } });
    assertEquals(response.headers.get("access-control-allow-origin"), APP);
    if (response.status === 200) continue;
    assertEquals([response.status, JSON.parse(text).code, response.headers.get("retry-after")], [429, 3, "1"]);
    break;
  }
});

Deno.test("--require-origin lets in polls that say where they come from, also by Sec-Fetch-Site alone", async () => {
  await using gong = await startGong(["--isolates", "2", "--require-origin", "--allow-origin", APP]);
  const session = `${HANDSHAKE}&sid=${await begin(gong, APP)}`;
  const own = { "sec-fetch-site": "same-origin" };
  const rows: readonly [headers: Record<string, string>, method: string, status: number][] = [
    [{}, "GET", 403],
    [{}, "POST", 403],
    [own, "POST", 403],
    [{ ...own, origin: "https://app.example.org" }, "GET", 403],
    [{ origin: APP }, "POST", 200],
    [own, "GET", 200],
  ];
  for (const [headers, method, status] of rows) {
    const { response, text } = await ask(gong, session, {
      method,
      headers,
      ...method === "POST" ? { body: "40" } : {},
    });
    assertEquals(response.status, status, `${method} ${JSON.stringify(headers)}: ${text}`);
  }
});

Deno.test("a client of Socket.IO is served where servers of Socket.IO have it, and nothing else is", async () => {
  await using gong = await startGong(["--isolates", "1"]);
  for (const name of ["socket.io.js", "socket.io.min.js"]) {
    const { response, text } = await ask(gong, `/socket.io/${name}`);
    assertEquals([response.status, response.headers.get("access-control-allow-origin")], [200, "*"]);
    assertStringIncludes(response.headers.get("content-type") ?? "", "javascript");
    assertStringIncludes(text, "Socket.IO v4");
  }
  const { response } = await ask(gong, "/socket.io/other");
  assertEquals(response.status, 404);
  await untilSessions(gong, 0);
});
