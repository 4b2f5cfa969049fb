import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { createAuth } from "../lib/auth.ts";
import type { AuthOptions, AuthSettings, Grant } from "../lib/auth.ts";
import { requestUrl } from "../lib/auth/origins.ts";
import { createTokens, type TokenSettings } from "../lib/auth/tokens.ts";
import { GongError } from "../lib/errors.ts";
import type { ErrorCode } from "../lib/errors.ts";
import { seeded } from "./support/random.ts";

const DEFAULTS: AuthSettings & TokenSettings = {
  dev: false,
  publicUrl: "",
  allowHost: ["localhost"],
  allowOrigin: ["https://app.example.com"],
  requireOrigin: false,
  adminListen: "",
  cert: "",
  apiKey: ["app:publish:p-old", "app:publish:p-new", "graph:stats:s-key", "ops:admin:a-key"],
  publicChannels: ["broadcast", "news:*"],
  allowPublish: ["wall"],
  rule: [],
  historyCount: 10,
  historyBytes: 1000,
  historyAge: 60,
  adminSession: 3_600,
  tokenCookie: "gong-token",
  tokenSecret: [],
  tokenJwks: "",
  tokenIssuer: "",
  tokenAudience: "",
};
const SECRET = new Uint8Array(32).fill(7);
const CLIENT = "192.0.2.7";

/** As an edge has it; `identify()` is asked with the URL of the request, as a server does. */
function auth(settings: Partial<AuthSettings & TokenSettings> = {}, options: Partial<AuthOptions> = {}) {
  const config = { ...DEFAULTS, ...settings };
  const { now = Date.now } = options;
  const auth = createAuth(config, { secret: SECRET, tokens: createTokens(config, { keys: [], now }), ...options });
  return {
    ...auth,
    identify: (request: Request, address: string) => auth.identify(request, requestUrl(request), address),
  };
}

function request(headers: Record<string, string> = {}, method = "GET"): Request {
  return new Request("http://localhost/api/publish", { method, headers: { host: "localhost", ...headers } });
}

function refusal(call: () => unknown): GongError {
  return assertThrows(call, GongError);
}

function bearer(key: string): Record<string, string> {
  return { authorization: `Bearer ${key}` };
}

const NOBODY = undefined;
const PUBLISH: Grant = { name: "app", scopes: ["publish"] };
const STATS: Grant = { name: "graph", scopes: ["stats"] };
const ADMIN: Grant = { name: "ops", scopes: ["admin"] };

Deno.test("identify() knows a key by X-API-Key and by Bearer, whichever of several it is", () => {
  const { identify } = auth();
  const table: [headers: Record<string, string>, grant: Grant | undefined][] = [
    [{}, NOBODY],
    [{ "x-api-key": "p-old" }, PUBLISH],
    [{ "x-api-key": "p-new" }, PUBLISH],
    [{ "X-API-KEY": "s-key" }, STATS],
    [bearer("a-key"), ADMIN],
    [{ authorization: "bearer a-key" }, ADMIN],
    [{ authorization: "BEARER   a-key" }, ADMIN],
    [{ "x-api-key": "a-key", ...bearer("a-key") }, ADMIN],
  ];
  for (const [headers, grant] of table) {
    assertEquals(identify(request(headers), CLIENT), grant, JSON.stringify(headers));
  }
});

Deno.test("identify() refuses wrong, empty, doubled and contradicting keys, and other schemes", () => {
  const failures: string[] = [];
  const { identify } = auth({}, { onFailure: (address) => failures.push(address) });
  const table: [headers: Record<string, string>, code: ErrorCode, counts: boolean][] = [
    [{ "x-api-key": "wrong" }, "unauthorized", true],
    [{ "x-api-key": "" }, "unauthorized", true],
    [{ "x-api-key": "p-old, p-new" }, "unauthorized", true],
    [{ "x-api-key": "ops:admin:a-key" }, "unauthorized", true],
    [bearer("wrong"), "unauthorized", true],
    [{ authorization: "" }, "unauthorized", false],
    [{ authorization: "Bearer" }, "unauthorized", false],
    [{ authorization: "a-key" }, "unauthorized", false],
    [{ authorization: "Basic YS1rZXk6" }, "unauthorized", false],
    [{ authorization: "Bearer a-key, Bearer a-key" }, "unauthorized", false],
    [{ "x-api-key": "p-old", ...bearer("p-new") }, "bad_request", false],
    [{ "x-api-key": "wrong", ...bearer("a-key") }, "bad_request", false],
  ];
  for (const [headers, code, counts] of table) {
    failures.length = 0;
    assertEquals(refusal(() => identify(request(headers), CLIENT)).code, code, JSON.stringify(headers));
    assertEquals(failures, counts ? [CLIENT] : [], JSON.stringify(headers));
  }
});

