import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import process from "node:process";
import { command } from "../../lib/cli/bench.ts";
import { parseBenchArguments } from "../../lib/cli/bench/flags.ts";
import { UsageError } from "../../lib/flags.ts";
import { assertDeliveredOnce, faultsOf, figuresOfProcess, type Report, runLoad } from "../support/load.ts";

interface Peer extends AsyncDisposable {
  readonly url: string;
  readonly sockets: ReadonlySet<WebSocket>;
}

/** A server of one isolate: what comes in goes through `relay`, which sends it to whom it likes. */
function servePeer(
  relay: (data: string, sockets: Set<WebSocket>, sender: WebSocket) => void,
  respond: (request: Request) => Response | undefined = () => undefined,
): Peer {
  const sockets = new Set<WebSocket>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const refused = respond(request);
    if (refused !== undefined) return refused;
    const { socket, response } = Deno.upgradeWebSocket(request);
    const listens = request.url.includes("format=json") ? request.url.includes("channel=") : true;
    socket.onopen = () => listens && sockets.add(socket);
    socket.onclose = () => sockets.delete(socket);
    socket.onmessage = ({ data }) => relay(data, sockets, socket);
    return response;
  });
  return {
    url: `ws://127.0.0.1:${server.addr.port}/push`,
    sockets,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

function sendToAll(data: string, sockets: Iterable<WebSocket>): void {
  for (const socket of sockets) if (socket.readyState === WebSocket.OPEN) socket.send(data);
}

/** Number of the message on its publisher; -1 for a probe. */
function sequenceOf(data: string): number {
  const [, publisher, sequence] = /@GONG[A-Z]{7}(\d{5})(\d{9})/.exec(data) ?? [];
  return publisher === "99999" ? -1 : Number(sequence);
}

const small = { subscribers: 8, rate: 0, count: 50, workers: 2 } as const;
/** Where something is lost it is waited for, so long that a machine that stands still has not lost the rest too. */
const lossy = { ...small, settle: 3 } as const;

/** Tests with isolates: what the runtime keeps for them is not a leak of the test. */
function loadTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
}

loadTest("runLoad() counts everything that a bare loop delivers, once and in order", async () => {
  await using peer = servePeer(sendToAll);
  const report = await runLoad({ url: peer.url, ...small, publishers: 3 });
  assertDeliveredOnce(report);
  assertEquals([report.published, report.expected, report.delivered], [50, 400, 400]);
  assertEquals([report.publishers, report.deaf], [3, 0]);
  assert(
    report.latency.p50 > 0 && report.latency.p50 <= report.latency.p99 && report.latency.p99 <= report.latency.max,
  );
  assert(report.messagesPerSecond > 0);
});

loadTest("runLoad() reads JSON lines that share frames, and publishes as the JSON door wants it", async () => {
  let lines: string[] = [];
  let offset = 0;
  const commands: string[] = [];
  const queries = new Set<string>();
  await using peer = servePeer((data, sockets) => {
    commands.push(data);
    const { channel, data: message } = JSON.parse(data).publish;
    lines.push(JSON.stringify({ channel, epoch: "k3f9", offset: ++offset, time: 1790000000000, data: message }));
    const last = lines.length === 7 || sequenceOf(data) === -1 || sequenceOf(data) === 99;
    if (!last) return;
    sendToAll(lines.join("\n"), sockets);
    lines = [];
  }, (request) => void queries.add(new URL(request.url).search));
  const report = await runLoad({ url: peer.url, ...small, count: 100, format: "json", channel: "a:b", size: 99 });
  assertDeliveredOnce(report);
  assertEquals(report.delivered, 800);
  // A publisher names no channel, so that it hears nothing.
  assertEquals(queries, new Set(["?format=json&channel=a%3Ab", "?format=json"]));
  assert(commands.every((text) => JSON.parse(text).publish.channel === "a:b"));
  assert(commands.every((text) => JSON.parse(text).publish.data.length === 99));
});

loadTest("runLoad() reports what was lost, doubled and late exactly", async () => {
  let held: string | undefined;
  await using peer = servePeer((data, sockets) => {
    const sequence = sequenceOf(data);
    // Lost for one: 5. Lost for all: 7. Doubled for all: 9. After its successor: 11.
    const [first, ...others] = sockets;
    if (sequence === 5) return sendToAll(data, sockets.size > 8 ? others : [first!]);
    if (sequence === 7) return;
    if (sequence === 11) return void (held = data);
    sendToAll(data, sockets);
    if (sequence === 9) sendToAll(data, sockets);
    if (sequence === 12) sendToAll(held!, sockets);
  });
  const report = await runLoad({ url: peer.url, ...lossy });
  assertEquals(faultsOf(report), {
    unconnected: 0,
    lost: 9,
    duplicated: 8,
    outOfOrder: 8,
    failed: {},
    closed: {},
    refused: {},
  });
  assertEquals(report.lostByClosed, 0);
});

