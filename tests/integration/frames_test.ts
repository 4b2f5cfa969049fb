/**
 * What a WebSocket client may not send, frame by frame over a socket, and how it is closed for it.
 *
 * @module
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { connect } from "../support/client.ts";
import { OPCODE } from "../support/frames.ts";
import { startGong } from "../support/gong.ts";
import { openWebSocket, type RawConnection, rawRequest } from "../support/raw.ts";
import { get, handshake } from "../support/requests.ts";

/** One line: what is sent once the connection is open, and the code of the close frame that has to come. */
interface Row {
  title: string;
  send(connection: RawConnection): Promise<void>;
  target?: string;
  /** Undefined: the connection is dropped without a word, or with one of any code. */
  close: number | undefined;
}

const json = "/push?format=json";

const ROWS: Row[] = [
  { title: "a binary frame", send: (c) => c.sendFrame(OPCODE.binary, Uint8Array.of(1)), close: 1003 },
  {
    title: "a binary frame to the JSON door",
    target: json,
    send: (c) => c.sendFrame(OPCODE.binary, "{}"),
    close: 1003,
  },
  { title: "a message over the bound", send: (c) => c.sendFrame(OPCODE.text, "x".repeat(1001)), close: 1009 },
  {
    title: "a message over the bound in bytes, not in characters",
    send: (c) => c.sendFrame(OPCODE.text, "é".repeat(501)),
    close: 1009,
  },
  {
    title: "a message over the bound in fragments",
    async send(c) {
      await c.sendFrame(OPCODE.text, "x".repeat(600), { fin: false });
      await c.sendFrame(OPCODE.continuation, "x".repeat(600));
    },
    close: 1009,
  },
  { title: "text that is not UTF-8", send: (c) => c.sendFrame(OPCODE.text, Uint8Array.of(0xff)), close: undefined },
  { title: "a line that is not JSON", target: json, send: (c) => c.sendFrame(OPCODE.text, "{oops"), close: 4400 },
  { title: "a line that is no object", target: json, send: (c) => c.sendFrame(OPCODE.text, "[]"), close: 4400 },
  {
    title: "JSON nested deeper than 64",
    target: json,
    send: (c) => c.sendFrame(OPCODE.text, `{"ping":${"[".repeat(65)}${"]".repeat(65)}}`),
    close: 4400,
  },
  { title: "a reserved opcode", send: (c) => c.sendFrame(3, "x"), close: undefined },
  { title: "a reserved bit", send: (c) => c.sendFrame(OPCODE.text, "x", { rsv: 4 }), close: undefined },
  { title: "a continuation of nothing", send: (c) => c.sendFrame(OPCODE.continuation, "x"), close: undefined },
  { title: "a ping of 126 bytes", send: (c) => c.sendFrame(OPCODE.ping, "x".repeat(126)), close: undefined },
  { title: "a ping in fragments", send: (c) => c.sendFrame(OPCODE.ping, "x", { fin: false }), close: undefined },
  {
    title: "a frame of 2^62 bytes",
    send: (c) => c.sendFrame(OPCODE.text, "x", { claim: 2 ** 62 }),
    close: undefined,
  },
];

Deno.test("gong serve closes a WebSocket for what it may not send", async (t) => {
  await using gong = await startGong(["--isolates", "1", "--max-message", "1000"]);
  await using neighbour = await connect(`${gong.ws}/push`);
  for (const { title, target, send, close } of ROWS) {
    await t.step(title, async () => {
      using connection = await openWebSocket(gong.port, target);
      await send(connection);
      const code = await connection.readClose();
      if (close !== undefined) assertEquals(code, close);
      else if (code !== undefined) assertEquals(code >= 1002 && code <= 1011, true, `closed with ${code}`);
    });
  }
  neighbour.send("unharmed");
  assertEquals(await neighbour.nextText(), "unharmed");
  assertEquals(await gong.stop(), 0);
});