Deno.test("identify() never puts a key into what it throws", () => {
  const { identify } = auth();
  for (const headers of [{ "x-api-key": "hunter2" }, bearer("hunter2"), { authorization: "Basic hunter2" }]) {
    const error = refusal(() => identify(request(headers), CLIENT));
    assert(!`${error.stack}${Deno.inspect(error)}`.includes("hunter2"));
  }
});

Deno.test("block() refuses every key from the address, right or wrong, until its time is over", () => {
  let now = 1_000_000;
  const failures: string[] = [];
  const { identify, login, block } = auth({}, { now: () => now, onFailure: (address) => failures.push(address) });
  block(CLIENT, now + 59_001);
  for (const key of ["a-key", "wrong"]) {
    for (const attempt of [() => identify(request(bearer(key)), CLIENT), () => login(key, CLIENT)]) {
      const { code, retryAfter } = refusal(attempt);
      assertEquals([code, retryAfter], ["rate_limited", 60]);
    }
  }
  assertEquals(failures, []);
  assertEquals(identify(request(), CLIENT), undefined);
  assertEquals(identify(request(bearer("a-key")), "192.0.2.8"), ADMIN);
  now += 59_001;
  assertEquals(identify(request(bearer("a-key")), CLIENT), ADMIN);
});

Deno.test("block() lets a login by cookie go on, and is lifted by a time that is past", () => {
  const { identify, login, block } = auth();
  const { cookie, grant } = login("a-key", CLIENT);
  block(CLIENT, Date.now() + 60_000);
  assertEquals(identify(request({ cookie: value(cookie) }), CLIENT), grant);
  block(CLIENT, 0);
  assertEquals(identify(request(bearer("a-key")), CLIENT), ADMIN);
});

Deno.test("block() remembers at most 10,000 addresses, the latest", () => {
  const { identify, block } = auth();
  for (let number = 0; number <= 10_000; number++) block(`host${number}`, Infinity);
  assertEquals(identify(request(bearer("a-key")), "host0"), ADMIN);
  assertEquals(refusal(() => identify(request(bearer("a-key")), "host1")).code, "rate_limited");
  assertEquals(refusal(() => identify(request(bearer("a-key")), "host10000")).code, "rate_limited");
});

function value(setCookie: string): string {
  return setCookie.slice(0, setCookie.indexOf(";"));
}

Deno.test("login() gives a cookie that identify() knows on every edge, and logout() ends it", () => {
  const [one, two] = [auth(), auth()];
  const { cookie, grant } = one.login("a-key", CLIENT);
  const asked = request({ cookie: value(cookie) });
  assertEquals(grant, { ...ADMIN, login: grant.login!, until: grant.until! });
  assertEquals([one.identify(asked, CLIENT), two.identify(asked, CLIENT)], [grant, grant]);
  assertMatch(one.logout(grant), /^gong=; .*Max-Age=0/);
  assertEquals(one.identify(asked, CLIENT), undefined);
  two.revoke(grant.login!);
  assertEquals(two.identify(asked, CLIENT), undefined);
  assertMatch(one.logout(undefined), /Max-Age=0/);
});

Deno.test("login() refuses and counts a wrong key", () => {
  const failures: string[] = [];
  const { login } = auth({}, { onFailure: (address) => failures.push(address) });
  assertEquals(refusal(() => login("wrong", CLIENT)).code, "unauthorized");
  assertEquals(failures, [CLIENT]);
});

