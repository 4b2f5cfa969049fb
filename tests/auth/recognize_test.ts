import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { type AuthOptions, type AuthSettings, createAuth, type Grant } from "../../lib/auth.ts";
import type { Credentials } from "../../lib/auth/credentials.ts";
import { createTokens, type TokenSettings } from "../../lib/auth/tokens.ts";
import { defaultConfig } from "../../lib/config.ts";
import { GongError } from "../../lib/errors.ts";
import { signToken, TOKEN_SECRET } from "../support/tokens.ts";

const CLIENT = "192.0.2.7";
const PUBLISH_KEY = "a-key-to-publish-with";
const ADMIN_KEY = "a-key-of-the-admin";
const PUBLISH: Grant = { name: "app", scopes: ["publish"] };
const ADMIN: Grant = { name: "ops", scopes: ["admin"] };

function auth(settings: Partial<AuthSettings & TokenSettings> = {}, options: Partial<AuthOptions> = {}) {
  const config = defaultConfig({
    apiKey: [`app:publish:${PUBLISH_KEY}`, `ops:admin:${ADMIN_KEY}`],
    tokenSecret: [TOKEN_SECRET],
    ...settings,
  });
  const tokens = createTokens(config, { keys: [] });
  return createAuth(config, { secret: new Uint8Array(32).fill(7), tokens, ...options });
}

Deno.test("recognize() knows a key at once, and a user by a promise", async () => {
  const { recognize } = auth();
  const token = signToken({ sub: "42" });
  assertEquals(recognize({ key: PUBLISH_KEY }, CLIENT), PUBLISH);
  assertEquals(recognize({ bearer: ADMIN_KEY }, CLIENT), ADMIN);
  assertEquals(recognize({ key: ADMIN_KEY, bearer: ADMIN_KEY, token: ADMIN_KEY }, CLIENT), ADMIN);
  for (const said of [{ bearer: token }, { token }, { bearer: token, token }]) {
    const answer = recognize(said, CLIENT);
    assert(answer instanceof Promise);
    assertEquals((await answer).user?.id, "42");
  }
});

Deno.test("recognize() knows nobody by nothing", () => {
  for (const dev of [false, true]) assertEquals(auth({ dev }).recognize({}, CLIENT), undefined);
});

Deno.test("recognize() refuses two that differ, and the name of a user without --dev", () => {
  const { recognize } = auth();
  const token = signToken();
  const table: [said: Credentials, field: string][] = [
    [{ key: ADMIN_KEY, bearer: PUBLISH_KEY }, "X-API-Key"],
    [{ key: ADMIN_KEY, token }, "token"],
    [{ bearer: signToken({ sub: "7" }), token }, "token"],
    [{ user: "42" }, "user"],
    [{ user: "42", token }, "user"],
  ];
  for (const [said, field] of table) {
    const error = assertThrows(() => recognize(said, CLIENT), GongError);
    assertEquals([error.code, error.field], ["bad_request", field]);
  }
  const dev = auth({ dev: true });
  assertEquals(assertThrows(() => dev.recognize({ user: "42", token }, CLIENT), GongError).field, "user");
});

Deno.test("recognize() counts wrong keys towards blocking the address, and looks at none of a blocked one", async () => {
  const failures: string[] = [];
  const refused: string[] = [];
  const { recognize, block } = auth({}, {
    onFailure: (address) => failures.push(address),
    onTokenRefused: (_fault, address) => refused.push(address),
  });
  for (const said of [{ key: "no-such-key-as-this-one" }, { bearer: "no-such-key-as-this-one" }]) {
    assertEquals(assertThrows(() => recognize(said, CLIENT), GongError).code, "unauthorized");
  }
  assertEquals(failures, [CLIENT, CLIENT]);
  block(CLIENT, Date.now() + 60_000);
  for (const said of [{ key: ADMIN_KEY }, { bearer: ADMIN_KEY }]) {
    assertEquals(assertThrows(() => recognize(said, CLIENT), GongError).code, "rate_limited");
  }
  assertEquals(recognize({ key: ADMIN_KEY }, "192.0.2.8"), ADMIN);
  for (const said of [{ bearer: signToken({ exp: 1 }) }, { token: "no token" }]) {
    const error = await assertRejects(async () => await recognize(said, CLIENT), GongError);
    assertEquals([error.code, error.message], ["unauthorized", "The token is not valid."]);
  }
  assertEquals([failures.length, refused], [2, [CLIENT, CLIENT]]);
});

Deno.test("recognize() with dev and no keys looks at no key, but at tokens and the name of a user", async () => {
  const { recognize } = auth({ dev: true, apiKey: [] });
  for (const said of [{ key: "guest" }, { bearer: "guest" }, { key: "guest", bearer: "other" }]) {
    assertEquals(recognize(said, CLIENT), undefined);
  }
  assertEquals((await recognize({ bearer: signToken() }, CLIENT))?.user?.id, "42");
  assertEquals((await recognize({ key: "guest", user: "7" }, CLIENT))?.user?.id, "7");
  await assertRejects(async () => await recognize({ token: "guest" }, CLIENT), GongError);
  const without = auth({ dev: true, apiKey: [], tokenSecret: [] });
  assertEquals(without.recognize({ bearer: signToken() }, CLIENT), undefined);
  const keyed = auth({ dev: true });
  assertThrows(() => keyed.recognize({ key: "guest" }, CLIENT), GongError, "The key is not valid.");
});

Deno.test("recognize() answers a promise that nobody has to handle", async () => {
  void auth().recognize({ token: signToken({ exp: 1 }) }, CLIENT);
  await new Promise((resolve) => setTimeout(resolve));
});
