import { createHmac } from "node:crypto";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { createTokens, type TokenCheck, TokenFault, type Tokens, type TokenSettings } from "../../lib/auth/tokens.ts";
import { GongError } from "../../lib/errors.ts";
import { HS256, inSeconds, makePair, SECRET, type Signer, signJwt } from "../support/signers.ts";

const NOW = 1_790_000_000_000;
const EXP = NOW / 1000 + 60;
const SETTINGS: TokenSettings = { tokenSecret: [SECRET], tokenJwks: "", tokenIssuer: "", tokenAudience: "" };
const PAIRS = { RS256: await makePair("RS256"), ES256: await makePair("ES256"), EdDSA: await makePair("EdDSA") };
const PEMS = Object.values(PAIRS).map(({ pem }) => pem);

function open(settings: Partial<TokenSettings> = {}, keys: readonly string[] = PEMS, now = () => NOW): Tokens {
  return createTokens({ ...SETTINGS, ...settings }, { keys, now });
}

async function faultOf(tokens: Tokens, token: string): Promise<TokenFault> {
  const error = await assertRejects(() => tokens.verify(token), GongError, "The token is not valid.");
  assertEquals(error.code, "unauthorized");
  assert(error.cause instanceof TokenFault);
  return error.cause;
}

async function check(tokens: Tokens, token: string): Promise<TokenCheck> {
  return (await faultOf(tokens, token)).check;
}