Deno.test("identify() counts the cookie only from our own pages, and refuses it with a foreign origin", () => {
  const { identify, login } = auth({ publicUrl: "http://push.example.com", requireOrigin: true });
  const { cookie, grant } = login("a-key", CLIENT);
  const table: [headers: Record<string, string>, method: string, expected: Grant | undefined | ErrorCode][] = [
    [{}, "GET", grant],
    [{ origin: "http://localhost" }, "GET", grant],
    [{ origin: "http://localhost" }, "POST", grant],
    [{ origin: "http://push.example.com" }, "DELETE", grant],
    [{ "sec-fetch-site": "same-origin" }, "GET", grant],
    [{ "sec-fetch-site": "cross-site" }, "GET", undefined],
    [{}, "POST", undefined],
    [{ origin: "https://app.example.com" }, "POST", undefined],
    [{ origin: "https://evil.example" }, "GET", "forbidden"],
    [{ origin: "null" }, "POST", "forbidden"],
    [{ origin: "http://localhost:3000" }, "POST", "forbidden"],
    [{ host: "local host" }, "GET", "bad_request"],
  ];
  for (const [headers, method, expected] of table) {
    const asked = request({ cookie: value(cookie), ...headers }, method);
    const seen = `${method} ${JSON.stringify(headers)}`;
    if (typeof expected === "string") assertEquals(refusal(() => identify(asked, CLIENT)).code, expected, seen);
    else assertEquals(identify(asked, CLIENT), expected, seen);
  }
});

Deno.test("identify() prefers a key to the cookie, and checks the origin of both together", () => {
  const { identify, login } = auth();
  const cookie = value(login("a-key", CLIENT).cookie);
  assertEquals(identify(request({ cookie, ...bearer("s-key") }), CLIENT), STATS);
  assertEquals(refusal(() => identify(request({ cookie, ...bearer("wrong") }), CLIENT)).code, "unauthorized");
  const foreign = { origin: "https://evil.example", ...bearer("s-key") };
  assertEquals(refusal(() => identify(request({ cookie, ...foreign }), CLIENT)).code, "forbidden");
  assertEquals(identify(request(foreign), CLIENT), STATS);
});

Deno.test("identify() takes a bad cookie for no grant", () => {
  const { identify } = auth();
  for (const cookie of ["gong=", "gong=x", "gong", "other=1", `gong=${"A".repeat(22)}.9.x.y`]) {
    assertEquals(identify(request({ cookie }), CLIENT), undefined, cookie);
  }
});

Deno.test("may() says what the rules say, for nobody and for keys", () => {
  const { may } = auth();
  const table: [action: "subscribe" | "publish", channel: string, verdicts: [boolean, boolean, boolean, boolean]][] = [
    // Of: nobody, a stats key, a publish key, an admin key.
    ["subscribe", "broadcast", [true, true, true, true]],
    ["subscribe", "news:sport", [true, true, true, true]],
    ["subscribe", "wall", [false, false, false, true]],
    ["subscribe", "room:42", [false, false, false, true]],
    ["subscribe", "$admin", [false, false, false, true]],
    ["subscribe", "$user/7", [false, false, false, true]],
    ["publish", "wall", [true, true, true, true]],
    ["publish", "broadcast", [false, false, true, true]],
    ["publish", "room:42", [false, false, true, true]],
    ["publish", "$admin", [false, false, false, false]],
    ["publish", "$user/7", [false, false, true, true]],
  ];
  for (const [action, channel, verdicts] of table) {
    const seen = [NOBODY, STATS, PUBLISH, ADMIN].map((grant) => may(grant, action, channel));
    assertEquals(seen, verdicts, `${action} ${channel}`);
  }
});

Deno.test("may() opens no reserved channel by a pattern", () => {
  const { may } = auth({ publicChannels: ["*", "$*"], allowPublish: ["*", "$*"] });
  assertEquals([may(NOBODY, "subscribe", "x"), may(NOBODY, "publish", "x")], [true, true]);
  assertEquals([may(NOBODY, "subscribe", "$admin"), may(NOBODY, "publish", "$admin")], [false, false]);
});

Deno.test("may() with dev opens everything but publishing to reserved channels", () => {
  const { may } = auth({ dev: true, apiKey: [] });
  assertEquals([may(NOBODY, "subscribe", "room:42"), may(NOBODY, "publish", "room:42")], [true, true]);
  assertEquals([may(NOBODY, "subscribe", "$admin"), may(NOBODY, "publish", "$admin")], [true, false]);
});

Deno.test("require() asks for a grant, then for its scope, and admin has them all", () => {
  const auths = auth();
  const table: [grant: Grant | undefined, scopes: ["ok" | ErrorCode, "ok" | ErrorCode, "ok" | ErrorCode]][] = [
    [NOBODY, ["unauthorized", "unauthorized", "unauthorized"]],
    [PUBLISH, ["ok", "forbidden", "forbidden"]],
    [STATS, ["forbidden", "ok", "forbidden"]],
    [ADMIN, ["ok", "ok", "ok"]],
    [{ name: "both", scopes: ["publish", "stats"] }, ["ok", "ok", "forbidden"]],
    [{ name: "none", scopes: [] }, ["forbidden", "forbidden", "forbidden"]],
  ];
  for (const [grant, verdicts] of table) {
    (["publish", "stats", "admin"] as const).forEach((scope, at) => {
      const expected = verdicts[at];
      if (expected === "ok") assertEquals(auths.require(grant, scope), grant);
      else assertEquals(refusal(() => auths.require(grant, scope)).code, expected, `${grant?.name} ${scope}`);
    });
  }
});

