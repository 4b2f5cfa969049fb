import { assert, assertEquals, assertThrows } from "@std/assert";
import { GongError } from "../../lib/errors.ts";
import type { ErrorCode } from "../../lib/errors.ts";
import { createOrigins, requestUrl } from "../../lib/auth/origins.ts";
import type { OriginSettings } from "../../lib/auth/origins.ts";
import { seeded } from "../support/random.ts";
import { rawRequest } from "../support/raw.ts";

const DEFAULTS: OriginSettings = {
  dev: false,
  publicUrl: "",
  allowHost: ["localhost", "127.0.0.1", "[::1]"],
  allowOrigin: [],
  requireOrigin: false,
  adminListen: "",
  cert: "",
};

interface Sent {
  host?: string;
  origin?: string;
  site?: string;
  method?: string;
}

/** A request as Deno makes one: the URL is joined from `Host`, and without that it has the address listened on. */
function request({ host, origin, site, method = "GET" }: Sent): Request {
  const headers = new Headers();
  if (host !== undefined) headers.set("host", host);
  if (origin !== undefined) headers.set("origin", origin);
  if (site !== undefined) headers.set("sec-fetch-site", site);
  const made = new Request("http://localhost:8998/push", { method, headers });
  Object.defineProperty(made, "url", { value: `http://${host || "localhost:8998"}/push` });
  return made;
}

function verdict(settings: Partial<OriginSettings>, sent: Sent): "ok" | ErrorCode {
  const origins = createOrigins({ ...DEFAULTS, ...settings });
  try {
    const asked = request(sent);
    origins.checkOrigin(asked, requestUrl(asked));
    return "ok";
  } catch (error) {
    if (!(error instanceof GongError)) throw error;
    return error.code;
  }
}

Deno.test("checkOrigin() compares Origin with Host, port and scheme included", () => {
  const table: [host: string, origin: string, expected: "ok" | ErrorCode][] = [
    ["localhost:8998", "http://localhost:8998", "ok"],
    ["LocalHost:8998", "http://localhost:8998", "ok"],
    ["127.0.0.1:8998", "http://127.0.0.1:8998", "ok"],
    ["[::1]:8998", "http://[::1]:8998", "ok"],
    ["[0:0:0:0:0:0:0:1]:8998", "http://[::1]:8998", "ok"],
    ["localhost", "http://localhost", "ok"],
    ["localhost:80", "http://localhost", "ok"],
    ["localhost:", "http://localhost", "ok"],
    ["localhost:8998", "https://localhost:8998", "forbidden"],
    ["localhost:8998", "ws://localhost:8998", "forbidden"],
    ["localhost:8998", "http://localhost:3000", "forbidden"],
    ["localhost:8998", "http://localhost", "forbidden"],
    ["localhost:8998", "http://127.0.0.1:8998", "forbidden"],
    ["localhost:8998", "null", "forbidden"],
    ["localhost:8998", "", "forbidden"],
    ["localhost:8998", "https://evil.example", "forbidden"],
    ["localhost:8998", "http://localhost:8998.evil.example", "forbidden"],
    ["localhost:8998", "http://evil.example#localhost:8998", "forbidden"],
    ["localhost:8998", "http://localhost:8998@evil.example", "forbidden"],
    ["localhost:8998", "http://user@localhost:8998", "forbidden"],
    ["localhost:8998", "http://localhost:8998/", "forbidden"],
    ["localhost:8998", "http://LOCALHOST:8998", "forbidden"],
    ["localhost:8998", "http://localhost.:8998", "forbidden"],
    ["localhost:8998", "http://localhost:08998", "forbidden"],
    ["localhost:8998", "http://localhost:8998 http://evil.example", "forbidden"],
    ["localhost:8998", "http://localhost:8998, http://evil.example", "forbidden"],
    ["localhost:8998", "http://localhost:8998, http://localhost:8998", "forbidden"],
    ["localhost:8998", "file://", "forbidden"],
    ["localhost:8998", "localhost:8998", "forbidden"],
    ["localhost.:8998", "http://localhost.:8998", "forbidden"],
    ["evil.example", "http://evil.example", "forbidden"],
    ["localhost.evil.example", "http://localhost.evil.example", "forbidden"],
    ["127.1:8998", "http://127.0.0.1:8998", "forbidden"],
    ["0x7f000001:8998", "http://127.0.0.1:8998", "forbidden"],
    ["[::ffff:127.0.0.1]:8998", "http://[::ffff:7f00:1]:8998", "forbidden"],
    ["localhost:99999", "http://localhost:99999", "bad_request"],
  ];
  for (const [host, origin, expected] of table) {
    assertEquals(verdict({}, { host, origin }), expected, `Host ${host}, Origin ${origin}`);
  }
});

