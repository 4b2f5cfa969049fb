import { assert, assertEquals } from "@std/assert";
import type { Timer } from "../lib/http/body.ts";
import { CLIENT, KEYS, setUp } from "./support/api.ts";
import { RawConnection, rawRequest } from "./support/raw.ts";
import { get, post, request } from "./support/requests.ts";

const KEY = { "X-API-Key": KEYS.publish };

/** The API on a real port. */
function serve(timer?: Timer) {
  const fixture = setUp({ allowHost: ["127.0.0.1"] }, timer === undefined ? {} : { timer });
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    return await fixture.api(request, new URL(request.url), CLIENT) ?? new Response(null, { status: 404 });
  });
  return { ...fixture, port: server.addr.port, [Symbol.asyncDispose]: () => server.shutdown() };
}

Deno.test("createApi() publishes what comes over a real connection, and again over the same", async () => {
  await using server = serve();
  using connection = await RawConnection.open(server.port);
  for (const offset of [1, 2]) {
    await connection.write(post("/api/publish", '{"channel":"news","data":"é"}', KEY));
    const { status, body } = await connection.readResponse();
    assertEquals([status, JSON.parse(body).positions[0].offset], [200, offset]);
  }
  assertEquals(server.hub.published.map(({ data }) => data), ["é", "é"]);
});

Deno.test("createApi() takes a body split at every byte", async () => {
  await using server = serve();
  const text = post("/api/publish", '{"channel":"a","data":"é😀"}', KEY);
  const bytes = new TextEncoder().encode(text);
  const start = new TextEncoder().encode(text.slice(0, text.indexOf("\r\n\r\n") + 4)).length;
  for (let split = start; split < bytes.length; split++) {
    using connection = await RawConnection.open(server.port);
    await connection.write(bytes.subarray(0, split));
    await connection.write(bytes.subarray(split));
    assertEquals((await connection.readResponse()).status, 200, `split at ${split}`);
  }
  assert(server.hub.published.every(({ data }) => data === "é😀"));
});

Deno.test("createApi() answers HEAD without a body", async () => {
  await using server = serve();
  using connection = await RawConnection.open(server.port);
  await connection.write(request("HEAD", "/health"));
  const { status, headers } = await connection.readResponse("HEAD");
  assertEquals([status, headers.get("content-length")], [200, "15"]);
  // Had there been a body, it would be read as the beginning of this answer.
  await connection.write(get("/health"));
  assertEquals((await connection.readResponse()).body, '{"status":"ok"}');
});

Deno.test("createApi() refuses without having read the body", async () => {
  await using server = serve();
  const unfinished = (fields: Record<string, string>) =>
    rawRequest(server.port, request("POST", "/api/publish", { "Content-Length": "100", ...fields }, "{"));
  const type = { "Content-Type": "application/json" };
  assertEquals((await unfinished({ ...type })).status, 401);
  assertEquals((await unfinished({ ...type, ...KEY, "Origin": "https://evil.example" })).status, 403);
  assertEquals((await unfinished({ ...KEY, "Content-Type": "text/plain" })).status, 415);
  assertEquals((await unfinished({ ...KEY, ...type, "Content-Encoding": "gzip" })).status, 415);
  assertEquals((await unfinished({ ...KEY, ...type, "Content-Length": "1000000" })).status, 413);
});

Deno.test("createApi() gives up on a body that comes too slowly", async () => {
  const started = Promise.withResolvers<() => void>();
  await using server = serve((seconds, callback) => {
    assertEquals(seconds, 10);
    started.resolve(callback);
    return () => {};
  });
  using connection = await RawConnection.open(server.port);
  const type = { "Content-Type": "application/json" };
  await connection.write(request("POST", "/api/publish", { ...KEY, ...type, "Content-Length": "100" }, '{"channel":'));
  (await started.promise)();
  const { status, headers, body } = await connection.readResponse();
  assertEquals([status, headers.get("content-type")], [408, "application/problem+json"]);
  assertEquals(JSON.parse(body).code, "timeout");
  assertEquals(server.refused(), { timeout: 1 });
});

Deno.test("createApi() survives oversize, aborted and broken bodies, and answers on", async () => {
  await using server = serve();
  const head = { ...KEY, "Content-Type": "application/json" };
  const chunked = request("POST", "/api/publish", { ...head, "Transfer-Encoding": "chunked" });
  const chunk = `10000\r\n${"x".repeat(65_536)}\r\n`;
  using oversize = await RawConnection.open(server.port);
  await oversize.write(chunked + chunk.repeat(10));
  assertEquals((await oversize.readResponse()).status, 413);
  for (
    const start of [chunked + "10\r\nhalf", request("POST", "/api/publish", { ...head, "Content-Length": "9" }, "{")]
  ) {
    using aborted = await RawConnection.open(server.port);
    await aborted.write(start);
  }
  const notUtf8 = new TextEncoder().encode(post("/api/publish", '{"channel":"a","data":"??"}', KEY));
  notUtf8.set([0xc3, 0x28], notUtf8.length - 4);
  const broken = await rawRequest(server.port, notUtf8);
  assertEquals([broken.status, JSON.parse(broken.body).detail], [400, "The text is not UTF-8."]);
  const fine = await rawRequest(server.port, post("/api/publish", '{"channel":"a","data":1}', KEY));
  assertEquals(fine.status, 200);
  assertEquals(server.hub.published.length, 1);
});
