import { assert, assertEquals } from "@std/assert";
import { Gate } from "../support/gate.ts";
import { startGong } from "../support/gong.ts";
import { Heard } from "./client.ts";

const MANY = 10_000;
const BATCH = 20;
/** Whatever a client has missed is still there; and it hears often that the server is alive. */
const SERVER = ["--isolates", "2", "--history-count", "10000", "--history-bytes", "16MiB", "--ping", "500ms"];

/** A steady stream: batches one after the other, each awaited. */
async function publishMany(url: string, goOn: (sent: number) => Promise<void> | void): Promise<void> {
  for (let sent = 0; sent < MANY; sent += BATCH) {
    await goOn(sent);
    const publications = Array.from({ length: BATCH }, (_, at) => ({ channel: "steady", data: sent + at + 1 }));
    const response = await fetch(`${url}/api/publish`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ publications }),
    });
    assertEquals(response.status, 200, await response.text());
  }
}

Deno.test("a client that hops from JSON to SSE, to polling and back again hears every one of 10,000 once", async () => {
  await using server = await startGong(SERVER);
  await using gate = new Gate(server.url);
  using heard = new Heard(gate.url, { timeout: 400 });
  await heard.listen("steady");
  const steps = new Map([
    [1_000, () => gate.bar("/push")],
    [3_000, () => gate.bar("/sse", "swallow")],
    [5_000, () => gate.barriers.clear()],
    [7_000, () => gate.cut()],
  ]);
  const over: string[] = [];
  await publishMany(server.url, async (sent) => {
    steps.get(sent)?.();
    // The next step comes when the client has taken the last one, in the midst of the stream.
    if (sent === 2_900) await heard.reaches("open", "sse");
    if (sent === 4_900) await heard.reaches("open", "polling");
    if (sent === 6_900) await heard.reaches("open", "websocket");
    over.push(heard.gong.transport);
  });
  await heard.count(MANY);
  assertEquals(new Set(over), new Set(["websocket", "sse", "polling"]));
  assertEquals(heard.lost, []);
  assertEquals(heard.messages.map(({ offset }) => offset), Array.from({ length: MANY }, (_, at) => at + 1));
  assertEquals(heard.data, heard.messages.map(({ offset }) => offset));
});

Deno.test("a client hears every one of a stream over connections that are cut all the time", async () => {
  await using server = await startGong(SERVER);
  await using gate = new Gate(server.url);
  const clients = (["websocket", "sse", "polling"] as const).map((transport) => {
    return new Heard(gate.url, { timeout: 2_000, transports: [transport] });
  });
  await Promise.all(clients.map((client) => client.listen("steady")));
  await publishMany(server.url, async (sent) => {
    if (sent % 500 !== 0) return;
    gate.cut();
    await Promise.all(clients.map(({ gong }) => (gong.phase === "waiting" && gong.connect(), undefined)));
  });
  for (const client of clients) {
    await client.count(MANY);
    assertEquals(client.lost, []);
    assertEquals(client.messages.map(({ offset }) => offset), Array.from({ length: MANY }, (_, at) => at + 1));
    client[Symbol.dispose]();
  }
  assert(gate.asked.filter((path) => path === "/push").length > 3);
});