Deno.test("checkOrigin() expects https in Origin where the server has TLS", () => {
  const tls = { cert: "cert.pem" };
  assertEquals(verdict(tls, { host: "localhost", origin: "https://localhost" }), "ok");
  assertEquals(verdict(tls, { host: "localhost:443", origin: "https://localhost" }), "ok");
  assertEquals(verdict(tls, { host: "localhost", origin: "http://localhost" }), "forbidden");
});

Deno.test("checkOrigin() refuses a malformed Host whatever the origin", () => {
  const hosts = [
    "",
    ":8998",
    "user@localhost:8998",
    "user:secret@localhost",
    "localhost:8998, evil.example",
    "localhost evil.example",
    "localhost/admin?",
    "localhost#",
    "localhost\\admin",
    "local%68ost",
    "localhost:http",
    "localhost:8998:8998",
    "::1",
    "[::1",
    "[::1]x",
    "[::1%25eth0]",
    "[localhost]",
    "[]",
    "*",
    "é",
    "a".repeat(300),
  ];
  for (const host of hosts) {
    for (const origin of [undefined, "http://localhost:8998", "https://push.example.com"]) {
      const sent = origin === undefined ? { host } : { host, origin };
      assertEquals(verdict({ publicUrl: "https://push.example.com" }, sent), "bad_request", `${host} ${origin}`);
    }
  }
});

Deno.test("checkOrigin() takes the origin of publicUrl and of allowOrigin under any Host", () => {
  const settings = {
    publicUrl: "https://push.example.com/",
    allowOrigin: ["https://app.example.com", "capacitor://localhost"],
  };
  for (const host of ["push.example.com", "10.0.0.3:8998", "gong.internal"]) {
    assertEquals(verdict(settings, { host, origin: "https://push.example.com" }), "ok");
    assertEquals(verdict(settings, { host, origin: "https://app.example.com" }), "ok");
    assertEquals(verdict(settings, { host, origin: "capacitor://localhost" }), "ok");
    assertEquals(verdict(settings, { host, origin: "http://push.example.com" }), "forbidden");
    assertEquals(verdict(settings, { host, origin: "https://push.example.com:8443" }), "forbidden");
    assertEquals(verdict(settings, { host, origin: "https://other.example.com" }), "forbidden");
    assertEquals(verdict(settings, { host, origin: "null" }), "forbidden");
  }
  assertEquals(verdict({ allowOrigin: ["null"] }, { host: "localhost", origin: "null" }), "forbidden");
  assertEquals(
    verdict({ publicUrl: "gong:x", allowOrigin: ["gong:x"] }, { host: "localhost", origin: "null" }),
    "forbidden",
  );
});

Deno.test("checkOrigin() lets a request without Origin through unless requireOrigin", () => {
  assertEquals(verdict({}, { host: "anything.example" }), "ok");
  assertEquals(verdict({}, {}), "ok");
  assertEquals(verdict({ requireOrigin: true }, { host: "localhost" }), "forbidden");
  assertEquals(verdict({ requireOrigin: true }, { host: "localhost", origin: "http://localhost" }), "ok");
});

Deno.test("checkHost() with dev refuses names that are not ours, which is what DNS rebinding looks like", () => {
  const dev = { dev: true, publicUrl: "https://tunnel.example.com" };
  for (const host of ["localhost:8998", "LOCALHOST", "127.0.0.1", "[::1]:8998", "tunnel.example.com"]) {
    assertEquals(verdict(dev, { host }), "ok", host);
  }
  for (const host of ["evil.example", "localhost.", "localhost.evil.example", "127.1", "192.168.0.1:8998", "[::2]"]) {
    assertEquals(verdict(dev, { host }), "misdirected", host);
    assertEquals(verdict(dev, { host, origin: `http://${host}` }), "misdirected", host);
  }
  assertEquals(verdict({}, { host: "evil.example" }), "ok");
});

Deno.test("checkHost() uses the URL's authority where there is no Host, as in HTTP/2", () => {
  const origins = createOrigins({ ...DEFAULTS, dev: true });
  origins.checkHost(request({}), new URL("http://localhost:8998/"));
  assertThrows(() => origins.checkHost(request({}), new URL("http://evil.example/")), GongError);
});

