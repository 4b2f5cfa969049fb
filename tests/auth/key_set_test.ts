import { assert, assertEquals } from "@std/assert";
import { createTokens, type TokenFault, type Tokens } from "../../lib/auth/tokens.ts";
import { inSeconds, makePair, type Pair, signJwt } from "../support/signers.ts";
import { until } from "../support/until.ts";

const [OLD, NEW, ES256, RS256] = await Promise.all([
  makePair("EdDSA"),
  makePair("EdDSA"),
  makePair("ES256"),
  makePair("RS256"),
]);
const START = Date.now();
const MINUTE = 60_000;

/** An identity provider, tokens that are checked with its keys, and a clock that moves when told. */
class Stage implements AsyncDisposable {
  /** Requests that were made. */
  asked = 0;
  readonly faults: string[] = [];
  now = START;
  answer: () => Response | Promise<Response>;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly tokens: Tokens;

  constructor(answer: () => Response | Promise<Response>, settings: { tokenSecret?: readonly string[] } = {}) {
    this.answer = answer;
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {
      this.asked++;
      return this.answer();
    });
    const tokenJwks = `http://127.0.0.1:${this.#server.addr.port}/keys`;
    this.tokens = createTokens({ tokenSecret: [], tokenIssuer: "", tokenAudience: "", tokenJwks, ...settings }, {
      keys: [],
      now: () => this.now,
      onUnreachable: (error) => this.faults.push(error.message),
    });
  }

  /** `ok`, or the check that the token failed. */
  async judge(pair: Pair, kid?: string, claims: Record<string, unknown> = {}): Promise<string> {
    const token = await signJwt(
      { sub: "1", exp: inSeconds(86_400, this.now), ...claims },
      pair,
      kid === undefined ? {} : { kid },
    );
    return await this.judgeText(token);
  }

  async judgeText(token: string): Promise<string> {
    try {
      await this.tokens.verify(token);
      return "ok";
    } catch (error) {
      return ((error as Error).cause as TokenFault).check;
    }
  }

  /** Resolves when as many requests were made, and what they brought is in use. */
  async requests(count: number, pair: Pair, kid: string, verdict: string): Promise<void> {
    await until(async () => this.asked >= count && await this.judge(pair, kid) === verdict);
    assertEquals(this.asked, count);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

function setOf(...keys: readonly unknown[]): () => Response {
  return () => Response.json({ keys });
}

Deno.test("verify() takes tokens of the keys at the URL, which it asks for once, when they are needed", async () => {
  await using stage = new Stage(
    setOf({ ...OLD.jwk, kid: "a" }, { ...ES256.jwk, kid: "b" }, { ...RS256.jwk, kid: "c" }),
  );
  assert(stage.tokens.isConfigured);
  assertEquals(stage.asked, 0);
  const [a, b, c] = [stage.judge(OLD, "a"), stage.judge(ES256, "b"), stage.judge(RS256, "c")];
  assertEquals(await Promise.all([a, b, c]), ["ok", "ok", "ok"]);
  assertEquals(await stage.judge(OLD, "b"), "key");
  assertEquals(await stage.judge(NEW, "a"), "signature");
  assertEquals(stage.asked, 1);
});

Deno.test("verify() asks again for a kid that it does not know, at most once a minute, however many come", async () => {
  await using stage = new Stage(setOf({ ...OLD.jwk, kid: "old" }));
  assertEquals(await stage.judge(OLD, "old"), "ok");
  const storm = () => Promise.all(Array.from({ length: 200 }, (_, index) => stage.judge(NEW, `kid${index}`)));
  for (let minute = 1; minute <= 5; minute++) {
    stage.now += MINUTE;
    assertEquals(new Set(await storm()), new Set(["key"]));
    assertEquals(stage.asked, 1 + minute);
    stage.now += MINUTE - 1;
    await storm();
    assertEquals(stage.asked, 1 + minute);
    stage.now -= MINUTE - 1;
  }
  stage.answer = setOf({ ...OLD.jwk, kid: "old" }, { ...NEW.jwk, kid: "new" });
  assertEquals(await stage.judge(NEW, "new"), "key");
  stage.now += MINUTE;
  assertEquals(await stage.judge(NEW, "new"), "ok");
  assertEquals(await stage.judge(OLD, "old"), "ok");
});

Deno.test("verify() drops a key that was withdrawn, also for a token that it knows", async () => {
  await using stage = new Stage(setOf({ ...OLD.jwk, kid: "old" }));
  const known = await signJwt({ sub: "1", exp: inSeconds(86_400) }, OLD, { kid: "old" });
  assertEquals(await stage.judgeText(known), "ok");
  stage.answer = setOf({ ...NEW.jwk, kid: "new" });
  stage.now += 10 * MINUTE - 1;
  assertEquals(await stage.judgeText(known), "ok");
  assertEquals(stage.asked, 1);
  stage.now += 1;
  // Who comes at that moment does not wait for the answer; those after it are judged by it.
  await stage.judgeText(known);
  await stage.requests(2, OLD, "old", "key");
  assertEquals(await stage.judgeText(known), "key");
  assertEquals(await stage.judge(NEW, "new"), "ok");
});

Deno.test("verify() waits for the keys when nobody has used them for long", async () => {
  await using stage = new Stage(setOf({ ...OLD.jwk, kid: "old" }));
  const known = await signJwt({ sub: "1", exp: inSeconds(86_400) }, OLD, { kid: "old" });
  assertEquals(await stage.judgeText(known), "ok");
  stage.answer = setOf();
  stage.now += 20 * MINUTE;
  assertEquals(await Promise.all([stage.judgeText(known), stage.judge(OLD, "old")]), ["key", "key"]);
  assertEquals(stage.asked, 2);
});

Deno.test("verify() keeps the last good keys, whatever the URL answers", async () => {
  const never = Promise.withResolvers<void>();
  const body = (text: string | Uint8Array<ArrayBuffer>) => () => new Response(text);
  const endless = () =>
    new Response(
      new ReadableStream({ pull: (controller) => controller.enqueue(new TextEncoder().encode(" ".repeat(8192))) }),
    );
  const answers: [string, () => Response | Promise<Response>, RegExp][] = [
    ["500", () => Response.json({ keys: [] }, { status: 500 }), /status 500/],
    ["201", () => Response.json({ keys: [] }, { status: 201 }), /status 201/],
    ["204", () => new Response(null, { status: 204 }), /status 204/],
    ["a redirect", () => Response.redirect(`http://127.0.0.1:1/`, 302), /status (302|0)/],
    ["no JSON", body("<html>"), /not JSON/],
    ["no UTF-8", body(new Uint8Array([0x7b, 0xff])), /not UTF-8/],
    ["no object", body("null"), /no key set/],
    ["no keys", body("{}"), /no key set/],
    ["other keys", body('{"keys":{"0":{}}}'), /no key set/],
    ["nested", body("[".repeat(60_000)), /nested/],
    ["one byte too many", body(`{"keys":[]}`.padEnd(65_537)), /more than 65536 bytes/],
    ["no end", endless, /more than 65536 bytes/],
    ["nothing in time", () => never.promise.then(() => new Response("late")), /timed out|timeout/i],
  ];
  await using stage = new Stage(setOf({ ...OLD.jwk, kid: "old" }));
  assertEquals(await stage.judge(OLD, "old"), "ok");
  for (const [what, answer, fault] of answers) {
    stage.answer = answer;
    stage.now += MINUTE;
    assertEquals(await stage.judge(NEW, "new"), "unreachable", what);
    assertEquals(await stage.judge(OLD, "old"), "ok", what);
    const message = stage.faults.at(-1) ?? "";
    assert(fault.test(message), `${what}: ${message}`);
  }
  assertEquals([stage.asked, stage.faults.length], [1 + answers.length, answers.length]);
  never.resolve();
  // However long it lasts.
  stage.answer = answers[0]![1];
  stage.now += 24 * 60 * MINUTE;
  assertEquals(await stage.judge(OLD, "old"), "ok");
  await until(() => stage.faults.length === 1 + answers.length);
  stage.answer = setOf({ ...NEW.jwk, kid: "new" });
  stage.now += MINUTE;
  assertEquals(await stage.judge(NEW, "new"), "ok");
  assertEquals(await stage.judge(OLD, "old"), "key");
});

Deno.test("verify() takes the largest answer that is allowed", async () => {
  await using stage = new Stage(() =>
    new Response(JSON.stringify({ keys: [{ ...OLD.jwk, kid: "old" }] }).padEnd(65_536))
  );
  assertEquals(await stage.judge(OLD, "old"), "ok");
});

Deno.test("verify() is unreachable while there have never been keys, and asks every five seconds", async () => {
  await using stage = new Stage(() => new Response(null, { status: 503 }), { tokenSecret: ["s".repeat(32)] });
  assertEquals(new Set(await Promise.all([1, 2, 3].map(() => stage.judge(OLD, "old")))), new Set(["unreachable"]));
  stage.now += 4999;
  assertEquals(await stage.judge(OLD), "unreachable");
  assertEquals(stage.asked, 1);
  // One with a secret does not need them.
  const own = { alg: "HS256", key: new TextEncoder().encode("s".repeat(32)) };
  assertEquals(await stage.judgeText(await signJwt({ sub: "1", exp: inSeconds(60) }, own)), "ok");
  stage.answer = setOf({ ...OLD.jwk, kid: "old" });
  stage.now += 1;
  assertEquals(await stage.judge(OLD, "old"), "ok");
  assertEquals(stage.asked, 2);
});

Deno.test("verify() passes over keys that are not for it: secrets, other uses, weak ones and what is none", async () => {
  const weak = { kty: "RSA", n: RS256.jwk.n!.slice(0, 170), e: "AQAB" };
  const secret = { kty: "oct", k: btoa("s".repeat(32)), alg: "HS256" };
  const useless: readonly unknown[] = [
    ...[null, 1, "key", [], {}, { kty: "RSA" }, { kty: 7 }, { kty: "OKP", crv: "Ed25519", x: "AA" }, secret, weak],
    ...[{ ...ES256.jwk, x: "AAAA" }, { ...ES256.jwk, crv: "P-384" }, { ...RS256.jwk, e: "AQAAAAE" }],
    ...[{ ...OLD.jwk, use: "enc" }, { ...OLD.jwk, use: 1 }, { ...OLD.jwk, key_ops: ["sign"] }],
    ...[{ ...OLD.jwk, key_ops: "verify" }, { ...OLD.jwk, alg: "HS256" }, { ...OLD.jwk, alg: "Ed448" }],
    ...[{ ...OLD.jwk, kid: 7 }, { ...OLD.jwk, kid: "k".repeat(257) }],
  ];
  const named = useless.map((key) => typeof key === "object" && key ? { kid: "k", ...key } : key);
  await using stage = new Stage(setOf(...named));
  for (const pair of [OLD, ES256, RS256]) assertEquals(await stage.judge(pair, "k"), "key");
  const hmac = { alg: "HS256", key: new TextEncoder().encode("s".repeat(32)) };
  assertEquals(await stage.judgeText(await signJwt({ sub: "1", exp: inSeconds(60) }, hmac, { kid: "k" })), "key");
  stage.now += MINUTE;
  stage.answer = setOf(...named, { ...OLD.jwk, kid: "k", use: "sig", key_ops: ["verify"], alg: "EdDSA", x5c: ["?"] });
  assertEquals(await stage.judge(OLD, "k"), "ok");
});

Deno.test("verify() takes a key set with the private halves left in it for what is public in it", async () => {
  const { privateKey } = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]) as CryptoKeyPair;
  const jwk = await crypto.subtle.exportKey("jwk", privateKey);
  await using stage = new Stage(setOf({ ...jwk, key_ops: undefined, kid: "k" }));
  assertEquals(await stage.judge({ ...OLD, key: privateKey }, "k"), "ok");
});