loadTest("runLoad() tells what was lost with closed connections from what was lost otherwise", async () => {
  let closed = false;
  await using peer = servePeer((data, sockets) => {
    if (sequenceOf(data) === 10 && !closed) {
      closed = true;
      [...sockets][0]!.close(4008, "stalled");
    }
    sendToAll(data, sockets);
  });
  const report = await runLoad({ url: peer.url, ...lossy, rate: 500 });
  assertEquals(report.closed, { 4008: 1 });
  assertEquals(report.lost, 40);
  assertEquals(report.lostByClosed, 40);
});

loadTest("runLoad() waits for what others are still owed, whatever a closed connection had heard", async () => {
  await using peer = servePeer((data, sockets) => {
    const sequence = sequenceOf(data);
    if (sequence === 40) [...sockets][0]!.close(4008, "stalled");
    if (sequence !== 49) return sendToAll(data, sockets);
    // The last comes late to those who are left.
    setTimeout(() => sendToAll(data, sockets), 1000);
  });
  const report = await runLoad({ url: peer.url, ...small });
  assertEquals([report.lost, report.lostByClosed], [10, 10]);
});

loadTest("runLoad() says why connections were refused, and goes on with the others", async () => {
  let asked = 0;
  await using peer = servePeer(
    sendToAll,
    () => ++asked % 4 === 0 ? new Response("", { status: 429, statusText: "Too Many Requests" }) : undefined,
  );
  const report = await runLoad({ url: peer.url, ...small, publishers: 1 });
  assertEquals(report.failed, { "429 Too Many Requests": 2 });
  assertEquals([report.connected, report.delivered, report.lost], [6, 300, 0]);
});

loadTest("runLoad() counts refusals of the JSON door by their code", async () => {
  await using peer = servePeer((data, sockets, sender) => {
    if (sequenceOf(data) !== 3) return sendToAll(data, sockets);
    sender.send(JSON.stringify({ error: { code: "overloaded", message: "Too much." } }));
  });
  const report = await runLoad({ url: peer.url, ...lossy, format: "json" });
  assertEquals(report.refused, { overloaded: 1 });
  assertEquals(report.lost, 8);
});

loadTest("runLoad() keeps the rate it is given", async () => {
  await using peer = servePeer(sendToAll);
  const report = await runLoad({ url: peer.url, subscribers: 2, rate: 200, duration: 1, workers: 1 });
  assertEquals(report.published, 200);
  // The last goes out a two-hundredth before the end of the second; it may arrive much later.
  assert(report.seconds > 0.9 && report.seconds < 10, `${report.seconds} s`);
});

loadTest("runLoad() with no publishers holds the connections and answers pings", async () => {
  const pings = new Set<string>();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    const connection = await listener.accept();
    const buffer = new Uint8Array(4096);
    await connection.read(buffer);
    const head = "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    // The first frame comes with the head.
    await connection.write(new Uint8Array([...new TextEncoder().encode(head), 0x89, 2, 104, 105]));
    const count = await connection.read(buffer);
    const mask = buffer.slice(2, 6);
    pings.add(`${buffer[0]} ${buffer[1]} ${count} ${buffer.slice(6, 8).map((byte, i) => byte ^ mask[i]!).join()}`);
    while (await connection.read(buffer) !== null);
    connection.close();
  })();
  const { port } = listener.addr as Deno.NetAddr;
  const report = await runLoad({ url: `ws://127.0.0.1:${port}/`, subscribers: 1, publishers: 0, duration: 0.1 });
  await serving;
  listener.close();
  assertEquals(report.connected, 1);
  assertEquals([...pings], ["138 130 8 104,105"]);
  assertEquals([report.published, report.lost], [0, 0]);
});

loadTest("runLoad() refuses a message too small to be counted", async () => {
  await assertRejects(() => runLoad({ url: "ws://127.0.0.1:1/", size: 10 }), RangeError, "at least");
});

