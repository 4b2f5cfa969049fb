import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { type AuthOptions, type AuthSettings, createAuth, type Grant } from "../../lib/auth.ts";
import { createTokens, type TokenSettings } from "../../lib/auth/tokens.ts";
import { defaultConfig } from "../../lib/config.ts";
import { type ErrorCode, GongError } from "../../lib/errors.ts";
import { signToken, TOKEN_SECRET } from "../support/tokens.ts";

const CLIENT = "192.0.2.7";
const PUBLISH: Grant = { name: "app", scopes: ["publish"] };
const ADMIN: Grant = { name: "ops", scopes: ["admin"] };

function request(headers: Record<string, string>): Request {
  return new Request("http://localhost/push", { headers: { host: "localhost", ...headers } });
}

function refusal(call: () => unknown): GongError {
  return assertThrows(call, GongError);
}

function bearer(key: string): Record<string, string> {
  return { authorization: `Bearer ${key}` };
}

/** A request with a query, which the URL that is asked with shows when it was looked at. */
function asked(query: string, headers: Record<string, string> = {}, method = "GET") {
  const { identify } = users();
  const request = new Request(`http://localhost/push${query}`, { method, headers: { host: "localhost", ...headers } });
  const url = new URL(request.url);
  return { url, identify: () => identify(request, url, CLIENT) };
}

function users(settings: Partial<AuthSettings & TokenSettings> = {}, options: Partial<AuthOptions> = {}) {
  const config = defaultConfig({
    allowHost: ["localhost"],
    allowOrigin: ["https://app.example.com"],
    apiKey: ["app:publish:a-key-to-publish-with", "ops:admin:a-key-of-the-admin"],
    tokenSecret: [TOKEN_SECRET],
    ...settings,
  });
  const tokens = createTokens(config, { keys: [] });
  return createAuth(config, { secret: new Uint8Array(32).fill(7), tokens, ...options });
}

Deno.test("identify() knows a user by a token wherever it may come, and answers by a promise only then", async () => {
  const token = signToken({ sub: "42", channels: ["room:*"] });
  const own = { origin: "http://localhost" };
  const table: [query: string, headers: Record<string, string>][] = [
    ["", bearer(token)],
    [`?token=${token}`, {}],
    [`?token=${token}`, bearer(token)],
    [`?token=${token}`, { cookie: `gong-token=${signToken({ sub: "7" })}`, ...own }],
    ["", { cookie: `other=1; gong-token=${token}`, ...own }],
    ["", { cookie: `gong-token=${token}`, origin: "https://app.example.com" }],
    ["", { cookie: `gong-token=${token}`, "sec-fetch-site": "same-origin" }],
  ];
  for (const [query, headers] of table) {
    const answer = asked(query, headers).identify();
    assert(answer instanceof Promise, JSON.stringify([query, headers]));
    const { user, scopes, name } = await answer;
    assertEquals([user?.id, user?.subscribe("room:1"), scopes, name], ["42", true, [], "user:42"]);
  }
  assertEquals(asked("", bearer("a-key-of-the-admin")).identify(), ADMIN);
  assertEquals(asked("").identify(), undefined);
});

Deno.test("identify() takes a token's cookie only from pages of ours and of allowOrigin", () => {
  const cookie = `gong-token=${signToken()}`;
  const table: [headers: Record<string, string>, method: string, code?: ErrorCode][] = [
    [{ "sec-fetch-site": "cross-site" }, "GET"],
    [{ "sec-fetch-site": "same-site" }, "GET"],
    [{}, "POST"],
    [{ origin: "https://evil.example" }, "GET", "forbidden"],
    [{ origin: "null" }, "POST", "forbidden"],
  ];
  for (const [headers, method, code] of table) {
    const { identify } = asked("", { cookie, ...headers }, method);
    if (code) assertEquals(refusal(identify).code, code);
    else assertEquals(identify(), undefined, JSON.stringify(headers));
  }
});

Deno.test("identify() lets a login count before a token's cookie", () => {
  const { identify, login } = users();
  const { cookie, grant } = login("a-key-of-the-admin", CLIENT);
  const both = request({ cookie: `${cookie.split(";")[0]}; gong-token=${signToken()}` });
  assertEquals(identify(both, new URL(both.url), CLIENT), grant);
});