Deno.test("verify() tries the keys of the algorithm for a token without kid, the first ten of them", async () => {
  const others = await Promise.all(Array.from({ length: 10 }, () => makePair("EdDSA")));
  const keys = (...pairs: readonly Pair[]) => setOf(...pairs.map(({ jwk }, index) => ({ ...jwk, kid: `k${index}` })));
  await using stage = new Stage(keys(ES256, ...others.slice(1), OLD));
  assertEquals(await stage.judge(OLD), "ok");
  assertEquals(await stage.judge(NEW), "signature");
  assertEquals(stage.asked, 1);
  // A replaced key is found by what it signed.
  stage.answer = keys(NEW);
  stage.now += MINUTE;
  assertEquals(await stage.judge(NEW), "ok");
  assertEquals(stage.asked, 2);
  stage.answer = keys(...others, OLD);
  stage.now += MINUTE;
  assertEquals(await stage.judge(OLD), "signature");
  assertEquals([await stage.judge(OLD, "k10"), await stage.judge(OLD, "k1")], ["ok", "signature"]);
});

Deno.test("verify() takes the first hundred keys that are for it", async () => {
  const keys = Array.from({ length: 101 }, (_, index) => ({ ...OLD.jwk, kid: `k${index}` }));
  await using stage = new Stage(setOf({ kty: "oct", k: "AAAA", kid: "s" }, ...keys));
  assertEquals([await stage.judge(OLD, "k99"), await stage.judge(OLD, "k100")], ["ok", "key"]);
});

Deno.test("verify() asks for the keys again when the clock was set back", async () => {
  await using stage = new Stage(setOf({ ...OLD.jwk, kid: "old" }));
  assertEquals(await stage.judge(OLD, "old"), "ok");
  stage.answer = setOf({ ...NEW.jwk, kid: "new" });
  stage.now -= 60 * MINUTE;
  assertEquals(await stage.judge(NEW, "new"), "ok");
  assertEquals(await stage.judge(NEW, "new"), "ok");
  assertEquals(stage.asked, 2);
});
