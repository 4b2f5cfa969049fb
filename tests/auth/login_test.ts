import { assert, assertEquals, assertMatch } from "@std/assert";
import { createKeys, findKey } from "../../lib/auth/keys.ts";
import { createLogins } from "../../lib/auth/login.ts";
import type { LoginOptions, Logins } from "../../lib/auth/login.ts";
import { seeded } from "../support/random.ts";

const SECRET = new Uint8Array(32).fill(7);
const HOUR = 3_600;

function logins(options: Partial<LoginOptions> = {}, config: Partial<LoginOptions["config"]> = {}): Logins {
  return createLogins({
    config: { cert: "", publicUrl: "", adminListen: "", adminSession: 12 * HOUR, ...config },
    keys: createKeys(["ops:admin:correct-horse", "graph:stats:battery"]),
    secret: SECRET,
    now: () => 0,
    ...options,
  });
}

function issue(from: Logins, at = 0) {
  const { cookie, grant } = from.issue(createKeys(["ops:admin:correct-horse", "graph:stats:battery"])[at]!);
  return { cookie, grant, value: valueOf(cookie) };
}

function valueOf(cookie: string): string {
  return /=([^;]*)/.exec(cookie)?.[1] ?? "";
}

Deno.test("issue() makes a cookie that scripts, other sites and plain HTTP do not get", () => {
  assertMatch(
    issue(logins({}, { cert: "cert.pem" })).cookie,
    /^__Host-gong=[\w.-]+; Secure; HttpOnly; Max-Age=43200; SameSite=Strict; Path=\/$/,
  );
  assertMatch(issue(logins({}, { publicUrl: "https://push.example.com" })).cookie, /^__Host-gong=.*; Secure;/);
  assertMatch(issue(logins()).cookie, /^gong=[\w.-]+; HttpOnly; Max-Age=43200; SameSite=Strict; Path=\/$/);
  assertMatch(issue(logins({}, { publicUrl: "http://push.example.com" })).cookie, /^gong=/);
});

Deno.test("issue() gives every login an id of its own and a cookie without the key", () => {
  const edge = logins();
  const [one, two] = [issue(edge), issue(edge)];
  assert(one.grant.login !== two.grant.login);
  assertMatch(one.grant.login ?? "", /^[\w-]{22}$/);
  for (const { cookie } of [one, two]) {
    for (const word of ["correct-horse", btoa("correct-horse").slice(0, 16), "ops", "admin"]) {
      assert(!cookie.includes(word), word);
    }
  }
});

Deno.test("verify() accepts on every edge what one of them issued", () => {
  const { grant, value } = issue(logins(), 1);
  assertEquals(logins().verify(value), grant);
  assertEquals({ name: grant.name, scopes: grant.scopes }, { name: "graph", scopes: ["stats"] });
});

Deno.test("verify() accepts nothing issued under another secret", () => {
  assertEquals(logins().verify(issue(logins({ secret: new Uint8Array(32) })).value), undefined);
});

Deno.test("verify() ends a login at its expiry and not before", () => {
  let now = 1_790_000_000_000;
  const edge = logins({ now: () => now });
  const { value, grant } = issue(edge);
  now += 12 * HOUR * 1000 - 1;
  assertEquals(edge.verify(value), grant);
  now += 1;
  assertEquals(edge.verify(value), undefined);
});

Deno.test("verify() ends the logins of a key that is no longer configured, and of one whose secret was changed", () => {
  const { value, grant } = issue(logins());
  assertEquals(logins({ keys: createKeys(["ops:admin:other", "ops:admin:correct-horse"]) }).verify(value), grant);
  assertEquals(logins({ keys: createKeys(["ops:admin:other"]) }).verify(value), undefined);
  assertEquals(logins({ keys: [] }).verify(value), undefined);
});

Deno.test("verify() gives a login the scopes that its key has now", () => {
  const { value } = issue(logins());
  assertEquals(logins({ keys: createKeys(["ops:stats:correct-horse"]) }).verify(value)?.scopes, ["stats"]);
});

Deno.test("verify() gives a login the first of two keys with one secret, as the key itself would", () => {
  const keys = createKeys(["graph:stats:same", "ops:admin:same"]);
  const edge = logins({ keys });
  const { cookie, grant } = edge.issue(findKey(keys, "same")!);
  assertEquals(grant.scopes, ["stats"]);
  assertEquals(edge.verify(valueOf(cookie)), grant);
});

