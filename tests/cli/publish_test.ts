import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { command } from "../../lib/cli/publish.ts";
import { UsageError } from "../../lib/flags.ts";
import { CERTIFICATES, Peer, type Visit } from "./peer.ts";
import { World, type WorldOptions } from "./world.ts";

interface Published {
  code: number;
  stdout: string;
  stderr: string;
  /** What the server was sent. */
  request: { path: string; headers: Headers; body: unknown } | undefined;
}

const TAKEN = { positions: [{ channel: "news", epoch: "k3f9", offset: 41 }] };

/** Publishes to a server that answers with `answer`. */
async function publish(
  args: readonly string[],
  answer: () => Response = () => Response.json(TAKEN),
  options: WorldOptions = {},
): Promise<Published> {
  let request: Published["request"];
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (received) => {
    const { method, url, headers } = received;
    request = { path: `${method} ${new URL(url).pathname}`, headers, body: await received.json() };
    return answer();
  });
  const world = new World(options);
  const code = await command.run(["--url", `:${server.addr.port}`, ...args], world.io);
  return { code, stdout: world.stdout, stderr: world.stderr, request };
}

Deno.test("gong publish posts the text and prints its position", async () => {
  const { code, stdout, stderr, request } = await publish(["--channel", "news", "hello ü"]);
  assertEquals({ code, stdout, stderr }, { code: 0, stdout: "news k3f9:41\n", stderr: "" });
  assertEquals(request?.path, "POST /api/publish");
  assertEquals(request?.headers.get("content-type"), "application/json");
  assertEquals(request?.body, { channel: "news", data: "hello ü" });
});

Deno.test("gong publish publishes to broadcast when no channel is named", async () => {
  const { request } = await publish(["hello"]);
  assertEquals(request?.body, { channel: "broadcast", data: "hello" });
});

Deno.test("gong publish to several channels prints a position each", async () => {
  const positions = [{ channel: "a", epoch: "x", offset: 1 }, { channel: "b", epoch: "y", offset: 2 }];
  const { stdout, request } = await publish(
    ["--channel", "a", "--channel", "b", "hello"],
    () => Response.json({ positions }),
  );
  assertEquals(request?.body, { channels: ["a", "b"], data: "hello" });
  assertEquals(stdout, "a x:1\nb y:2\n");
});

Deno.test("gong publish takes the text from standard input, without the line end at its end", async () => {
  const { code, request } = await publish([], undefined, { input: "two\nlines\n" });
  assertEquals(code, 0);
  assertEquals(request?.body, { channel: "broadcast", data: "two\nlines" });
});

Deno.test("gong publish prefers an argument, be it empty, to standard input", async () => {
  const { request } = await publish([""], undefined, { input: "unread" });
  assertEquals(request?.body, { channel: "broadcast", data: "" });
});

Deno.test("gong publish asks for the text on a terminal", async () => {
  const { stderr } = await publish([], undefined, { input: "typed\n", terminal: true });
  assertMatch(stderr, /Ctrl-D/);
});

Deno.test("gong publish sends id, content type, and JSON as its value", async () => {
  const args = ["--json", "--id", "order-7", "--content-type", "application/geo+json", '{"a":[1,null]}'];
  const { request } = await publish(args);
  assertEquals(request?.body, {
    channel: "broadcast",
    data: { a: [1, null] },
    id: "order-7",
    contentType: "application/geo+json",
  });
});

Deno.test("gong publish sends the time to live in seconds", async () => {
  for (const [text, ttl] of [["0", 0], ["500ms", 0.5], ["2m", 120]] as const) {
    const { request } = await publish(["--ttl", text, "a"]);
    assertEquals(request?.body, { channel: "broadcast", data: "a", ttl });
  }
});

Deno.test("gong publish --trace prints the id under which it is traced, the given one or the server's", async () => {
  const made = await publish(["--trace", "a"], () => Response.json({ ...TAKEN, id: "5f\u001b[31m" }));
  assertEquals(made.request?.body, { channel: "broadcast", data: "a", trace: true });
  assertEquals(made.stdout, "news k3f9:41\ntraced 5f\\x1b[31m\n");
  const given = await publish(["--trace", "--id", "order-7", "a"]);
  assertEquals(given.request?.body, { channel: "broadcast", data: "a", id: "order-7", trace: true });
  assertEquals(given.stdout, "news k3f9:41\ntraced order-7\n");
});

