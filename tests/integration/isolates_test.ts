import type { Readiness } from "../../lib/types.ts";
import { assert, assertEquals } from "@std/assert";
import { type Client, connect } from "../support/client.ts";
import { type Gong, startGong } from "../support/gong.ts";

const ENTRY = { entry: "tests/support/faulty_server.ts" };
const SUBSCRIBERS = 24;
const PUBLICATIONS = 400;

/** A JSON client, and the number of the edge that holds it: its session's id begins with it. */
async function subscribe(gong: Gong): Promise<{ client: Client; edge: number }> {
  const client = await connect(`${gong.ws}/push?format=json&channel=load`);
  const lines = (await client.nextText()).split("\n");
  if (lines.length < 2) lines.push(await client.nextText());
  assert(lines[1]!.includes('"type":"subscribed"'), lines[1]);
  return { client, edge: parseInt(JSON.parse(lines[0]!).session, 36) };
}

/** Some subscribers, on both edges. */
async function subscribeAll(gong: Gong): Promise<{ onFirst: Client[]; onSecond: Client[] }> {
  const all = await Promise.all(Array.from({ length: SUBSCRIBERS }, () => subscribe(gong)));
  const on = (edge: number) => all.filter((subscriber) => subscriber.edge === edge).map(({ client }) => client);
  const [onFirst, onSecond] = [on(1), on(2)];
  assert(onFirst.length > 0 && onSecond.length > 0, "the kernel put all subscribers on one edge");
  return { onFirst, onSecond };
}

/** The offsets that a client gets, up to the last. */
async function offsets(client: Client): Promise<number[]> {
  const seen: number[] = [];
  while (seen.at(-1) !== PUBLICATIONS) {
    for (const line of (await client.nextText()).split("\n")) seen.push(JSON.parse(line).offset);
  }
  return seen;
}

async function publish(gong: Gong, client: Deno.HttpClient): Promise<void> {
  const response = await fetch(`${gong.url}/api/publish`, {
    method: "POST",
    headers: { "content-type": "application/json", connection: "close" },
    body: JSON.stringify({ channel: "load", data: "x" }),
    client,
  });
  await response.body?.cancel();
  assertEquals(response.status, 200);
}

/** Publishes, one after the other, whichever edge takes it; what an edge drops while it dies is tried again. */
async function publishAll(gong: Gong, atHalf: () => void): Promise<void> {
  for (let count = 1; count <= PUBLICATIONS; count++) {
    if (count === PUBLICATIONS / 2) atHalf();
    for (;;) {
      // A client of its own, so that every request is a new connection, to any edge.
      using http = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
      if (await publish(gong, http).then(() => true, () => false)) break;
    }
  }
}

async function counters(gong: Gong): Promise<Record<string, unknown>> {
  return await (await fetch(`${gong.url}/api/stats`)).json();
}

const ALL = Array.from({ length: PUBLICATIONS }, (_, index) => index + 1);

const FAULTS = [["throws", "SIGUSR1"], ["exits", "SIGUSR2"], ["is terminated", "SIGWINCH"]] as const;

for (const [fault, signal] of FAULTS) {
  Deno.test(`an edge that ${fault} under load is replaced, and subscribers of the other miss nothing`, async () => {
    await using gong = await startGong([], ENTRY);
    const { onFirst, onSecond } = await subscribeAll(gong);
    const received = Promise.all(onSecond.map(offsets));
    const closed = Promise.all(onFirst.map((client) => client.closed));
    await publishAll(gong, () => gong.signal(signal));

    for (const seen of await received) {
      // Some of what was tried again had been taken after all.
      assertEquals(seen.slice(0, ALL.length), ALL);
    }
    await closed;
    await gong.line((line) => line.includes('"event":"edge.lost"') && line.includes(`"sessions":${onFirst.length}`));
    await gong.line((line) => line.includes('"event":"edge.ready"') && line.includes('"edge":3'));
    const stats = await counters(gong);
    assertEquals(stats.gong_edge_restarts_total, 1);
    assertEquals((stats.gong_sessions_closed_total as Record<string, number>).edge, onFirst.length);
    assertEquals((stats.gong_sessions as Record<string, number>).json, onSecond.length);

    // The new edge serves, and hears what is published.
    for (;;) {
      const { client, edge } = await subscribe(gong);
      if (edge !== 3) continue;
      client.send('{"id":1,"publish":{"channel":"load","data":"again"}}');
      let text = await client.nextText();
      if (!text.includes('"data":"again"')) text += await client.nextText();
      assert(text.includes('"data":"again"'), text);
      break;
    }
  });
}

Deno.test("an edge that hangs makes /ready fail, and after --hang seconds ends the process with 70", async () => {
  await using gong = await startGong([], ENTRY);
  const other = await connectTo(gong, 2);
  let hasEnded = false;
  const finished = gong.finished.finally(() => hasEnded = true);
  gong.signal("SIGHUP");
  for (;;) {
    assert(!hasEnded, "the process ended before /ready said anything");
    const ready = await askReady(gong);
    if (ready === undefined || ready.status === 200) continue;
    assertEquals([ready.status, ready.body.ready], [503, false]);
    // Right after a standstill of the machine the other is silent as well.
    if (ready.body.reasons.join() === "edge 1 is silent") break;
  }
  other.send('{"id":1,"ping":{}}');
  assert((await other.nextText()).includes('"id":1,"ok"'));
  assertEquals(await finished, 70);
});

/** The first answer on several connections: whatever the hanging edge was given is never answered. */
async function askReady(gong: Gong): Promise<{ status: number; body: Readiness } | undefined> {
  using client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
  const signal = AbortSignal.timeout(1_000);
  const ask = async () => {
    const response = await fetch(`${gong.url}/ready`, { client, signal });
    return { status: response.status, body: await response.json() };
  };
  return await Promise.any(Array.from({ length: 16 }, ask)).catch(() => undefined);
}

async function connectTo(gong: Gong, wanted: number): Promise<Client> {
  for (;;) {
    const { client, edge } = await subscribe(gong);
    if (edge === wanted) return client;
    await client.close();
  }
}