function encode(value: unknown): string {
  return btoa(JSON.stringify(value)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

Deno.test("verify() grants what the claims say, whichever of the four algorithms signed them", async () => {
  const tokens = open();
  assert(tokens.isConfigured);
  for (const signer of [HS256, ...Object.values(PAIRS)]) {
    const token = await signJwt(
      { sub: "42", exp: EXP, channels: ["news", "room:*"], publish: ["$user/*"], info: { name: "Ann" }, more: 1 },
      signer,
    );
    assert(tokens.looksLike(token));
    const { user, ...grant } = await tokens.verify(token);
    assertEquals(grant, { name: "user:42", scopes: [], until: (EXP + 30) * 1000 }, signer.alg);
    assertEquals([user!.id, user!.info], ["42", '{"name":"Ann"}']);
    assertEquals(["news", "room:7", "newsroom", "$user/1"].map(user!.subscribe), [true, true, false, false]);
    assertEquals(["news", "$user/1", "$session/1"].map(user!.publish), [false, true, false]);
  }
});

Deno.test("verify() grants nothing but the name where no other claim is there", async () => {
  const { user } = await open().verify(await signJwt({ sub: "a b@c", exp: EXP }));
  assertEquals(Object.keys(user!), ["id", "subscribe", "publish", "patterns"]);
  assertEquals([user!.id, user!.subscribe("news"), user!.publish("news")], ["a b@c", false, false]);
});

Deno.test("verify() takes a token of each secret, and of none that is not configured", async () => {
  const other = "f".repeat(32);
  const tokens = open({ tokenSecret: [other, SECRET] }, []);
  for (const text of [other, SECRET]) {
    const token = await signJwt({ sub: "1", exp: EXP }, { alg: "HS256", key: new TextEncoder().encode(text) });
    assertEquals((await tokens.verify(token)).name, "user:1");
  }
  const foreign = await signJwt({ sub: "1", exp: EXP }, { alg: "HS256", key: new Uint8Array(32) });
  assertEquals(await check(tokens, foreign), "signature");
});

Deno.test("createTokens() without any key is not configured and accepts nothing", async () => {
  const tokens = open({ tokenSecret: [] }, []);
  assertEquals(tokens.isConfigured, false);
  assertEquals(await check(tokens, await signJwt({ sub: "1", exp: EXP })), "key");
});

Deno.test("verify() never takes a key for another algorithm than its own", async () => {
  const claims = { sub: "1", exp: EXP };
  // The public key is no secret: signed with it as if it were one.
  for (const { pem } of Object.values(PAIRS)) {
    for (const text of [pem, pem.trim(), pem.replaceAll(/-----.*-----|\s/g, "")]) {
      const token = await signJwt(claims, { alg: "HS256", key: new TextEncoder().encode(text) });
      assertEquals(await check(open({ tokenSecret: [] }), token), "key");
      assertEquals(await check(open(), token), "signature");
    }
  }
  for (const alg of ["RS384", "RS512", "PS256", "ES384", "HS384", "HS512", "Ed25519"]) {
    const signer: Signer = alg.startsWith("HS") ? { alg, key: new Uint8Array(64) } : await makePair(alg);
    assertEquals(await check(open(), await signJwt(claims, signer)), "algorithm", alg);
  }
  const [, payload, signature] = (await signJwt(claims)).split(".");
  for (const alg of ["none", "None", "NONE", "", "hs256", "HS256 ", null, 1, undefined, ["HS256"], { alg: "HS256" }]) {
    for (const last of ["", signature]) {
      assertEquals(await check(open(), `${encode({ alg })}.${payload}.${last}`), "algorithm", JSON.stringify(alg));
    }
  }
  for (const alg of ["RS256", "ES256", "EdDSA"]) {
    assertEquals(await check(open(), `${encode({ alg })}.${payload}.${signature}`), "signature");
    assertEquals(await check(open({}, []), `${encode({ alg })}.${payload}.${signature}`), "key");
  }
});

Deno.test("verify() takes no key, and no URL of one, from the header", async () => {
  let asked = 0;
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {
    asked++;
    return Response.json({ keys: [] });
  });
  const url = `http://127.0.0.1:${server.addr.port}/`;
  for (const alg of ["RS256", "ES256", "EdDSA"]) {
    const pair = await makePair(alg);
    for (const header of [{ jwk: pair.jwk }, { jku: url }, { x5u: url }, { x5c: ["AAAA"] }, { kid: url }]) {
      assertEquals(await check(open(), await signJwt({ sub: "1", exp: EXP }, pair, header)), "signature");
    }
    const own = PAIRS[alg as keyof typeof PAIRS];
    const token = await signJwt({ sub: "1", exp: EXP }, own, { jku: url, x5u: url, jwk: pair.jwk, kid: "any" });
    assertEquals((await open().verify(token)).name, "user:1");
  }
  assertEquals(asked, 0);
});

Deno.test("verify() refuses what is no JWT, or too long", async () => {
  const tokens = open();
  const token = await signJwt({ sub: "1", exp: EXP });
  const [header, payload, signature] = token.split(".");
  for (
    const text of [
      ...["", ".", "..", "...", "a.b", "a.b.c", "a.b.c.d", "a.b.c.d.e", ` ${token}`, `${token} `, `${token}=`],
      ...[`${token}\n`, `${header}.${payload}`, `${header}..${signature}`, `.${payload}.${signature}`, `${token}.`],
      ...[`${encode("HS256")}.${payload}.${signature}`, `${encode(null)}.${payload}.${signature}`, "\ud800.a.b"],
      ...[`${encode({ alg: "HS256", kid: 7 })}.${payload}.${signature}`, `${encode([])}.${payload}.${signature}`],
      ...[`${encode({ alg: "HS256", kid: "k".repeat(257) })}.${payload}.${signature}`, `Ä.${payload}.${signature}`],
    ]
  ) assertEquals(await check(tokens, text), "malformed", text);
  const claims = (length: number) => ({ sub: "1", exp: EXP, more: "x".repeat(length) });
  const longest = await signJwt(claims(6057));
  assertEquals([longest.length, tokens.looksLike(longest)], [8192, true]);
  assertEquals((await tokens.verify(longest)).name, "user:1");
  const longer = await signJwt(claims(6058));
  assertEquals([await check(tokens, longer), tokens.looksLike(longer)], ["size", false]);
  assertEquals(await check(tokens, "a".repeat(10_000_000)), "size");
});

Deno.test("verify() refuses a second text for the same signature", async () => {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const tokens = open();
  for (const signer of [HS256, PAIRS.EdDSA]) {
    const token = await signJwt({ sub: "1", exp: EXP }, signer);
    await tokens.verify(token);
    for (const letter of letters) {
      if (letter === token.at(-1)) continue;
      const other = token.slice(0, -1) + letter;
      assert(["malformed", "signature"].includes(await check(tokens, other)), other);
    }
  }
});

Deno.test("verify() refuses extensions that nobody knows, and claims that are not encoded", async () => {
  const tokens = open();
  const claims = { sub: "1", exp: EXP };
  assertEquals(await check(tokens, await signJwt(claims, HS256, { crit: ["exp"], exp: 1 })), "critical");
  const [, payload, signature] = (await signJwt(claims)).split(".");
  for (const crit of [[], "exp", [""], ["alg"], ["b64"], null]) {
    const fault = await check(tokens, `${encode({ alg: "HS256", crit })}.${payload}.${signature}`);
    assert(["malformed", "critical"].includes(fault), JSON.stringify(crit));
  }
  // An unencoded payload without a dot has the form of a token (RFC 7797).
  const input = `${encode({ alg: "HS256", b64: false, crit: ["b64"] })}.abcd`;
  const plain = `${input}.${createHmac("sha256", SECRET).update(input).digest("base64url")}`;
  assertEquals(await check(tokens, plain), "malformed");
});

Deno.test("verify() heeds exp and nbf with 30 s of leeway, and exp has to be there", async () => {
  let now = NOW;
  const tokens = open({}, [], () => now);
  const seconds = NOW / 1000;
  const until = async (exp: number) => (await tokens.verify(await signJwt({ sub: "1", exp }))).until;
  assertEquals(await until(seconds - 29), NOW + 1000);
  assertEquals(await check(tokens, await signJwt({ sub: "1", exp: seconds - 30 })), "expired");
  await tokens.verify(await signJwt({ sub: "1", exp: EXP, nbf: seconds + 30 }));
  assertEquals(await check(tokens, await signJwt({ sub: "1", exp: EXP, nbf: seconds + 31 })), "not_yet");
  // What is accepted is accepted until `until`, to the millisecond.
  const token = await signJwt({ sub: "1", exp: EXP });
  const { until: end } = await tokens.verify(token);
  now = end! - 1;
  assertEquals((await tokens.verify(token)).until, end);
  assertEquals((await open({}, [], () => now).verify(token)).until, end);
  now = end!;
  assertEquals(await check(tokens, token), "expired");
  assertEquals(await check(open({}, [], () => now), token), "expired");
  assertEquals(await check(tokens, await signJwt({ sub: "1" })), "claims");
  for (const exp of [null, "1", true, [], {}, "2099-01-01"]) {
    assertEquals(await check(tokens, await signJwt({ sub: "1", exp })), "claims");
    assertEquals(await check(tokens, await signJwt({ sub: "1", exp: EXP, nbf: exp })), "claims");
  }
  for (const exp of ["1e999", "8.65e12", "1e300"]) {
    assertEquals(await check(tokens, await signJwt(`{"sub":"1","exp":${exp}}`)), "claims", exp);
  }
  assertEquals(await check(tokens, await signJwt(`{"sub":"1","exp":-1e999}`)), "expired");
});

Deno.test("verify() wants the issuer and the audience that are set, and none where none is", async () => {
  const claims = { sub: "1", exp: EXP };
  const tokens = open({ tokenIssuer: "https://id", tokenAudience: "gong" });
  await tokens.verify(await signJwt({ ...claims, iss: "https://id", aud: "gong" }));
  await tokens.verify(await signJwt({ ...claims, iss: "https://id", aud: ["other", "gong"] }));
  for (const iss of [undefined, "https://id/", "", null, ["https://id"]]) {
    assertEquals(await check(tokens, await signJwt({ ...claims, iss, aud: "gong" })), "issuer", String(iss));
  }
  for (const aud of [undefined, "gon", "gong2", "", null, [], ["g"], { gong: 1 }, [["gong"]]]) {
    assertEquals(await check(tokens, await signJwt({ ...claims, iss: "https://id", aud })), "audience");
  }
  await open().verify(await signJwt({ ...claims, iss: "anybody", aud: "anything" }));
});

Deno.test("verify() refuses a token with a claim of the wrong kind, rather than to pass it over", async () => {
  const tokens = open();
  const many = Array.from({ length: 101 }, (_, index) => `c${index}`);
  const wrong: Record<string, readonly unknown[]> = {
    sub: [undefined, null, 42, "", "x".repeat(129), "a\nb", "\ud800", ["42"], "\u0000", "ü".repeat(30)],
    channels: [
      null,
      "news",
      { 0: "news" },
      [1],
      [null],
      [["news"]],
      ["a b"],
      [""],
      ["x".repeat(129)],
      ["news\n"],
      many,
    ],
    publish: [null, "*", 1, true, ["*", "ä"], many],
  };
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      const fault = await faultOf(tokens, await signJwt({ sub: "1", exp: EXP, [name]: value }));
      assertEquals(fault.check, "claims", `${name} ${JSON.stringify(value)}`);
      assert(fault.message.includes(`\`${name}\``), fault.message);
    }
  }
  const most = await tokens.verify(await signJwt({ sub: "1", exp: EXP, channels: many.slice(1), publish: [] }));
  assert(most.user!.subscribe("c100"));
  for (const text of ["[]", "1", "null", '"a"', "{", "", '{"sub":"1"}x']) {
    assertEquals(await check(tokens, await signJwt(text)), "malformed", text);
  }
});