Deno.test("identify() takes `token` and `user` out of the query, also when it refuses", () => {
  const table = [`?channel=a&token=${signToken()}&echo=false`, "?channel=a&token=x&echo=false&token=y"];
  for (const query of [...table, "?channel=a&user=42&echo=false"]) {
    const { url, identify } = asked(query);
    try {
      identify();
    } catch (error) {
      assert(error instanceof GongError);
    }
    assertEquals(url.search, "?channel=a&echo=false", query);
  }
});

Deno.test("identify() refuses two that differ in who it is, and the parameter `user` without --dev", () => {
  const token = signToken();
  const table: [query: string, headers: Record<string, string>, field: string][] = [
    [`?token=${token}`, bearer("a-key-of-the-admin"), "token"],
    [`?token=${token}`, { "x-api-key": "a-key-of-the-admin" }, "token"],
    [`?token=${token}`, bearer(signToken({ sub: "7" })), "token"],
    [`?token=${token}&token=${token}`, {}, "token"],
    ["", { "x-api-key": "a-key-of-the-admin", ...bearer(token) }, "X-API-Key"],
    ["?user=42", {}, "user"],
    [`?user=42&token=${token}`, {}, "user"],
  ];
  for (const [query, headers, field] of table) {
    const error = refusal(asked(query, headers).identify);
    assertEquals([error.code, error.field], ["bad_request", field], query);
    assert(!`${error.stack}${Deno.inspect(error)}`.includes(token));
  }
});

Deno.test("identify() says of a token that is not valid nothing but that, and blocks nobody for it", async () => {
  const failures: string[] = [];
  const refused: [check: string, address: string][] = [];
  const { identify, verify, block } = users({}, {
    onFailure: (address) => failures.push(address),
    onTokenRefused: ({ check }, address) => refused.push([check, address]),
  });
  const expired = signToken({ exp: 1 });
  const forged = signToken({}, "another-secret-of-enough-characters-for-it");
  block(CLIENT, Date.now() + 60_000);
  for (const token of [expired, forged]) {
    const shown = request(bearer(token));
    for (const ask of [() => identify(shown, new URL(shown.url), CLIENT)!, () => verify(token, CLIENT)]) {
      const error = await assertRejects(async () => await ask(), GongError);
      assertEquals([error.code, error.message], ["unauthorized", "The token is not valid."]);
    }
  }
  assertEquals(failures, []);
  assertEquals(refused, ["expired", "expired", "signature", "signature"].map((check) => [check, CLIENT]));
});

Deno.test("identify() takes a token for no wrong key where no token can be accepted", async () => {
  const failures: string[] = [];
  const refused: string[] = [];
  const { identify } = users({ tokenSecret: [] }, {
    onFailure: (address) => failures.push(address),
    onTokenRefused: ({ check }) => refused.push(check),
  });
  for (const shown of [request(bearer(signToken())), request({ "x-api-key": signToken() })]) {
    const error = await assertRejects(async () => await identify(shown, new URL(shown.url), CLIENT), GongError);
    assertEquals(error.code, "unauthorized");
  }
  assertEquals([failures, refused], [[CLIENT], ["key"]]);
});

Deno.test("identify() takes a configured key for a key though it looks like a token, but of a blocked address none", async () => {
  const { identify, block } = users({ apiKey: ["app:publish:aaaaaaaa.bbbbbbbb.cccccccc"] });
  const shown = request(bearer("aaaaaaaa.bbbbbbbb.cccccccc"));
  const ask = () => identify(shown, new URL(shown.url), CLIENT);
  assertEquals(ask(), PUBLISH);
  block(CLIENT, Date.now() + 60_000);
  await assertRejects(async () => await ask(), GongError, "The token is not valid.");
});

Deno.test("identify() with dev knows a user by the parameter, and one by a token", async () => {
  const dev = { dev: true, apiKey: [], allowHost: ["localhost"] };
  const { identify, may } = users(dev);
  const ask = (target: string, headers: Record<string, string> = {}) => {
    const request = new Request(`http://localhost${target}`, { headers: { host: "localhost", ...headers } });
    return identify(request, new URL(request.url), CLIENT);
  };
  const grant = ask("/push?user=42") as Grant;
  assertEquals([grant.user?.id, grant.user?.info, grant.until], ["42", undefined, undefined]);
  assert(may(grant, "publish", "anything") && may(grant, "subscribe", "$user/42"));
  assertEquals((await ask("/push", bearer(signToken())))?.user?.id, "42");
  assertEquals(ask("/push", bearer("whatever")), undefined);
  for (const user of ["", "\n", "x".repeat(129)]) {
    assertEquals(refusal(() => ask(`/push?user=${encodeURIComponent(user)}`)).field, "user");
  }
});