Deno.test("require() with dev makes everybody admin", () => {
  const { require } = auth({ dev: true, apiKey: [] });
  assertEquals(require(NOBODY, "admin"), { name: "dev", scopes: ["admin"] });
  assertEquals(require(STATS, "admin").scopes, ["admin"]);
});

Deno.test("identify() with dev looks at keys only where some are configured, and at Host always", () => {
  const open = auth({ dev: true, apiKey: [] });
  assertEquals(open.identify(request({ "x-api-key": "whatever", authorization: "Basic x" }), CLIENT), undefined);
  const keyed = auth({ dev: true });
  assertEquals(refusal(() => keyed.identify(request(bearer("wrong")), CLIENT)).code, "unauthorized");
  assertEquals(keyed.identify(request(bearer("s-key")), CLIENT), STATS);
  const rebound = request({ host: "evil.example", cookie: "gong=x" });
  for (
    const check of [
      () => keyed.checkHost(rebound, new URL("http://evil.example/")),
      () => keyed.checkOrigin(rebound, new URL("http://evil.example/")),
      () => keyed.identify(rebound, CLIENT),
    ]
  ) assertEquals(refusal(check).code, "misdirected");
});

Deno.test("identify() with dev refuses what a foreign page sends, since everybody is admin there", () => {
  const { identify } = auth({ dev: true, apiKey: [] });
  const table: [origin: string | undefined, method: string, expected: "ok" | ErrorCode][] = [
    [undefined, "POST", "ok"],
    ["http://localhost", "POST", "ok"],
    ["https://app.example.com", "POST", "ok"],
    ["https://evil.example", "POST", "forbidden"],
    ["https://evil.example", "GET", "forbidden"],
    ["null", "POST", "forbidden"],
  ];
  for (const [origin, method, expected] of table) {
    const asked = request(origin === undefined ? {} : { origin }, method);
    if (expected === "ok") assertEquals(identify(asked, CLIENT), undefined);
    else assertEquals(refusal(() => identify(asked, CLIENT)).code, expected, origin);
  }
});

Deno.test("isOwn() tells our own pages from those that may only connect", () => {
  const { isOwn } = auth();
  const url = new URL("http://localhost/");
  const origins = ["http://localhost", "https://app.example.com", "https://evil.example"];
  assertEquals(origins.map((origin) => isOwn(request({ origin }, "POST"), url)), [true, false, false]);
});

Deno.test("checkOrigin() follows requireOrigin", () => {
  const url = new URL("http://localhost/push");
  auth().checkOrigin(request(), url);
  assertEquals(refusal(() => auth({ requireOrigin: true }).checkOrigin(request(), url)).code, "forbidden");
});

Deno.test("createAuth() refuses a secret that is too short to sign with", () => {
  assertThrows(() => auth({}, { secret: new Uint8Array(15) }), RangeError);
});

Deno.test("identify() throws nothing but a GongError on random headers, and grants nothing without a key", () => {
  const random = seeded(6);
  const { identify, login } = auth();
  const good = value(login("a-key", CLIENT).cookie);
  const pieces = [
    "Bearer",
    "bearer",
    "Basic",
    " ",
    "a-key",
    "s-key",
    "wrong",
    ",",
    "gong=",
    good,
    ";",
    "é",
    "http://localhost",
    "null",
  ] as const;
  let granted = 0;
  for (let round = 0; round < 3_000; round++) {
    const headers: Record<string, string> = {};
    for (const name of ["x-api-key", "authorization", "cookie", "origin"]) {
      if (random.int(3) === 0) headers[name] = random.text(pieces, 3);
    }
    try {
      const grant = identify(request(headers), CLIENT);
      if (grant === undefined) continue;
      granted++;
      const shown = JSON.stringify(headers);
      assert(shown.includes("a-key") || shown.includes("s-key") || shown.includes(good), shown);
    } catch (error) {
      if (!(error instanceof GongError)) throw error;
    }
  }
  assert(granted > 10, `only ${granted} of 3000 were granted`);
});
