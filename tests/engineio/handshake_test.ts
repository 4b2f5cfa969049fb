import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { GongError } from "../../lib/errors.ts";
import { openStage, SETTINGS } from "../support/engine.ts";
import { ask, Poller, Wire } from "../support/engine_client.ts";
import { openWebSocket, RawConnection, rawRequest } from "../support/raw.ts";

const OPEN = {
  pingInterval: SETTINGS.pingInterval,
  pingTimeout: SETTINGS.pingTimeout,
  maxPayload: SETTINGS.maxPayload,
};

for (const protocol of [3, 4] as const) {
  Deno.test(`handle() answers a GET of Engine.IO ${protocol} with the session's open packet alone`, async () => {
    await using stage = openStage();
    stage.host.greet = (heard) => heard.say("hello");
    const { status, text, headers } = await ask(stage.url, { EIO: `${protocol}`, transport: "polling" });
    assertEquals(status, 200);
    assertEquals(headers.get("content-type"), "text/plain; charset=UTF-8");
    assertEquals(headers.get("cache-control"), "no-store");
    assertEquals(headers.get("x-content-type-options"), "nosniff");
    const packet = protocol === 3 ? text.slice(text.indexOf(":") + 1) : text;
    if (protocol === 3) assertEquals(text, `${packet.length}:${packet}`);
    assertEquals(packet[0], "0");
    const { sid, ...rest } = JSON.parse(packet.slice(1));
    assertEquals(rest, { upgrades: ["websocket"], ...OPEN });
    assertEquals(sid, stage.host.last.socket.sid);
    assert(stage.host.last.isOpened);
    assertEquals(stage.host.last.socket.transport, "polling");
    assertEquals(stage.servers[0]!.size, 1);
  });

  Deno.test(`handle() upgrades a WebSocket of Engine.IO ${protocol} and opens its session`, async () => {
    await using stage = openStage();
    const { wire, handshake: { sid, ...rest } } = await Wire.begin(stage.url, protocol);
    assertEquals(rest, { upgrades: [], ...OPEN });
    const { socket } = stage.host.last;
    assertEquals([socket.sid, socket.protocol, socket.transport], [sid, protocol, "websocket"]);
    assert(stage.host.last.isOpened);
    await wire.close();
  });
}

const REFUSED: readonly [string, string, Record<string, string>, number, string][] = [
  ["no transport", "GET", { EIO: "4" }, 0, "Transport unknown"],
  ["an unknown transport", "GET", { EIO: "4", transport: "abc" }, 0, "Transport unknown"],
  ["an unknown session", "GET", { EIO: "4", transport: "polling", sid: "abc" }, 1, "Session ID unknown"],
  [
    "an unknown session that is posted to",
    "POST",
    { EIO: "4", transport: "polling", sid: "abc" },
    1,
    "Session ID unknown",
  ],
  ["a POST without a session", "POST", { EIO: "4", transport: "polling" }, 2, "Bad handshake method"],
  ["a PUT without a session", "PUT", { EIO: "4", transport: "polling" }, 2, "Bad handshake method"],
  ["a WebSocket that is none", "GET", { EIO: "4", transport: "websocket" }, 3, "Bad request"],
  ["no version", "GET", { transport: "polling" }, 5, "Unsupported protocol version"],
  ["a version that is none", "GET", { EIO: "abc", transport: "polling" }, 5, "Unsupported protocol version"],
  ["version 3 where it is not allowed", "GET", { EIO: "3", transport: "polling" }, 5, "Unsupported protocol version"],
];

for (const [what, method, query, code, message] of REFUSED) {
  Deno.test(`handle() refuses ${what} with 400 and code ${code}`, async () => {
    await using stage = openStage({ settings: { allowEio3: false } });
    const { status, text, headers } = await ask(stage.url, query, { method });
    assertEquals([status, JSON.parse(text)], [400, { code, message }]);
    assertEquals(headers.get("content-type"), "application/json");
    assertEquals(headers.get("cache-control"), "no-store");
    assertEquals(stage.refusals, [code === 1 ? "not_found" : "bad_request"]);
    assertEquals(stage.host.sessions, []);
  });
}

Deno.test("handle() refuses a method that is none with a session too, which goes on", async () => {
  await using stage = openStage();
  const client = await Poller.open(stage.url);
  const { status, text } = await ask(stage.url, client.query, { method: "PUT" });
  assertEquals([status, JSON.parse(text).code], [400, 3]);
  assertEquals((await client.post("4a")).text, "ok");
});

Deno.test("handle() refuses a plain GET for `websocket` with the session of one that polls", async () => {
  await using stage = openStage();
  const client = await Poller.open(stage.url);
  const { status, text } = await ask(stage.url, { ...client.query, transport: "websocket" });
  assertEquals([status, JSON.parse(text).code], [400, 3]);
});

Deno.test("handle() refuses polls of a session that has a WebSocket", async () => {
  await using stage = openStage();
  const { wire, handshake: { sid } } = await Wire.begin(stage.url);
  const { status, text } = await ask(stage.url, { EIO: "4", transport: "polling", sid });
  assertEquals([status, JSON.parse(text)], [400, { code: 3, message: "Bad request" }]);
  wire.send("4still here");
  assertEquals(await wire.next(), "4still here");
  await wire.close();
});

