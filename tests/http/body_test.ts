import { assert, assertEquals, assertRejects } from "@std/assert";
import { type BodyOptions, ByteBudget, readBody } from "../../lib/http/body.ts";
import { GongError } from "../../lib/errors.ts";
import { problem } from "../../lib/http/problem.ts";
import { RawConnection, rawRequest } from "../support/raw.ts";

const POST = "POST / HTTP/1.1\r\nHost: a\r\n";

/** A server that answers the length of the body it read; `outcomes` are those of the first `count` requests. */
function serve(options: BodyOptions, count = 1) {
  const seen: (number | string)[] = [];
  const { promise: outcomes, resolve } = Promise.withResolvers<typeof seen>();
  const record = (outcome: number | string) => {
    if (seen.push(outcome) === count) resolve(seen);
  };
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    try {
      const { length } = await readBody(request, options);
      record(length);
      return new Response(String(length));
    } catch (error) {
      assert(error instanceof GongError);
      record(error.code);
      return problem(error);
    }
  });
  return { port: server.addr.port, outcomes, [Symbol.asyncDispose]: () => server.shutdown() };
}

function streamed(...chunks: string[]): Request {
  const encoder = new TextEncoder();
  const body = ReadableStream.from(chunks.map((chunk) => encoder.encode(chunk)));
  return new Request("http://a/", { method: "POST", body });
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => promise, GongError)).code;
}

Deno.test("readBody() joins chunks of every size", async () => {
  const text = "0123456789".repeat(1000);
  for (const size of [1, 7, 4095, 4096, 4097, 10_000]) {
    const chunks = text.match(new RegExp(`.{1,${size}}`, "g"))!;
    const bytes = await readBody(streamed(...chunks), { limit: 10_000 });
    assertEquals(new TextDecoder().decode(bytes), text);
  }
  assertEquals((await readBody(new Request("http://a/", { method: "POST" }), { limit: 1 })).length, 0);
  assertEquals((await readBody(streamed("a", "", "b"), { limit: 2 })).length, 2);
});

Deno.test("readBody() takes exactly the limit and refuses one byte more", async () => {
  assertEquals((await readBody(streamed("abc", "de"), { limit: 5 })).length, 5);
  assertEquals(await codeOf(readBody(streamed("abc", "def"), { limit: 5 })), "too_large");
});

Deno.test("readBody() reads nothing of a body that declares too much or a content coding", async () => {
  const body = () =>
    new ReadableStream({
      pull() {
        throw new Error("the body was read");
      },
    }, { highWaterMark: 0 });
  const request = (headers: HeadersInit) => new Request("http://a/", { method: "POST", body: body(), headers });
  assertEquals(await codeOf(readBody(request({ "content-length": "6" }), { limit: 5 })), "too_large");
  for (const coding of ["gzip", "br", "identity, gzip", "x"]) {
    assertEquals(await codeOf(readBody(request({ "content-encoding": coding }), { limit: 5 })), "unsupported_type");
  }
  const plain = new Request("http://a/", { method: "POST", body: "a", headers: { "content-encoding": "Identity" } });
  assertEquals((await readBody(plain, { limit: 5 })).length, 1);
});

Deno.test("readBody() shares a budget, and gives back what it took", async () => {
  const budget = new ByteBudget(10_000);
  const read = Promise.withResolvers<ReadableStreamDefaultController>();
  let pulls = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (pulls++ === 0) controller.enqueue(new Uint8Array(6000));
      // Asked for more: the first chunk is read.
      else read.resolve(controller);
    },
  }, { highWaterMark: 0 });
  const slow = readBody(new Request("http://a/", { method: "POST", body }), { limit: 6000, budget });
  const controller = await read.promise;
  const refused = await assertRejects(() => readBody(streamed("x".repeat(5000)), { limit: 6000, budget }), GongError);
  assertEquals([refused.code, refused.retryAfter], ["overloaded", 1]);
  assertEquals((await readBody(streamed("x".repeat(4000)), { limit: 4000, budget })).length, 4000);
  controller.close();
  assertEquals((await slow).length, 6000);
  assert(budget.take(10_000));
});

Deno.test("readBody() stops its timer", async () => {
  let running = 0;
  const timer = () => {
    running++;
    return () => running--;
  };
  await readBody(streamed("a"), { limit: 1, timer });
  await codeOf(readBody(streamed("ab"), { limit: 1, timer }));
  assertEquals(running, 0);
});

Deno.test("readBody() gives up on a body that comes too slowly, and the connection learns 408", async () => {
  const started = Promise.withResolvers<() => void>();
  const timer = (seconds: number, callback: () => void) => {
    assertEquals(seconds, 10);
    started.resolve(callback);
    return () => {};
  };
  await using server = serve({ limit: 100, timer });
  using connection = await RawConnection.open(server.port);
  await connection.write(`${POST}Content-Length: 50\r\n\r\nhalf of it`);
  (await started.promise)();
  const { status, headers, body } = await connection.readResponse();
  assertEquals([status, headers.get("connection")], [408, "close"]);
  assertEquals(JSON.parse(body).code, "timeout");
  assertEquals(await server.outcomes, ["timeout"]);
});

Deno.test("readBody() ends a trickle by its own clock", async () => {
  await using server = serve({ limit: 1000, timeout: 0.05 });
  using connection = await RawConnection.open(server.port);
  await connection.write(`${POST}Transfer-Encoding: chunked\r\n\r\n`);
  const drip = setInterval(() => void connection.write("1\r\nx\r\n").catch(() => {}), 5);
  const { status } = await connection.readResponse();
  clearInterval(drip);
  assertEquals(status, 408);
});

Deno.test("readBody() counts the bytes of a chunked body, whatever is sent after the refusal", async () => {
  await using server = serve({ limit: 100 });
  const chunk = `40\r\n${"x".repeat(64)}\r\n`;
  const within = await rawRequest(server.port, `${POST}Transfer-Encoding: chunked\r\n\r\n${chunk}0\r\n\r\n`);
  assertEquals([within.status, within.body], [200, "64"]);
  const over = await rawRequest(server.port, `${POST}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(50)}0\r\n\r\n`);
  assertEquals(over.status, 413);
  const declared = await rawRequest(server.port, `${POST}Content-Length: 1000000\r\n\r\n`);
  assertEquals(declared.status, 413);
});

Deno.test("readBody() survives a client that goes away in the middle, and the server answers on", async () => {
  await using server = serve({ limit: 100 }, 3);
  for (const head of ["Content-Length: 50\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\na\r\n"]) {
    using connection = await RawConnection.open(server.port);
    await connection.write(`${POST}${head}half`);
  }
  const next = await rawRequest(server.port, `${POST}Content-Length: 3\r\n\r\nabc`);
  assertEquals([next.status, next.body], [200, "3"]);
  assertEquals((await server.outcomes).sort(), [3, "bad_request", "bad_request"]);
});