Deno.test("verify() keeps info as it is, on one line, within 1,024 bytes of UTF-8", async () => {
  const tokens = open();
  const infoOf = async (text: string) => {
    const token = await signJwt(`{"sub":"1","exp":${EXP},"info":${text}}`);
    return (await tokens.verify(token)).user!.info;
  };
  const same = [
    ...['"Ann"', "null", "false", "0", "[]", "{}", '{"a":[1,2,{"b":null}]}', '"\\n\\u0000"', '"ü😀"', '""'],
    ...["12345678901234567890", "0.12345678901234567890", "1e999", '{"__proto__":{"scopes":["admin"]}}', '"\\ud800"'],
    ...['{"constructor":1,"toJSON":"x"}', "[".repeat(60) + "]".repeat(60), `"${"ü".repeat(511)}"`],
  ];
  for (const text of same) assertEquals(await infoOf(text), text);
  assertEquals(await infoOf(' {\n"a" : 1,\r\n "b":"\\u00fc" }'), '{"a":1,"b":"ü"}');
  for (const text of [`"${"ü".repeat(511)}x"`, `"${"x".repeat(1023)}"`, "[".repeat(70) + "]".repeat(70)]) {
    await assertRejects(() => infoOf(text), GongError);
  }
  const deep = await signJwt(`{"sub":"1","exp":${EXP},"info":${"[".repeat(2900)}${"]".repeat(2900)}}`);
  assertEquals(await check(tokens, deep), "claims");
});