Deno.test("gong publish says what had been published before", async () => {
  const positions = [{ channel: "a", epoch: "x", offset: 1, repeated: true }, { channel: "b", epoch: "y", offset: 2 }];
  const { code, stdout } = await publish(["--id", "order-7", "hello"], () => Response.json({ positions }));
  assertEquals({ code, stdout }, { code: 0, stdout: "a x:1 repeated\nb y:2\n" });
});

Deno.test("gong publish sends the key of --api-key, else of GONG_API_KEY", async () => {
  const env = { GONG_API_KEY: "ops:publish:fr0m-env" };
  assertEquals((await publish(["a"], undefined, { env })).request?.headers.get("x-api-key"), "fr0m-env");
  const given = await publish(["--api-key", "g1ven", "a"], undefined, { env });
  assertEquals(given.request?.headers.get("x-api-key"), "g1ven");
  assertEquals((await publish(["a"])).request?.headers.has("x-api-key"), false);
});

Deno.test("gong publish sends the token of --token, and then no key", async () => {
  const env = { GONG_API_KEY: "ops:publish:fr0m-env" };
  const { request } = await publish(["--token", "e30.e30.c2ln", "a"], undefined, { env });
  assertEquals(request?.headers.get("authorization"), "Bearer e30.e30.c2ln");
  assertEquals(request?.headers.has("x-api-key"), false);
  for (
    const args of [["--token", "no-token"], ["--token", "e30.e30.c2ln", "--api-key", "k"], ["--token", "a.b.c\r\nx: y"]]
  ) {
    const { message } = await assertRejects(() => publish([...args, "a"]), UsageError, "--token");
    assert(!message.includes("e30"), message);
  }
});

Deno.test("gong publish exits 1 with the problem's detail and field when it is refused", async () => {
  const problem = {
    type: "about:blank",
    title: "Bad Request",
    status: 400,
    detail: "No such\nname.",
    field: "/channel",
  };
  const { code, stdout, stderr } = await publish(["a"], () => Response.json(problem, { status: 400 }));
  assertEquals({ code, stdout }, { code: 1, stdout: "" });
  assertEquals(stderr, "refused: 400 Bad Request; No such\\nname.; field: /channel\n");
});

Deno.test("gong publish exits 1 when some of the channels refused it, and prints where it went nonetheless", async () => {
  const errors = [{ channel: "full", code: "overloaded", message: "Later.", retryAfter: 3 }];
  const { code, stdout, stderr } = await publish(["a"], () => Response.json({ ...TAKEN, errors }));
  assertEquals({ code, stdout, stderr }, { code: 1, stdout: "news k3f9:41\n", stderr: "refused: full: Later.\n" });
});

Deno.test("gong publish says when to try again", async () => {
  const headers = { "Retry-After": "3" };
  const { code, stderr } = await publish(["a"], () => Response.json({ detail: "Busy." }, { status: 503, headers }));
  assertEquals({ code, stderr }, { code: 1, stderr: "refused: 503 Service Unavailable; Busy.; try again in 3 s\n" });
});

Deno.test("gong publish follows no redirect", async () => {
  const { code, stderr } = await publish(["a"], () => new Response(null, { status: 308, headers: { Location: "/x" } }));
  assertEquals(code, 1);
  assertEquals(stderr, "refused: 308 Permanent Redirect; it points to /x, which is not followed\n");
});

Deno.test("gong publish exits 1 when what answers 200 is not Gong", async () => {
  const answers = [
    "<html>",
    "null",
    "[]",
    "{}",
    '{"positions":[]}',
    '{"positions":[null]}',
    '{"positions":[{"offset":1}]}',
  ];
  for (const body of answers) {
    const { code, stdout, stderr } = await publish(["a"], () => new Response(body));
    assertEquals({ code, stdout }, { code: 1, stdout: "" });
    assertMatch(stderr, /^no answer: .* answered 200, but not as Gong does\n$/);
  }
});

/** Publishes to a server by hand. */
async function meet(
  serve: (visit: Visit) => Promise<void>,
  args: readonly string[] = [],
  tls?: { cert: string; key: string },
): Promise<{ code: number; stdout: string; stderr: string }> {
  await using peer = new Peer(serve, tls);
  const world = new World();
  const url = `${tls ? "https" : "http"}://localhost:${peer.port}/gong/`;
  const code = await command.run(["--url", url, ...args, "hello"], world.io);
  return { code, stdout: world.stdout, stderr: world.stderr };
}

