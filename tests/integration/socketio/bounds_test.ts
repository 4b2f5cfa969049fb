/** What waits for a client that takes nothing is bounded, and given up in time. */
import { assert, assertEquals } from "@std/assert";
import { type Gong, startGong } from "../../support/gong.ts";
import { publish } from "../../support/publish.ts";
import { connectSocket } from "../../support/socketio/mod.ts";
import { until, untilSessions } from "../../support/until.ts";

/** A client that has connected to `/a`, and polls when it is told to. */
async function openPoller(gong: Gong) {
  const handshake = `${gong.url}/socket.io/?EIO=4&transport=polling`;
  const sid = JSON.parse((await (await fetch(handshake)).text()).slice(1)).sid;
  const url = `${handshake}&sid=${sid}`;
  async function poll(): Promise<[status: number, body: string]> {
    const response = await fetch(url);
    return [response.status, await response.text()];
  }
  async function say(body: string): Promise<void> {
    assertEquals(await (await fetch(url, { method: "POST", body })).text(), "ok");
  }
  await say("40/a,");
  const [, connected] = await poll();
  assert(connected.startsWith("40/a,"), connected);
  return { poll, say };
}

async function figure(gong: Gong, line: string): Promise<number> {
  const text = await (await fetch(`${gong.url}/metrics`)).text();
  return Number(text.split("\n").find((each) => each.startsWith(`${line} `))?.slice(line.length + 1) ?? 0);
}

Deno.test("a client that stops polling is closed when more waits for it than --outbox, and others miss nothing", async () => {
  await using gong = await startGong(["--isolates", "2", "--outbox", "64KiB", "--max-message", "16KiB"]);
  const poller = await openPoller(gong);
  await using client = await connectSocket(gong, { namespace: "/a" });
  await client.uses("websocket");
  let sent = 0;
  while (await figure(gong, 'gong_sessions_closed_total{reason="slow"}') === 0) {
    assert(sent < 100, "nobody is closed");
    await publish(gong, [{ channel: "a", data: `${sent}`.padEnd(10_000, " ") }]);
    await client.hears(++sent);
  }
  assert(sent * 10_000 > 32 * 1024, "it may have that much");
  assertEquals(client.heard.map(({ args: [text] }) => parseInt(text)), client.heard.map((_, at) => at));
  await untilSessions(gong, 1, "socketio");
  await until(async () => await figure(gong, "gong_outbox_bytes") === 0);
  // What it had been handed and its last word wait for it a while; then nobody knows it.
  for (let polls = 0;; polls++) {
    const [status, body] = await poller.poll();
    if (status !== 200) {
      assertEquals([status, body], [400, '{"code":1,"message":"Session ID unknown"}']);
      break;
    }
    assert(polls < 3 && body.length < 64 * 1024, `${polls}, ${body.length}`);
  }
});

Deno.test("a client that stops polling is closed after a ping that it does not answer, with what waited for it", async () => {
  await using gong = await startGong(["--isolates", "2", "--ping", "2s", "--ping-timeout", "3s"]);
  const poller = await openPoller(gong);
  await publish(gong, [{ channel: "a", data: "x".repeat(10_000) }]);
  await until(async () => await figure(gong, "gong_outbox_bytes") > 10_000);
  await gong.line(/session\.close.*"vanished"/);
  assertEquals(await figure(gong, "gong_outbox_bytes"), 0);
  await untilSessions(gong, 0, "socketio");
  assertEquals((await poller.poll())[0], 400);
});