Deno.test("verify() compiles the same patterns once, and forgets those used least", async () => {
  const tokens = open();
  const predicate = async (sub: string, ...channels: string[]) => {
    return (await tokens.verify(await signJwt({ sub, exp: EXP, channels }))).user!.subscribe;
  };
  const first = await predicate("1", "news", "room:*");
  assert((await predicate("2", "news", "room:*")) === first);
  assert((await predicate("3", "news")) !== first);
  for (let index = 0; index < 300; index++) await predicate(`u${index}`, `c${index}`);
  const anew = await predicate("4", "news", "room:*");
  assert(anew !== first);
  assert(anew("room:1"));
});

Deno.test("verify() looks at a token once, and again when the clock was set back", async () => {
  let now = NOW;
  const tokens = open({}, [], () => now);
  const token = await signJwt({ sub: "1", exp: EXP, nbf: NOW / 1000 - 10 });
  const grant = await tokens.verify(token);
  assert((await tokens.verify(token)) === grant);
  now -= 60_000;
  assertEquals(await check(tokens, token), "not_yet");
  now += 60_000;
  assert((await tokens.verify(token)) !== grant);
});

Deno.test("verify() uses the real clock by default", async () => {
  const tokens = createTokens(SETTINGS, { keys: [] });
  assertEquals((await tokens.verify(await signJwt({ sub: "1", exp: inSeconds(60) }))).name, "user:1");
  assertEquals(await check(tokens, await signJwt({ sub: "1", exp: inSeconds(-60) })), "expired");
});
