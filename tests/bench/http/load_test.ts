/** The generator over plain HTTP, against a server that makes mistakes on purpose. */
import { assertEquals, assertRejects } from "@std/assert";
import { faultsOf } from "../../support/load.ts";
import { Exchange } from "./exchange.ts";
import { runHttpLoad } from "./load.ts";

const NONE = { unconnected: 0, lost: 0, duplicated: 0, outOfOrder: 0, failed: {}, closed: {}, refused: {} };
const encoder = new TextEncoder();

/** Hands what is POSTed to every stream, in the order that `arrange` makes of it; it sees messages 1, 2, 3 ... */
function serveStreams(arrange: (event: string, number: number) => string[], status = 200) {
  const streams = new Set<ReadableStreamDefaultController<Uint8Array>>();
  let number = 0;
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    if (request.method === "POST") {
      const { data } = await request.json();
      const isProbe = /^@GONG[A-Z]{7}99999/.test(data);
      const events = isProbe ? [data] : arrange(data, ++number);
      for (const event of events) for (const stream of streams) stream.enqueue(encoder.encode(`data: ${event}\n\n`));
      return new Response("{}", { status: isProbe ? 200 : status });
    }
    let own: ReadableStreamDefaultController<Uint8Array>;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => void streams.add(own = controller),
      cancel: () => void streams.delete(own),
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  });
}

async function load(arrange: (event: string, number: number) => string[], status?: number) {
  const server = serveStreams(arrange, status);
  try {
    const url = `http://127.0.0.1:${server.addr.port}`;
    const some = { subscribers: 3, publishers: 1, rate: 0, count: 20, workers: 1, settle: 3 };
    return await runHttpLoad({ ...some, url, server: "gong", door: "sse" }, {});
  } finally {
    await server.shutdown();
  }
}

Deno.test("runHttpLoad() counts every event at every client once", async () => {
  const report = await load((event) => [event]);
  assertEquals({ ...faultsOf(report), delivered: report.delivered }, { ...NONE, delivered: 60 });
});

Deno.test("runHttpLoad() finds what is lost, doubled and out of order", async () => {
  let late = "";
  const report = await load((event, number) => {
    if (number === 5) return [];
    if (number === 8) return [event, event];
    if (number === 11) return (late = event, []);
    return number === 12 ? [event, late] : [event];
  });
  assertEquals(faultsOf(report), { ...NONE, lost: 3, duplicated: 3, outOfOrder: 3 });
});

Deno.test("runHttpLoad() counts publications that are refused", async () => {
  const report = await load((event) => [event], 503);
  assertEquals(faultsOf(report), { ...NONE, refused: { "503": 20 } });
});

Deno.test("Exchange.ask() reads bodies of a length and of chunks, compressed or not, one behind the other", async () => {
  const text = "all the same ".repeat(1000);
  const whole = (request: Request) => {
    const isChunked = new URL(request.url).pathname === "/chunked";
    const body = isChunked ? new Blob([text]).stream() : text;
    return new Response(body, { headers: { "content-type": "text/plain" } });
  };
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, whole);
  const url = new URL(`http://127.0.0.1:${server.addr.port}`);
  const exchange = await Exchange.open(url);
  for (const path of ["/", "/chunked"]) {
    for (const coding of ["identity", "gzip", "br"]) {
      const request = `GET ${path} HTTP/1.1\r\nHost: ${url.host}\r\nAccept-Encoding: ${coding}\r\n\r\n`;
      const { status, body } = await exchange.ask(request);
      assertEquals([status, new TextDecoder().decode(body)], [200, text]);
    }
  }
  exchange.tcp.close();
  await assertRejects(() => exchange.ask("GET / HTTP/1.1\r\n\r\n"));
});