Deno.test("verify() refuses a cookie that differs in one character", () => {
  const edge = logins();
  const { value } = issue(edge);
  for (let at = 0; at < value.length; at++) {
    for (const other of ["A", "B", "0", "9", "-", ".", "=", "", "AA"]) {
      const changed = value.slice(0, at) + other + value.slice(at + 1);
      if (changed !== value) assertEquals(edge.verify(changed), undefined, `${other} at ${at}`);
    }
  }
  assertEquals(edge.verify(value)?.name, "ops");
});

Deno.test("verify() and read() take random cookies for nobody's, and throw nothing", () => {
  const random = seeded(5);
  const edge = logins();
  const { value } = issue(edge);
  const [login = "", expiry = "", key = "", mac = ""] = value.split(".");
  const pieces = [
    "gong",
    "__Host-gong",
    "=",
    ";",
    " ",
    ".",
    '"',
    "%",
    "é",
    "__proto__",
    "A",
    login,
    expiry,
    key,
    mac,
    "99999999999",
  ] as const;
  for (let round = 0; round < 5_000; round++) {
    const cookie = random.text(pieces, 10);
    const read = edge.read(new Headers({ cookie }));
    for (const seen of [read, cookie]) {
      if (seen !== undefined && seen !== value) assertEquals(edge.verify(seen), undefined, seen);
    }
  }
});

Deno.test("read() finds our cookie among others, and only under the name that is ours", () => {
  const { value } = issue(logins());
  const cookies = [
    `gong=${value}`,
    `a=b; gong=${value}`,
    `gong=${value}; __Host-gong=x`,
    `a;b=;  gong=${value};`,
    `=x; ;a; gong = ${value}`,
  ];
  for (const cookie of cookies) assertEquals(logins().read(new Headers({ cookie })), value, cookie);
  for (const cookie of ["", "a=b", `GONG=${value}`, `xgong=${value}`, `__Host-gong=${value}`]) {
    assertEquals(logins().read(new Headers({ cookie })), undefined, cookie);
  }
  const secure = logins({}, { cert: "cert.pem" });
  assertEquals(secure.read(new Headers({ cookie: `gong=${value}` })), undefined);
  assertEquals(secure.read(new Headers({ cookie: `__Host-gong=${value}` })), value);
});

Deno.test("read() takes time in proportion to the header", () => {
  const started = performance.now();
  for (const pad of [" ", "=", "; ", "a=b;", "gong"]) {
    logins().read(new Headers({ cookie: "x" + pad.repeat(100_000) + "x" }));
  }
  assert(performance.now() - started < 1_000);
});

Deno.test("revoke() ends one login and no other", () => {
  const edge = logins();
  const [one, two] = [issue(edge), issue(edge)];
  edge.revoke(one.grant.login!);
  assertEquals(edge.verify(one.value), undefined);
  assertEquals(edge.verify(two.value), two.grant);
});

Deno.test("revoke() brings no login back when more are revoked than are remembered", () => {
  let now = 0;
  const edge = logins({ now: () => now });
  const [ended, bystander] = [issue(edge), issue(edge)];
  edge.revoke(ended.grant.login!);
  now = 60_000;
  for (let other = 0; other < 10_000; other++) edge.revoke(`${other}`);
  assertEquals(edge.verify(ended.value), undefined);
  // The price: a login as old as the forgotten one has to be made again.
  assertEquals(edge.verify(bystander.value), undefined);
  const later = issue(edge);
  assertEquals(edge.verify(later.value), later.grant);
});

Deno.test("revoke() forgets logins that have expired, at no price", () => {
  let now = 0;
  const edge = logins({ now: () => now });
  for (let other = 0; other < 10_000; other++) edge.revoke(`${other}`);
  now = 13 * HOUR * 1000;
  const { value, grant } = issue(edge);
  edge.revoke("one more");
  assertEquals(edge.verify(value), grant);
});

Deno.test("clear() removes the cookie under the name and attributes it was set with", () => {
  assertEquals(logins().clear(), "gong=; HttpOnly; Max-Age=0; SameSite=Strict; Path=/");
  assertEquals(
    logins({}, { cert: "cert.pem" }).clear(),
    "__Host-gong=; Secure; HttpOnly; Max-Age=0; SameSite=Strict; Path=/",
  );
});
