import { setTimeout as delay } from "node:timers/promises";
import { assert, assertEquals } from "@std/assert";
import { type Gong, startGong } from "../support/gong.ts";
import { assertDeliveredOnce, figuresOfProcess, runLoad } from "../support/load.ts";
import { openWebSocket, RawConnection } from "../support/raw.ts";
import { get } from "../support/requests.ts";
import { untilSessions } from "../support/until.ts";
import { figure, type Stats, statsOf, toMebibytes } from "./soak.ts";

/** How many read nothing, and how much they are sent. */
export interface StalledOptions {
  /** One broadcast for each of these numbers. */
  readonly stalled: readonly number[];
  /** How they came. Default `push`, the plain door. */
  readonly door?: keyof typeof DOORS;
  /** Bytes broadcast. Default 100 MB. */
  readonly bytes?: number;
  /** Messages a second until the kernel takes no more for them. */
  readonly fillingRate?: number;
}

/** How one connects by a door. */
const DOORS = {
  push: (gong: Gong) => openWebSocket(gong.port, "/push"),
  sse: async (gong: Gong) => {
    const connection = await RawConnection.open(gong.port);
    await connection.write(get("/sse?channel=broadcast"));
    return connection;
  },
} as const;
type Open = (typeof DOORS)[keyof typeof DOORS];

/** Bytes queued to one session before it counts as too slow: the default. */
const OUTBOX = 2 ** 20;
/** Seconds: the default. */
const PING = 25;
const SIZE = 20_000;
/**
 * At first slowly: the kernel takes some 4 MB for each of them before anything waits in the server, and a machine that has
 * to find 800 MB for that within a second shows nothing about the server.
 */
const FILLING = { rate: 12, count: 300 };
type Filling = typeof FILLING;
/** Then 2 MB a second: a client may lag half a second before its outbox is full. */
const RATE = 100;
/** Seconds more than two pings until a peer has been closed and counted: a machine may stand still meanwhile. */
const SLACK = 4;
/** Two runs of the same may differ by so much: less than that is not measured. */
const NOISE = 24 * 2 ** 20;

/** What a broadcast left behind. */
interface Aftermath {
  readonly published: number;
  /** Resident memory at its highest. */
  readonly peak: number;
  readonly stats: Stats;
}

/**
 * Subscribers that read nothing while 100 MB are broadcast: the memory they cost is bounded, their sessions go, their
 * sockets are counted, and others miss nothing.
 */
export async function proveStalled(options: StalledOptions): Promise<string> {
  const { stalled, door = "push", bytes = 100_000_000, fillingRate = FILLING.rate } = options;
  const filling = { ...FILLING, rate: fillingRate };
  const without = await broadcast(DOORS[door], 0, bytes, filling);
  const seen: string[] = [];
  for (const count of stalled) {
    const { peak, stats } = await broadcast(DOORS[door], count, bytes, filling);
    const more = peak - without.peak;
    const bound = count * OUTBOX;
    const memory = `${toMebibytes(more)} more memory for ${count} of them (bound ${toMebibytes(bound)})`;
    assert(more <= Math.max(bound, NOISE), memory);
    assertEquals(closedForStalling(stats), count, JSON.stringify(stats.gong_sessions_closed_total));
    assertEquals(figure(stats, "gong_stuck_sockets"), count);
    assertEquals(figure(stats, "gong_edge_restarts_total"), 0);
    seen.push(memory);
  }
  return `${seen.join(", ")}; their sessions gone, stuck sockets counted; the others got all ${without.published}`;
}

/** Subscribers that read nothing and answer no ping, with hardly anything sent: gone within two pings. */
export async function proveSilent({ stalled, ping = 2 }: { stalled: number; ping?: number }): Promise<string> {
  await using gong = await startGong(["--isolates", "2", "--ping", String(ping)]);
  const peers = await openStalled(gong, stalled);
  const start = performance.now();
  let seconds = 0;
  const watching = (async () => {
    while (figure(await statsOf(gong.url), "gong_sessions_closed_total") < stalled) await delay(50);
    seconds = (performance.now() - start) / 1000;
  })();
  const load = { subscribers: 50, rate: 20, duration: 2 * ping + 2 };
  assertDeliveredOnce(await runLoad({ url: `${gong.ws}/push`, ...load }));
  await watching;
  for (const peer of peers) peer.close();
  assert(seconds <= 2 * ping + SLACK, `they were gone after ${seconds} s`);
  return `${stalled} gone after ${seconds.toFixed(1)} s with a ping every ${ping} s; the others missed nothing`;
}

async function broadcast(open: Open, stalled: number, bytes: number, filling: Filling): Promise<Aftermath> {
  const flags = ["--outbox", String(OUTBOX), "--ping", String(PING), "--stuck-budget", "1GiB"];
  await using gong = await startGong(["--isolates", "2", ...flags]);
  const peers = await openStalled(gong, stalled, open);
  const readMemory = figuresOfProcess(gong.pid);
  let peak = 0;
  // The process may be gone by then.
  const sampler = setInterval(() => void readMemory().then(({ rss }) => peak = Math.max(peak, rss), () => {}), 100);
  let published = 0;
  async function load(options: { rate: number; count: number }): Promise<void> {
    const report = await runLoad({ url: `${gong.ws}/push`, subscribers: 4, size: SIZE, workers: 1, ...options });
    assertDeliveredOnce(report);
    published += report.published;
  }
  try {
    if (stalled > 0) {
      await load(filling);
      const before = await statsOf(gong.url);
      assertEquals(closedForStalling(before), stalled, `after ${filling.count} messages`);
    }
    await load({ rate: RATE, count: Math.ceil(bytes / SIZE) - published });
    return { published, peak, stats: await statsOf(gong.url) };
  } finally {
    clearInterval(sampler);
    for (const peer of peers) peer.close();
  }
}

async function openStalled(gong: Gong, count: number, open: Open = DOORS.push): Promise<RawConnection[]> {
  const peers: RawConnection[] = [];
  for (let i = 0; i < count; i++) peers.push(await open(gong));
  await untilSessions(gong, count);
  return peers;
}

function closedForStalling(stats: Stats): number {
  const closed = stats.gong_sessions_closed_total as Record<string, number>;
  return (closed.slow ?? 0) + (closed.stalled ?? 0);
}
