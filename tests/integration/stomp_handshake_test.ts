import { assert, assertEquals, assertMatch } from "@std/assert";
import { connect } from "../support/client.ts";
import { OPCODE } from "../support/frames.ts";
import { type Gong, startGong } from "../support/gong.ts";
import { Issuer } from "../support/issuer.ts";
import { RawConnection } from "../support/raw.ts";
import { refusals, type Row, TEXT } from "../support/refusals.ts";
import { type Fields, get, handshake } from "../support/requests.ts";
import { signToken, TOKEN_SECRET } from "../support/tokens.ts";

const NAME = "Sec-WebSocket-Protocol";
/** On the plain door a message, on the JSON door no line. */
const CONNECT = "CONNECT\naccept-version:1.0,1.1,1.2\nhost:gong\n\n\0";

/** What a server chooses for a handshake, and what is spoken on the connection. */
async function ask({ port }: Gong, target: string, fields: Fields): Promise<[string | null, string]> {
  using connection = await RawConnection.open(port);
  await connection.write(handshake(target, fields));
  const { status, headers, body } = await connection.readResponse();
  assertEquals(status, 101, body);
  await connection.sendFrame(OPCODE.text, CONNECT);
  const { payload } = await connection.readFrame();
  const text = new TextDecoder().decode(payload);
  return [headers.get(NAME), spoken(text)];
}

function spoken(text: string): string {
  if (text === CONNECT) return "plain";
  if (text.startsWith('{"type":"welcome"')) return "json";
  return /^CONNECTED\n(?:.*\n)*?version:(.*)\n/.exec(text)?.[1] ?? text;
}

Deno.test("gong serve speaks STOMP with whom offers it, and on /ws with whom offers nothing", async (t) => {
  await using gong = await startGong(["--isolates", "1"]);
  const table: [title: string, target: string, fields: Fields, chosen: string | null, speaks: string][] = [
    ["one", "/push", { [NAME]: "v11.stomp" }, "v11.stomp", "1.1"],
    ["a list without spaces", "/push", { [NAME]: "v10.stomp,v11.stomp,v12.stomp" }, "v12.stomp", "1.2"],
    ["a list with spaces", "/push", { [NAME]: "v10.stomp, v11.stomp" }, "v11.stomp", "1.1"],
    [
      "two headers",
      "/push",
      { [NAME]: "v10.stomp", [NAME.toLowerCase()]: "chat,v12.stomp" },
      "v12.stomp",
      "1.2",
    ],
    ["among unknown ones", "/push?echo=false&session=a", { [NAME]: "chat,v10.stomp,v13.stomp" }, "v10.stomp", "1.0"],
    ["unknown ones alone", "/push", { [NAME]: "chat,v13.stomp" }, null, "plain"],
    ["unknown ones alone, JSON", "/push?format=json", { [NAME]: "chat" }, null, "json"],
    ["none", "/push", {}, null, "plain"],
    ["/ws, none", "/ws", {}, null, "1.2"],
    ["/ws/, none", "/ws/", {}, null, "1.2"],
    ["/ws, unknown ones", "/ws", { [NAME]: "chat" }, null, "1.2"],
    ["/ws, one", "/ws", { [NAME]: "v10.stomp" }, "v10.stomp", "1.0"],
  ];
  for (const [title, target, fields, ...expected] of table) {
    await t.step(title, async () => assertEquals(await ask(gong, target, fields), expected));
  }
});

Deno.test("gong serve speaks on a --path what it does on /push, also when that is /ws", async () => {
  await using gong = await startGong(["--isolates", "1", "--path", "/ws", "--path", "/other"]);
  for (const path of ["/ws", "/other", "/push"]) {
    assertEquals(await ask(gong, path, {}), [null, "plain"], path);
    assertEquals(await ask(gong, `${path}?format=json`, {}), [null, "json"], path);
    assertEquals(await ask(gong, path, { [NAME]: "v10.stomp,v12.stomp" }), ["v12.stomp", "1.2"], path);
  }
});

const KEY = "a-key-of-enough-characters";
const OTHER = "b-key-of-enough-characters";
const STOMP = { [NAME]: "v12.stomp" };
const ROWS: Row[] = [
  { title: "/ws without Upgrade", send: get("/ws"), status: 400, headers: TEXT, body: "WebSocket" },
  { title: "a path below /ws", send: handshake("/ws/more"), status: 404 },
  {
    title: "a foreign origin on /ws",
    send: handshake("/ws", { Origin: "https://evil.example" }),
    status: 403,
    headers: TEXT,
    body: "origin",
  },
  {
    title: "a foreign origin with a subprotocol",
    send: handshake("/push", { ...STOMP, Origin: "https://evil.example" }),
    status: 403,
    headers: TEXT,
  },
  {
    title: "`format` beside a subprotocol",
    send: handshake("/push?format=json", STOMP),
    status: 400,
    body: "`format`",
  },
  { title: "`format` on /ws", send: handshake("/ws?format=json"), status: 400, body: "`format`" },
  ...["channel=a", "since=a@e:1", "history=1"].map((query): Row => ({
    title: `?${query} in STOMP`,
    send: handshake(`/push?${query}`, STOMP),
    status: 400,
    headers: TEXT,
    body: "SUBSCRIBE",
  })),
  { title: "no list of tokens", send: handshake("/push", { [NAME]: "v12 stomp" }), status: 400, body: NAME },
  {
    title: "33 subprotocols",
    send: handshake("/ws", { [NAME]: Array(33).fill("v12.stomp").join(",") }),
    status: 400,
    headers: TEXT,
    body: "at most 32",
  },
];