const answerOf = (body: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

Deno.test("gong publish keeps the path of --url before its own", async () => {
  let request = "";
  const { code } = await meet(async (visit) => {
    request = visit.request;
    await visit.connection.write(answerOf(JSON.stringify(TAKEN)));
  });
  assertEquals(code, 0);
  assertMatch(request, /^POST \/gong\/api\/publish HTTP\/1\.1\r\nHost: localhost:\d+\r\n/);
});

Deno.test("gong publish reads an answer in chunks, wherever they are split", async () => {
  const body = JSON.stringify(TAKEN);
  for (let at = 1; at < body.length; at += 7) {
    const chunks = [body.slice(0, at), body.slice(at), ""];
    const text = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join("");
    const { stdout } = await meet(async (visit) => {
      await visit.connection.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${text}`);
      await visit.connection.readToEnd();
    });
    assertEquals(stdout, "news k3f9:41\n");
  }
});

Deno.test("gong publish exits 1 when there is no answer in time", async () => {
  const { code, stderr } = await meet(async (visit) => void await visit.connection.readToEnd(), ["--timeout", "100ms"]);
  assertEquals(code, 1);
  assertMatch(stderr, /^no answer: localhost:\d+ did not answer within 0\.1 s\n$/);
});

Deno.test("gong publish exits 1 when the server hangs up, before or within its answer", async () => {
  for (const answer of ["", "HTTP/1.1 2"]) {
    const { code, stdout, stderr } = await meet((visit) => visit.connection.write(answer));
    assertEquals({ code, stdout }, { code: 1, stdout: "" });
    assertMatch(stderr, /^no answer: .* hung up without an answer\n$/);
  }
  for (const rest of ["Content-Length: 99\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"]) {
    const { code, stderr } = await meet((visit) => visit.connection.write(`HTTP/1.1 200 OK\r\n${rest}`));
    assertEquals(code, 1);
    assertMatch(stderr, /^no answer: .* hung up within its answer\n$/);
  }
});

Deno.test("gong publish exits 1 when the connection is refused", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  const world = new World();
  assertEquals(await command.run(["--url", `:${port}`, "hello"], world.io), 1);
  assertMatch(world.stderr, /^no answer: 127\.0\.0\.1:\d+ refuses connections/);
});

Deno.test("gong publish exits 1 when standard input is not text", async () => {
  const { code, stderr, request } = await publish([], undefined, { input: Uint8Array.of(0xff) });
  assertEquals({ code, stderr, request }, {
    code: 1,
    stderr: "standard input: it is not UTF-8 text\n",
    request: undefined,
  });
});

Deno.test("gong publish speaks https with whom --ca names, with anybody under --insecure, else not", async () => {
  const { localhost, selfSigned, authority } = CERTIFICATES;
  const serve = (visit: Visit) => visit.connection.write(answerOf(JSON.stringify(TAKEN)));
  for (const args of [["--ca", authority], ["--insecure"]]) {
    assertEquals(await meet(serve, args, localhost), { code: 0, stdout: "news k3f9:41\n", stderr: "" });
  }
  assertEquals((await meet(serve, ["--insecure"], selfSigned)).code, 0);
  const { code, stdout, stderr } = await meet(serve, [], localhost);
  assertEquals({ code, stdout }, { code: 1, stdout: "" });
  assertMatch(stderr, /^no answer: .*not trusted.*--ca/);
});

const MISUSED: readonly [string, readonly string[], string][] = [
  ["a WebSocket address", ["--url", "ws://127.0.0.1:8998", "a"], "write http://"],
  ["an address with a query", ["--url", "http://127.0.0.1/?a=b", "a"], "?query"],
  ["two texts", ["a", "b"], "too many"],
  ["JSON that is none", ["--json", "{"], "--json"],
  ["a time to live that is none", ["--ttl", "soon", "a"], "--ttl soon: expected a duration"],
  ["an unknown flag", ["--chanel", "a", "b"], "--channel"],
  ["--insecure without TLS", ["--insecure", "a"], "https://"],
];

for (const [what, args, says] of MISUSED) {
  Deno.test(`gong publish refuses ${what} as wrong usage`, async () => {
    const error = await assertRejects(() => command.run(args, new World().io), UsageError, says);
    assert(error instanceof UsageError);
  });
}