Deno.test("isOwn() is true only for our own pages", () => {
  const origins = createOrigins({
    ...DEFAULTS,
    publicUrl: "https://push.example.com",
    allowOrigin: ["https://app.example.com"],
  });
  const url = new URL("http://localhost/");
  const table: [sent: Sent, own: boolean][] = [
    [{ host: "localhost", origin: "http://localhost" }, true],
    [{ host: "localhost", origin: "https://push.example.com", method: "POST" }, true],
    [{ host: "localhost", origin: "https://app.example.com" }, false],
    [{ host: "localhost", origin: "null" }, false],
    [{ host: "localhost" }, true],
    [{ host: "localhost", method: "HEAD" }, true],
    [{ host: "localhost", site: "same-origin" }, true],
    [{ host: "localhost", site: "none" }, true],
    [{ host: "localhost", site: "same-site" }, false],
    [{ host: "localhost", site: "cross-site" }, false],
    [{ host: "localhost", method: "POST" }, false],
    [{ host: "localhost", method: "DELETE", site: "same-origin" }, false],
  ];
  for (const [sent, own] of table) assertEquals(origins.isOwn(request(sent), url), own, JSON.stringify(sent));
});

Deno.test("requestUrl() and checkOrigin() hold against what Deno.serve() makes of a raw Host", async () => {
  const origins = createOrigins({ ...DEFAULTS, dev: true });
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (asked) => {
    try {
      const url = requestUrl(asked);
      origins.checkOrigin(asked, url);
      return new Response(url.pathname);
    } catch (error) {
      return new Response(null, { status: GongError.from(error).status });
    }
  });
  const table: [head: string, answer: string | 400 | 403 | 421][] = [
    ["GET /push HTTP/1.1\r\nHost: localhost:1", "/push"],
    ["GET /push HTTP/1.1\r\nHost: localhost:1\r\nOrigin: http://localhost:1", "/push"],
    ["GET /push HTTP/1.1\r\nX: y", "/push"],
    ["GET /push HTTP/1.0", "/push"],
    ["GET /push HTTP/1.1\r\nHost: localhost/admin?", 400],
    ["GET /push HTTP/1.1\r\nHost: a b", 400],
    ["GET /push HTTP/1.1\r\nHost: ", 400],
    ["GET /push HTTP/1.1\r\nHost: me@localhost", 400],
    ["GET /push HTTP/1.1\r\nHost: localhost:99999", 400],
    ["GET http://evil.example:x/push HTTP/1.1\r\nHost: localhost", 400],
    ["GET /push HTTP/1.1\r\nHost: evil.example", 421],
    ["GET http://localhost/push HTTP/1.1\r\nHost: evil.example", 421],
    ["GET /push HTTP/1.1\r\nHost: localhost\r\nHost: localhost", 400],
    ["GET /push HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nOrigin: http://evil.example", 403],
    ["GET /push HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example", 403],
  ];
  for (const [head, answer] of table) {
    const { status, body } = await rawRequest(server.addr.port, `${head}\r\nConnection: close\r\n\r\n`);
    assertEquals(status === 200 ? body : status, answer, head);
  }
});

Deno.test("checkOrigin() refuses every random Origin that is not exactly ours, and throws nothing but a GongError", () => {
  const random = seeded(4);
  const pieces = [
    "http",
    "https",
    "://",
    ":",
    "/",
    "localhost",
    "LOCALHOST",
    "evil.example",
    ".",
    "8998",
    "@",
    "#",
    " ",
    ",",
    "[::1]",
    "null",
    "é",
  ] as const;
  let good = 0;
  for (let round = 0; round < 5_000; round++) {
    const host = random.int(2) === 0 ? "localhost:8998" : random.text(pieces, 4);
    const origin = random.pick(["", "http://", "https://", "HTTP://"]) + random.pick([host, random.text(pieces, 4)]) +
      random.pick(["", random.text(pieces, 2)]);
    // Headers trim what is around the value.
    const sent = request({ host, origin }).headers;
    if (verdict({}, { host, origin }) !== "ok") continue;
    good++;
    const named = sent.get("host")!.toLowerCase().replace(/:(80)?$/, "");
    assertEquals(sent.get("origin"), `http://${named}`);
    assert(/^(localhost|\[::1\])(:\d+)?$/.test(named), named);
  }
  assert(good > 100 && good < 2_500, `${good} of 5000 were ours`);
});
