import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { connect } from "./client.ts";
import { encodeFrame, OPCODE, parseFrame } from "./frames.ts";
import { Lines } from "./lines.ts";
import { openWebSocket, RawConnection, rawRequest } from "./raw.ts";
import { handshake, request } from "./requests.ts";

/** A server that echoes, closes with 4000 on "bye", and answers other requests with what they said. */
function startEcho(): { port: number } & AsyncDisposable {
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    if (request.headers.get("upgrade") !== "websocket") {
      const body = new ReadableStream<string>({
        start(controller) {
          controller.enqueue(request.method);
          controller.enqueue(" was the method");
          controller.close();
        },
      });
      return new Response(body.pipeThrough(new TextEncoderStream()), { status: 418 });
    }
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = ({ data }) => data === "bye" ? socket.close(4000, "bye") : socket.send(data);
    return await Promise.resolve(response);
  });
  return {
    port: server.addr.port,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

Deno.test("parseFrame() reads what encodeFrame() wrote, at every length and never before its end", () => {
  for (const size of [0, 1, 125, 126, 65_535, 65_536]) {
    const payload = new Uint8Array(size).map((_, at) => at);
    const bytes = encodeFrame(OPCODE.binary, payload, { fin: false, rsv: 4 });
    assertEquals(parseFrame(bytes), { frame: { fin: false, rsv: 4, opcode: 2, payload }, length: bytes.length });
    for (const end of [0, 1, 2, 5, bytes.length - 1]) assertEquals(parseFrame(bytes.subarray(0, end)), undefined);
  }
});

Deno.test("rawRequest() reads a chunked answer, and none to HEAD", async () => {
  await using echo = startEcho();
  const answer = await rawRequest(echo.port, request("BREW", "/"));
  assertEquals([answer.status, answer.body], [418, "BREW was the method"]);
  const head = await rawRequest(echo.port, request("HEAD", "/"));
  assertEquals([head.status, head.body], [418, ""]);
});

Deno.test("RawConnection.sendFrame() sends fragments, and readClose() gives the code of the server", async () => {
  await using echo = startEcho();
  using socket = await openWebSocket(echo.port, "/");
  await socket.sendFrame(OPCODE.text, "he", { fin: false });
  await socket.sendFrame(OPCODE.continuation, "llo");
  assertEquals(new TextDecoder().decode((await socket.readFrame()).payload), "hello");
  await socket.sendFrame(OPCODE.ping, "p");
  assertEquals((await socket.readFrame()).opcode, OPCODE.pong);
  await socket.sendFrame(OPCODE.text, "bye");
  assertEquals(await socket.readClose(), 4000);
  await socket.sendClose(4000);
  assertEquals((await socket.readToEnd()).length, 0);
});

Deno.test("openWebSocket() rejects with the status and text of a refusal", async () => {
  await using echo = startEcho();
  const refused = await assertRejects(() => openWebSocket(echo.port, "/", { Upgrade: "" }), Error);
  assertStringIncludes(refused.message, "418: GET was the method");
});

Deno.test("RawConnection.readResponse() gives up on a silent server", async () => {
  using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  using connection = await RawConnection.open(listener.addr.port, { patience: 20 });
  using _accepted = await listener.accept();
  await connection.write(handshake("/"));
  await assertRejects(() => connection.readResponse(), Error, "nothing came within 20 ms");
});

Deno.test("Client.next() gives messages in order and rejects after the end", async () => {
  await using echo = startEcho();
  const client = await connect(`ws://127.0.0.1:${echo.port}/`, { headers: { "X-Test": "1" } });
  client.send("a");
  client.send(Uint8Array.of(1, 2));
  assertEquals([await client.next(), await client.next()], ["a", Uint8Array.of(1, 2)]);
  client.send("bye");
  assertEquals(await client.closed, { code: 4000, reason: "bye" });
  await assertRejects(() => client.next(), Error, "4000 bye");
});

Deno.test("connect() rejects when the handshake is refused", async () => {
  using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const refusing = listener.accept().then(async (conn) => {
    await conn.write(new TextEncoder().encode("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"));
    conn.close();
  });
  await assertRejects(() => connect(`ws://127.0.0.1:${listener.addr.port}/`), Error, "no connection");
  await refusing;
});

Deno.test("Lines.find() finds lines seen and lines to come, and rejects at the end", async () => {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const lines = new Lines();
  const collected = lines.collect(readable);
  const coming = lines.find(/^second$/);
  await writer.write(new TextEncoder().encode("first\nsec"));
  await writer.write(new TextEncoder().encode("ond\nthird"));
  assertEquals([await coming, await lines.find(/fir/)], ["second", "first"]);
  await writer.close();
  await collected;
  assertEquals(await lines.find(/third/), "third");
  await assertRejects(() => lines.find(/fourth/), Error, "the output ended");
});