loadTest("figuresOfProcess() reads CPU and memory of a process", async () => {
  const before = await figuresOfProcess(Deno.pid)();
  const start = process.cpuUsage();
  while (process.cpuUsage(start).user < 100_000);
  const after = await figuresOfProcess(Deno.pid)();
  assert(after.cpuSeconds - before.cpuSeconds >= 0.08, `${after.cpuSeconds - before.cpuSeconds} s`);
  assert(after.rss > 10 * 2 ** 20 && after.rss < 10 * 2 ** 30);
});

function fakeIo(env: Record<string, string> = {}, terminal = false) {
  const written = { stdout: "", stderr: "" };
  return {
    written,
    stdin: new ReadableStream<Uint8Array>(),
    stdout: (text: string) => void (written.stdout += text),
    stderr: (text: string) => void (written.stderr += text),
    terminal,
    interactive: false,
    env: { get: (name: string) => env[name], toObject: () => env },
  };
}

loadTest("gong bench --json prints the report with the server's figures from --stats, and exits 0", async () => {
  let cpuSeconds = 1;
  const keys = new Set<string | null>();
  await using peer = servePeer(sendToAll, (request) => {
    keys.add(request.headers.get("X-API-Key"));
    if (!request.url.endsWith("/api/stats")) return undefined;
    return Response.json({ cpuSeconds: cpuSeconds += 0.5, residentBytes: 50_000_000 });
  });
  const io = fakeIo({ GONG_API_KEY: "ops:stats:s3cret,other" });
  const stats = peer.url.replace("ws:", "http:").replace("/push", "/api/stats");
  const args = ["--subscribers", "4", "--count", "10", "--rate", "0", "--json", "--stats", stats, peer.url];
  assertEquals(await command.run(args, io), 0);
  const report = JSON.parse(io.written.stdout) as Report;
  assertDeliveredOnce(report);
  assertEquals(report.server, {
    cpuSeconds: 0.5,
    cpuMicrosecondsPerMessage: 12_500,
    rss: 50_000_000,
    memoryPerConnection: 0,
  });
  assertEquals([...keys], ["s3cret"]);
  assertEquals(io.written.stderr, "");
});

loadTest("gong bench shows progress on a terminal and exits 1 when something was lost", async () => {
  await using peer = servePeer((data, sockets) => {
    if (sequenceOf(data) !== 0) sendToAll(data, sockets);
  });
  const io = fakeIo({}, true);
  const args = ["--subscribers=2", "--count=3", "--rate=0", "--settle=3s", peer.url];
  assertEquals(await command.run(args, io), 1);
  assertStringIncludes(io.written.stderr, "publishing: 2 connected, 3 published");
  assertStringIncludes(io.written.stdout, "lost          2\n");
});

loadTest("gong bench reports a server that is not there, and exits 1", async () => {
  const io = fakeIo();
  assertEquals(await command.run(["--subscribers", "1", "--publishers", "0", "--duration", "0", "127.0.0.1:1"], io), 1);
  assertStringIncludes(io.written.stdout, "connected     0 of 1");
});

Deno.test("parseBenchArguments() takes units and fills in what is not said", () => {
  const { load, json } = parseBenchArguments(["--size", "1KiB", "--duration", "2m", "--format=json", "--json"]);
  assertEquals([load.url, load.size, load.duration, load.format], ["ws://127.0.0.1:8998/push", 1024, 120, "json"]);
  assertEquals([load.subscribers, load.publishers, load.rate, json], [100, 1, 100, true]);
});

Deno.test("parseBenchArguments() of socketio means the path of Socket.IO where none is said", () => {
  const urlOf = (...args: string[]) => parseBenchArguments(["--format", "socketio", ...args]).load.url;
  assertEquals(urlOf(), "ws://127.0.0.1:8998/socket.io/");
  assertEquals(urlOf(":80"), "ws://127.0.0.1/socket.io/");
  assertEquals(urlOf("ws://a/push"), "ws://a/push");
});

Deno.test("parseBenchArguments() refuses what cannot be, naming the flag", () => {
  for (
    const [args, message] of [
      [["--subscribers=-1"], "--subscribers"],
      [["--size", "41"], "--size 41"],
      [["--format", "xml"], "plain, json, stomp, socketio"],
      [["--rates", "1"], "--rate"],
      [["--channel", "a b"], "--channel"],
      [["--duration", "soon"], "--duration soon"],
      [["--stats", "file:///etc/passwd"], "--stats"],
      [["--pid", "1", "--stats", "http://a/"], "one of them"],
      [["http://localhost/"], "ws://"],
    ] as const
  ) assertThrows(() => parseBenchArguments(args), UsageError, message);
});