Deno.test("gong serve closes a WebSocket with 4429 for too many messages a second", async () => {
  await using gong = await startGong(["--isolates", "1", "--message-rate", "5"]);
  using connection = await openWebSocket(gong.port, "/push?echo=false");
  for (let i = 0; i < 11; i++) await connection.sendFrame(OPCODE.text, "x");
  assertEquals(await connection.readClose(), 4429);
});

Deno.test("gong serve without --dev answers an anonymous text frame with close 4403, not with a broadcast", async () => {
  const env = { GONG_API_KEY: "a:publish:publish-secret-0123456789" };
  await using gong = await startGong(["--isolates", "1"], { dev: false, env });
  await using listener = await connect(`${gong.ws}/push`);
  using publisher = await openWebSocket(gong.port);
  await publisher.sendFrame(OPCODE.text, "let me in");
  assertEquals(await publisher.readClose(), 4403);
  const response = await fetch(`${gong.url}/api/publish`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-api-key": "publish-secret-0123456789" },
    body: JSON.stringify({ channel: "broadcast", data: "the first" }),
  });
  assertEquals(response.status, 200, await response.text());
  assertEquals(await listener.nextText(), "the first");
});

Deno.test("gong serve --allow-publish lets anybody publish to channels of that pattern", async () => {
  const env = { GONG_API_KEY: "publish-secret-0123456789" };
  await using gong = await startGong(["--isolates", "1", "--allow-publish", "broad*"], { dev: false, env });
  await using client = await connect(`${gong.ws}/push`);
  client.send("open");
  assertEquals(await client.nextText(), "open");
});

Deno.test("gong serve accepts a slash at the end, further paths, its own origin, and declines compression", async (t) => {
  await using gong = await startGong(["--isolates", "1", "--path", "/live"]);
  for (const target of ["/push", "/push/", "/live", "/live/", json]) {
    await t.step(target, async () => {
      assertEquals((await rawRequest(gong.port, handshake(target))).status, 101);
    });
  }
  const own = `127.0.0.1:${gong.port}`;
  assertEquals((await rawRequest(gong.port, handshake("/push", { Host: own, Origin: `http://${own}` }))).status, 101);
  const offered = { "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits" };
  const answer = await rawRequest(gong.port, handshake("/push", offered));
  assertEquals([answer.status, answer.headers.get("sec-websocket-extensions")], [101, null]);
  assertEquals(answer.headers.get("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
});

Deno.test("gong serve honours the close handshake and echoes the code", async (t) => {
  await using gong = await startGong(["--isolates", "1"]);
  for (const code of [undefined, 1000, 1001, 3000, 4999]) {
    await t.step(`close ${code ?? "without a code"}`, async () => {
      using connection = await openWebSocket(gong.port);
      await connection.sendClose(code);
      assertEquals(await connection.readClose(), code ?? 1005);
      assertEquals((await connection.readToEnd()).length, 0);
    });
  }
});

Deno.test("gong serve answers pings with the same bytes, between the fragments of a message too", async () => {
  await using gong = await startGong(["--isolates", "1"]);
  using connection = await openWebSocket(gong.port);
  await connection.sendFrame(OPCODE.text, "in ", { fin: false });
  await connection.sendFrame(OPCODE.ping, "are you there?");
  assertEquals(new TextDecoder().decode((await connection.readFrame()).payload), "are you there?");
  await connection.sendFrame(OPCODE.continuation, "parts");
  assertEquals(new TextDecoder().decode((await connection.readFrameOf(OPCODE.text)).payload), "in parts");
});

Deno.test("gong serve removes a peer that vanished within two pings", async () => {
  await using gong = await startGong(["--isolates", "1", "--ping", "0.3"]);
  using silent = await openWebSocket(gong.port);
  assertEquals((await silent.readFrame()).opcode, OPCODE.ping);
  // Neither a pong nor the answer to the closing handshake is sent.
  await silent.readClose();
  const line = await gong.line(/session\.close|disconnect/);
  assertStringIncludes(line, "vanished");
  const figures = await rawRequest(gong.port, get("/api/sessions"));
  assertEquals(JSON.parse(figures.body).total, 0);
});