Deno.test("handle() answers a refused WebSocket handshake over HTTP, in the same form", async () => {
  await using stage = openStage();
  const { port } = new URL(stage.url);
  const target = "/engine.io/?EIO=5&transport=websocket";
  using connection = await RawConnection.open(Number(port));
  await connection.write([
    `GET ${target} HTTP/1.1`,
    "host: a",
    "upgrade: websocket",
    "connection: upgrade",
    "sec-websocket-version: 13",
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
    "",
    "",
  ].join("\r\n"));
  const { status, body } = await connection.readResponse();
  assertEquals([status, JSON.parse(body)], [400, { code: 5, message: "Unsupported protocol version" }]);
  const wrong = await rawRequest(
    Number(port),
    "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\n" +
      "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  assertEquals([wrong.status, JSON.parse(wrong.body).code], [426, 3]);
  assertEquals(wrong.headers.get("sec-websocket-version"), "13");
});

Deno.test("handle() refuses whom checkOrigin() refuses, and polls too, with code 4", async () => {
  await using stage = openStage();
  const client = await Poller.open(stage.url);
  stage.host.checkOrigin = () => {
    throw new GongError("forbidden", "Not from there.");
  };
  for (const query of [client.query, { EIO: "4", transport: "polling" }, {}]) {
    const { status, text } = await ask(stage.url, query);
    assertEquals([status, JSON.parse(text)], [403, { code: 4, message: "Not from there." }]);
  }
});

Deno.test("handle() waits for identify() and refuses whom it refuses", async () => {
  await using stage = openStage();
  stage.host.identify = async () => {
    await Promise.resolve();
    throw new GongError("unauthorized", "Who?");
  };
  const { status, text, headers } = await ask(stage.url, { EIO: "4", transport: "polling" });
  assertEquals([status, JSON.parse(text)], [401, { code: 4, message: "Who?" }]);
  assertStringIncludes(headers.get("www-authenticate")!, "Bearer");
  assertEquals(stage.host.sessions, []);
  stage.host.identify = () => Promise.resolve("somebody");
  assertEquals((await ask(stage.url, { EIO: "4", transport: "polling" })).status, 200);
});

/** As Deno's are: of an abort they tell whoever asked for their signal before. */
class LazyRequest extends Request {
  #told: AbortController | undefined;

  override get signal(): AbortSignal {
    return (this.#told ??= new AbortController()).signal;
  }

  leave(): void {
    this.#told?.abort();
  }
}

Deno.test("handle() begins no session for whom identify() finds gone", async () => {
  await using stage = openStage();
  const known = Promise.withResolvers<string>();
  stage.host.identify = () => known.promise;
  const request = new LazyRequest(`${stage.url}?EIO=4&transport=polling`);
  const peer = { address: "127.0.0.1", completed: () => Promise.resolve() };
  const answer = stage.servers[0]!.handle(request, new URL(request.url), peer);
  request.leave();
  known.resolve("somebody");
  assertEquals((await answer).status, 400);
  assertEquals(stage.host.sessions, []);
});

Deno.test("handle() upgrades at once, and connect() is given the promise of who comes", async () => {
  await using stage = openStage();
  stage.host.identify = () => new Promise(() => {});
  const { wire } = await Wire.begin(stage.url);
  assert(stage.host.last.isOpened);
  await wire.close();
});

Deno.test("handle() refuses whom connect() has no room for, before anything is answered", async () => {
  await using stage = openStage();
  stage.host.refuse = new GongError("overloaded", "Full.", { retryAfter: 7 });
  const { status, text, headers } = await ask(stage.url, { EIO: "4", transport: "polling" });
  assertEquals([status, JSON.parse(text)], [503, { code: 3, message: "Full." }]);
  assertEquals(headers.get("retry-after"), "7");
  const { port } = new URL(stage.url);
  try {
    await openWebSocket(Number(port), "/engine.io/?EIO=4&transport=websocket");
    throw new Error("it was let in");
  } catch (error) {
    assertStringIncludes(String(error), "refused with 503");
  }
  assertEquals(stage.servers[0]!.size, 0);
});

Deno.test("handle() lets pages of allowed origins read every answer, and answers their preflights", async () => {
  await using stage = openStage();
  stage.host.cors = () => "https://a.example";
  const preflight = await ask(stage.url, { EIO: "4", transport: "polling" }, {
    method: "OPTIONS",
    headers: { "access-control-request-method": "POST" },
  });
  assertEquals(preflight.status, 204);
  assertEquals(preflight.headers.get("access-control-allow-methods"), "GET, POST, OPTIONS");
  const good = await ask(stage.url, { EIO: "4", transport: "polling" });
  const bad = await ask(stage.url, { EIO: "4", transport: "polling", sid: "abc" });
  for (const { headers } of [preflight, good, bad]) {
    assertEquals(headers.get("access-control-allow-origin"), "https://a.example");
    assertEquals(headers.get("access-control-allow-credentials"), "true");
    assertStringIncludes(headers.get("vary")!, "Origin");
  }
});
