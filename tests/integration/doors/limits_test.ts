import { assert, assertEquals, assertMatch } from "@std/assert";
import { DoorClient } from "../../support/doors/door_client.ts";
import { ask } from "../../support/doors/http.ts";
import { HTTP_DOORS, POLL, SSE, STREAMS } from "../../support/doors/mod.ts";
import { poll } from "../../support/doors/poll.ts";
import { type Gong, startGong } from "../../support/gong.ts";
import { openWebSocket, RawConnection } from "../../support/raw.ts";
import { get } from "../../support/requests.ts";
import { publish } from "../../support/publish.ts";
import { until, untilSessions } from "../../support/until.ts";

const WISH = { channels: ["open.a"] };

/** Asks until it is refused: an edge that the hub has not told yet that there is no room lets a client in. */
async function refusedAt(gong: Gong, target: string): Promise<Response> {
  for (let tries = 0; tries < 100; tries++) {
    const response = await ask(gong, target);
    if (response.status !== 200) return response;
    await response.body?.cancel();
  }
  throw new Error(`${target} was never refused`);
}

async function assertRefused(gong: Gong, target: string, status: number, code: string): Promise<void> {
  const response = await refusedAt(gong, target);
  const body = await response.json();
  assertEquals([response.status, body.code], [status, code]);
  assertMatch(response.headers.get("content-type") ?? "", /^application\/problem\+json/);
  assertMatch(response.headers.get("retry-after") ?? "none", /^[1-9]\d*$/);
}

for (
  const [flag, status, code] of [["--max-per-address", 429, "too_many"], [
    "--max-connections",
    503,
    "overloaded",
  ]] as const
) {
  Deno.test(`${flag} counts streams, polls and sockets alike, and no more than those that are there`, async () => {
    await using gong = await startGong(["--isolates", "2", flag, "3"]);
    const { cursor: since } = await poll(gong, WISH, { timeout: 0 });
    await untilSessions(gong, 0);
    const socket = await openWebSocket(gong.port, "/push?channel=open.a");
    await using streaming = await DoorClient.open(STREAMS[0]!.open, gong, WISH);
    const controller = new AbortController();
    const waiting = poll(gong, { ...WISH, since }, { timeout: 60, signal: controller.signal }).catch(() => {});
    await untilSessions(gong, 3);
    for (const { target } of HTTP_DOORS) await assertRefused(gong, target, status, code);
    controller.abort();
    await waiting;
    await until(async () => {
      const response = await ask(gong, POLL.target);
      await response.body?.cancel();
      return response.status === 200;
    });
    socket.close();
    streaming.drop();
    await untilSessions(gong, 0);
  });
}

Deno.test("--request-rate counts requests to doors", async () => {
  await using gong = await startGong(["--isolates", "1", "--request-rate", "2"]);
  for (const { target } of HTTP_DOORS) await assertRefused(gong, target, 429, "rate_limited");
});

Deno.test("a page of an allowed origin may read that it asks too often, and when to come back", async () => {
  const origin = "https://app.example.com";
  await using gong = await startGong(["--isolates", "1", "--request-rate", "1", "--allow-origin", origin]);
  for (;;) {
    const response = await ask(gong, "/poll?channel=open.a&timeout=0", { headers: { Origin: origin } });
    await response.body?.cancel();
    assertEquals(response.headers.get("access-control-allow-origin"), origin);
    if (response.status === 200) continue;
    assertEquals([response.status, response.headers.get("retry-after")], [429, "1"]);
    break;
  }
});

for (const { name, target } of STREAMS) {
  Deno.test(`${target} ends a reader that is too slow, and others miss nothing`, async () => {
    await using gong = await startGong([
      "--isolates",
      "1",
      "--outbox",
      "64KiB",
      "--max-message",
      "16KiB",
      "--ping",
      "1",
    ]);
    using stalled = await RawConnection.open(gong.port, { patience: 60_000 });
    await stalled.write(get(target));
    await untilSessions(gong, 1, name);
    await using client = await DoorClient.open(SSE.open, gong, WISH);
    // More than the kernel takes for one connection.
    const sent = Array.from({ length: 20 }, () => ({ channel: "open.a", data: "x".repeat(16_000) }));
    let count = 0;
    const closed = async () => {
      const stats = await (await fetch(`${gong.url}/api/stats`)).json();
      const { slow = 0, stalled = 0 } = stats.gong_sessions_closed_total ?? {};
      return slow + stalled;
    };
    while (await closed() === 0) {
      await publish(gong, sent, { batch: 5 });
      count += sent.length;
      await client.take(sent.length);
      if (count > 4000) throw new Error("64 MB were sent to somebody who reads nothing");
    }
    await untilSessions(gong, 1);
  });
}

/** The cursor before 8 MB of several channels. */
async function publishMuch(gong: Gong): Promise<string> {
  const channels = Array.from({ length: 32 }, (_, n) => `open.${n}`);
  const starts: string[] = [];
  for (const channel of channels) {
    const sent = Array.from({ length: 16 }, () => ({ channel, data: "x".repeat(16_000) }));
    const [first] = await publish(gong, sent, { batch: 16 });
    starts.push(`${channel}@${first!.position.epoch}:0`);
  }
  return starts.join();
}

Deno.test("a poll whose large answer nobody reads counts as stuck until its client is gone", async () => {
  const many = 10;
  // More than the kernel takes for a connection.
  await using gong = await startGong(["--isolates", "1", "--outbox", "16MiB", "--ping", "0.5"]);
  const since = await publishMuch(gong);
  const peers: RawConnection[] = [];
  for (let n = 0; n < many; n++) {
    const peer = await RawConnection.open(gong.port, { patience: 60_000 });
    await peer.write(get(`/poll?timeout=0&since=${since}`));
    peers.push(peer);
  }
  let stats: Record<string, unknown> = {};
  const stuckAre = (sockets: number) => async () => {
    stats = await (await fetch(`${gong.url}/api/stats`)).json();
    return stats.gong_stuck_sockets === sockets;
  };
  const describe = () => JSON.stringify([stats.gong_sessions, stats.gong_stuck_sockets, stats.gong_stuck_bytes]);
  await until(stuckAre(many), describe);
  const bytes = Number(stats.gong_stuck_bytes);
  assert(bytes > many * 4e6, `${bytes} bytes`);
  for (const peer of peers) peer.close();
  await until(stuckAre(0), describe);
});

Deno.test("a large answer to a poll arrives whole, also at shutdown", async () => {
  await using gong = await startGong(["--isolates", "1", "--outbox", "16MiB"]);
  const since = await publishMuch(gong);
  const response = await ask(gong, `/poll?timeout=0&since=${since}`);
  const stopped = gong.stop();
  const { publications, recovered } = await response.json();
  assertEquals([response.status, recovered, publications.length], [200, true, 16 * 32]);
  assertEquals(await stopped, 0);
});
