import { assert, assertEquals, assertMatch } from "@std/assert";
import { startGong } from "../support/gong.ts";
import { inSeconds, makePair, SECRET, type Signer, signJwt } from "../support/signers.ts";

const ADMIN = "fedcba9876543210";

Deno.test("a server takes tokens of its secret, its key file and its key set, and tells the operator of others", async () => {
  const [inFile, published, foreign] = await Promise.all([makePair("RS256"), makePair("ES256"), makePair("ES256")]);
  let asked = 0;
  await using provider = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {
    asked++;
    return Response.json({ keys: [{ ...published.jwk, kid: "k" }] });
  });
  await using gong = await startGong(
    [
      ...["--isolates=2", "--token-key-file=token.pem", "--token-issuer=me", "--api-key", `ops:admin:${ADMIN}`],
      ...[`--token-jwks=http://127.0.0.1:${provider.addr.port}/`, "--log-level=info"],
    ],
    { dev: false, env: { GONG_TOKEN_SECRET: SECRET }, files: { "token.pem": inFile.pem } },
  );

  async function poll(signer: Signer, claims = {}, header = {}): Promise<number> {
    const token = await signJwt(
      { sub: "42", iss: "me", exp: inSeconds(60), channels: ["room:*"], ...claims },
      signer,
      header,
    );
    const response = await fetch(`${gong.url}/poll?channel=room:1&timeout=0`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const text = await response.text();
    if (response.status === 401) assertMatch(text, /"detail":"The token is not valid\."/);
    assert(!gong.output().includes(token));
    return response.status;
  }

  const secret = { alg: "HS256", key: new TextEncoder().encode(SECRET) };
  assertEquals(await poll(secret), 200);
  assertEquals(await poll(inFile), 200);
  assertEquals(await poll(published, {}, { kid: "k" }), 200);
  assertEquals(await poll(secret, { channels: [] }), 403);
  const refused: [string, () => Promise<number>][] = [
    ["signature", () => poll({ alg: "HS256", key: new TextEncoder().encode(inFile.pem) })],
    ["signature", () => poll(foreign, {}, { kid: "k" })],
    ["key", () => poll(foreign, {}, { kid: "other" })],
    ["expired", () => poll(inFile, { exp: inSeconds(-60) })],
    ["issuer", () => poll(published, { iss: "you" }, { kid: "k" })],
  ];
  for (const [check, ask] of refused) {
    assertEquals(await ask(), 401, check);
    await gong.line((line) => line.includes('"token.refused"') && line.includes(`"check":"${check}"`));
  }
  const response = await fetch(`${gong.url}/metrics`, { headers: { "x-api-key": ADMIN } });
  const metrics = await response.text();
  for (const [check, count] of [["signature", 2], ["key", 1], ["expired", 1], ["issuer", 1]] as const) {
    assert(metrics.includes(`gong_tokens_refused_total{check="${check}"} ${count}\n`), metrics);
  }
  // Each isolate asks by itself, and neither more than once for a `kid` that it does not know.
  assert(asked >= 1 && asked <= 4, String(asked));
});
