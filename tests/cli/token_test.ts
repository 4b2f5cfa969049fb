import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { exportPKCS8 } from "jose/key/export";
import { command } from "../../lib/cli/token.ts";
import { UsageError } from "../../lib/flags.ts";
import { type Finished, runGong } from "../support/gong.ts";
import { inSeconds, makePair, SECRET, signJwt } from "../support/signers.ts";
import { World, type WorldOptions } from "./world.ts";

const ENV = { GONG_TOKEN_SECRET: SECRET };

async function token(args: readonly string[], options: WorldOptions = { env: ENV }): Promise<Finished> {
  const world = new World(options);
  const code = await command.run(args, world.io);
  return { code, stdout: world.stdout, stderr: world.stderr };
}

async function refusal(args: readonly string[], options?: WorldOptions): Promise<string> {
  return (await assertRejects(() => token(args, options), UsageError)).message;
}

function claimsOf(text: string): Record<string, unknown> {
  const bytes = Uint8Array.fromBase64(text.trim().split(".")[1]!, { alphabet: "base64url" });
  return JSON.parse(new TextDecoder().decode(bytes));
}

Deno.test("gong token makes a token that the server of the same settings accepts", async () => {
  const flags = ["--token-issuer", "me", "--token-audience=gong"];
  const made = await runGong(
    ["token", "--user", "42", "--channels", "news,room:*", "--publish=room:*", "--info", '{"name":"Ann"}', ...flags],
    { env: ENV },
  );
  assertEquals([made.code, made.stderr], [0, ""]);
  assertMatch(made.stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  const { iat, exp, ...claims } = claimsOf(made.stdout);
  assertEquals(claims, {
    sub: "42",
    channels: ["news", "room:*"],
    publish: ["room:*"],
    info: { name: "Ann" },
    iss: "me",
    aud: "gong",
  });
  assertEquals(Number(exp) - Number(iat), 3600);
  const accepted = await runGong(["token", "--inspect", "-", ...flags], { env: ENV, stdin: made.stdout });
  assertEquals([accepted.code, accepted.stderr], [0, ""]);
  assertMatch(accepted.stdout, /^Header\n {2}alg: "HS256"\n {2}typ: "JWT"\nClaims\n {2}sub: "42"\n/);
  assertMatch(
    accepted.stdout,
    /\n {2}exp: \d+ \(20\d\d-\d\d-\d\dT[\d:.]+Z, in 59 min\)\naccepted: user:42, until 20.*\n$/,
  );
  const refused = await runGong(["token", "--inspect", made.stdout.trim()], {
    env: { GONG_TOKEN_SECRET: "x".repeat(32), GONG_TOKEN_ISSUER: "me" },
  });
  assertEquals([refused.code, refused.stderr], [1, ""]);
  assertMatch(refused.stdout, /\nrefused: signature: no key for HS256 has signed it\n$/);
});

Deno.test("gong token signs with a private key, which a server with its public half accepts", async () => {
  for (const alg of ["RS256", "ES256", "EdDSA"]) {
    const pair = await makePair(alg);
    const files = { "public.pem": pair.pem, "private.pem": await exportPKCS8(pair.key as CryptoKey) };
    const settings = ["--token-key-file", "public.pem"];
    const made = await runGong(["token", "--user=42", "--sign-key=private.pem", ...settings], { files });
    assertEquals([made.code, made.stderr], [0, ""]);
    const shown = await runGong(["token", "--inspect", "-", ...settings], { files, stdin: made.stdout });
    assertEquals(shown.code, 0, shown.stdout + shown.stderr);
    assert(shown.stdout.includes(`alg: "${alg}"`));
    if (alg !== "EdDSA") continue;
    const foreign = await runGong(["token", "--user=42", "--sign-key=private.pem"], { files });
    assertEquals(foreign.code, 0);
    assertMatch(foreign.stderr, /^gong: a server of these settings does not accept it: there is no key for EdDSA/);
    const publicHalf = await runGong(["token", "--user=42", "--sign-key=public.pem"], { files });
    assertEquals(publicHalf.code, 2);
    assertMatch(publicHalf.stderr, /--sign-key public.pem: expected a private key as PEM, without a password\n/);
  }
});

Deno.test("gong token keeps every digit of info, and the lifetime that is asked for", async () => {
  const { stdout } = await token(["--user", "a b", "--info", '{"n":12345678901234567890}', "--expires", "7d"]);
  const text = new TextDecoder().decode(Uint8Array.fromBase64(stdout.split(".")[1]!, { alphabet: "base64url" }));
  assert(text.includes('"info":{"n":12345678901234567890}'));
  const { sub, iat, exp } = claimsOf(stdout);
  assertEquals([sub, Number(exp) - Number(iat)], ["a b", 7 * 86_400]);
});

Deno.test("gong token names what is missing or wrong, and makes nothing that no server takes", async () => {
  const cases: [string[], string][] = [
    [[], "--user is missing: whose token is it to be?"],
    [["--user=1", "--expires=0"], "--expires 0: expected a duration of a second or more, e.g. 90, 15m, 12h or 7d"],
    [
      ["--user=1", "--expires=soon"],
      "--expires soon: expected a duration of a second or more, e.g. 90, 15m, 12h or 7d",
    ],
    [["--user=1", "--info={"], `--info: this is not JSON; a text is '"text"', with quotes`],
    [
      ["--user=a\nb"],
      "no server takes such a token: `sub` is no name of a user: 1 to 128 characters, none of them a control character",
    ],
    [
      ["--user=1", "--channels=a b"],
      "no server takes such a token: `channels` has something at index 0 that is no pattern of channels",
    ],
    [
      ["--user=1", `--info="${"x".repeat(1024)}"`],
      "no server takes such a token: `info` has more than 1024 bytes as text",
    ],
    [["--user=1", "--inspect=a.b.c"], "--user is for a token that is made, --inspect for one there is"],
    [["--publish=*", "--inspect=a.b.c"], "--publish is for a token that is made, --inspect for one there is"],
    [["--usr=1"], "--usr: there is no such flag; the nearest is --user"],
    [["--user=1", "more"], '"more": an argument too many; none is expected'],
  ];
  for (const [args, message] of cases) assertEquals(await refusal(args), message);
  assertMatch(await refusal(["--user=1"], {}), /^there is nothing to sign with: set GONG_TOKEN_SECRET/);
  assertMatch(await refusal(["--user=1", "--sign-key=/nowhere/key"]), /^--sign-key \/nowhere\/key: /);
});

Deno.test("gong token --inspect says which check fails", async () => {
  const exp = inSeconds(3600);
  const cases: [string, RegExp][] = [
    [
      await signJwt({ sub: "1", exp: inSeconds(-7200) }),
      /exp: \d+ \(.*, 2 h ago\)\nrefused: expired: its `exp` is over\n$/,
    ],
    [await signJwt({ sub: "1", exp, nbf: inSeconds(259_205) }), /nbf: .*, in 3 d\).*\nrefused: not_yet: /s],
    [await signJwt({ sub: 1, exp }), /sub: 1\n.*refused: claims: `sub` is not a string\n$/s],
    [await signJwt("[1]"), /refused: malformed: /],
    [await signJwt({ sub: "1", exp: 1e300 }), /exp: 1e\+300 \(no date\)\nrefused: claims: `exp` is no time\n$/],
    ["hello", /^Header\n {2}\(not readable\)\nClaims\n {2}\(not readable\)\nrefused: malformed: it is no JWT\n$/],
    ["x".repeat(9000), /refused: size: it has more than 8192 characters\n$/],
  ];
  for (const [text, output] of cases) {
    const { code, stdout, stderr } = await token(["--inspect", text]);
    assertEquals([code, stderr], [1, ""]);
    assertMatch(stdout, output);
  }
});

Deno.test("gong token --inspect shows nothing to a terminal that it would act upon", async () => {
  const strange = "\x1b[2J\r\n\u202e\x9b\0\u2028";
  const text = await signJwt({ [strange]: strange, sub: strange, exp: 1 }, undefined, { [strange]: strange });
  const { stdout } = await token(["--inspect", text]);
  // deno-lint-ignore no-control-regex
  assert(!/[\0-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e]/.test(stdout), JSON.stringify(stdout));
  assertEquals(stdout.split("\n").length, 9);
});

Deno.test("gong token --inspect - takes a bounded text of UTF-8", async () => {
  for (const input of ["x".repeat(65_537), new Uint8Array([0xff])]) {
    const { code, stdout, stderr } = await token(["--inspect", "-"], { env: ENV, input });
    assertEquals([code, stdout], [1, ""]);
    assertMatch(stderr, /^standard input: /);
  }
});