refusals("STOMP handshakes", [], {}, ROWS);

// With --dev each request is asked for its origin, whatever it wants.
refusals("STOMP from foreign pages, without --dev", [], { dev: false }, [
  {
    title: "on /ws",
    send: handshake("/ws", { Origin: "https://evil.example" }),
    status: 403,
    headers: TEXT,
    body: "origin",
  },
  {
    title: "by a subprotocol",
    send: handshake("/push", { ...STOMP, Origin: "https://evil.example" }),
    status: 403,
    headers: TEXT,
    body: "origin",
  },
]);

Deno.test("what a STOMP client says before its token is checked waits, long headers too, and a refusal is an ERROR", async () => {
  await using issuer = await Issuer.open();
  const args = ["--isolates", "1", "--token-jwks", issuer.url, "--max-message", "1KiB"];
  await using gong = await startGong(args, { dev: false });
  const token = await issuer.sign({});
  const [head, , signature] = token.split(".");
  const forged = [head, (await issuer.sign({ sub: "7" })).split(".")[1], signature].join(".");
  await using client = await connect(`${gong.ws}/push?token=${token}`, { protocols: ["v11.stomp", "v12.stomp"] });
  await using unsaid = await connect(`${gong.ws}/ws?token=${token}`);
  const refused = await connect(`${gong.ws}/push?token=${forged}`, { protocols: ["v12.stomp"] });
  await issuer.asked.promise;
  const long = Array.from({ length: 3 }, (_, n) => `x-${n}:${"x".repeat(5000)}\n`).join("");
  for (const each of [client, unsaid, refused]) each.send(CONNECT.replace("\n\n", `\n${long}\n`));
  issuer.release();
  for (const each of [client, unsaid]) {
    const connected = await each.nextText();
    assertMatch(connected, /^CONNECTED\n/);
    assertMatch(connected, /\nuser-name:42\n/);
  }
  const error = await refused.nextText();
  assertMatch(error, /^ERROR\n/);
  assertMatch(error, /\ncode:unauthorized\n/);
  assertEquals(await refused.closed, { code: 4401, reason: "The token is not valid." });
  const line = await gong.line(/handshake\.refused/);
  assert(!line.includes(forged) && line.includes('"code":"unauthorized"'), line);
});

Deno.test("CONNECT says who one is, and nobody else than the handshake has said", async () => {
  const env = { GONG_API_KEY: `ops:admin:${KEY},desk:stats:${OTHER}`, GONG_TOKEN_SECRET: TOKEN_SECRET };
  await using gong = await startGong(["--isolates", "1"], { dev: false, env });
  const [ann, bob] = [signToken({ sub: "ann" }), signToken({ sub: "bob" })];
  const table: [title: string, before: Before, inConnect: string, answer: RegExp, code?: number][] = [
    ["nobody", {}, "", /^CONNECTED\n(?!.*\nuser-name)/s],
    ["a key in CONNECT", {}, `login:x\npasscode:${KEY}\n`, /^CONNECTED\n/],
    ["a key before", { key: KEY }, "", /^CONNECTED\n/],
    ["the same key again", { key: KEY }, `passcode:${KEY}\n`, /^CONNECTED\n/],
    ["another key", { key: KEY }, `passcode:${OTHER}\n`, refusalOf("conflict"), 4409],
    ["a wrong key", {}, `passcode:no-${KEY}\n`, refusalOf("unauthorized"), 4401],
    ["a token in CONNECT", {}, `token:${ann}\n`, /\nuser-name:ann\n/],
    ["a token before", { token: ann }, "", /\nuser-name:ann\n/],
    [
      "another token of the user",
      { token: ann },
      `passcode:${signToken({ sub: "ann", info: 1 })}\n`,
      /\nuser-name:ann\n/,
    ],
    ["a token of another", { token: ann }, `passcode:${bob}\n`, refusalOf("conflict"), 4409],
    ["a key after a token", { token: ann }, `passcode:${KEY}\n`, refusalOf("conflict"), 4409],
    ["a name alone", {}, "login:ann\n", refusalOf("bad_request"), 4400],
  ];
  for (const [title, { key, token }, inConnect, answer, code] of table) {
    const query = token === undefined ? "" : `?token=${token}`;
    const headers: Record<string, string> = key === undefined ? {} : { "X-API-Key": key };
    await using client = await connect(`${gong.ws}/push${query}`, { protocols: ["v12.stomp"], headers });
    client.send(CONNECT.replace("\n\n", `\n${inConnect}\n`));
    assertMatch(await client.nextText(), answer, title);
    if (code !== undefined) assertEquals((await client.closed).code, code, title);
  }
});

/** What a client shows with its handshake. */
interface Before {
  readonly key?: string;
  readonly token?: string;
}

/** An ERROR of the code. */
function refusalOf(code: string): RegExp {
  return new RegExp(`^ERROR\n(?:.*\n)*?code:${code}\n`);
}
