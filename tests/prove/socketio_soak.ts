import { setTimeout as delay } from "node:timers/promises";
import { assert, assertEquals } from "@std/assert";
import { startGong } from "../support/gong.ts";
import { publish } from "../support/publish.ts";
import { seeded } from "../support/random.ts";
import { TcpProxy } from "../support/tcp_proxy.ts";
import { until } from "../support/until.ts";
import { NAMESPACE, ROOMS, Visitor } from "./socketio/visitor.ts";
import { figure, statsOf } from "./soak.ts";

/** How many, and for how long. */
export interface SocketIoOptions {
  /** Default 200. */
  readonly clients?: number;
  /** Seconds. Default 60. */
  readonly duration?: number;
  /** Default 4. */
  readonly isolates?: number;
  /** Default: another one in each run. */
  readonly seed?: number;
}

const CHANNEL = NAMESPACE.slice(1);
/** Milliseconds from one publication to the namespace to the next; each goes to a room too. */
const PACE = 200;
const LIMITS = [
  ...["--history-count", "100000", "--history-bytes", "64MiB", "--api-rate", "100000", "--request-rate", "100000"],
  ...["--ping", "4s", "--ping-timeout", "8s"],
];
/** What has to be nothing when everybody is gone. */
const GAUGES = [
  "gong_sessions",
  "gong_users",
  "gong_hosted_channels",
  "gong_outbox_bytes",
  "gong_stuck_sockets",
] as const;

/**
 * Clients poll, upgrade and reconnect while messages are published. Each request of theirs is a TCP connection of its own,
 * so that any isolate may get it: nobody is unknown anywhere, and everybody hears everything once and in order.
 */
export async function proveSocketIo(options: SocketIoOptions = {}): Promise<string> {
  const { clients = 200, duration = 60, isolates = 4, seed = Date.now() } = options;
  await using gong = await startGong(["--isolates", String(isolates), ...LIMITS]);
  const random = seeded(seed);
  await using proxy = new TcpProxy(gong);
  // Some of those that only poll, and some of the others, come over a network that is cut now and then.
  const visitors = Array.from({ length: clients }, (_, number) => {
    const isCut = number % 10 < 2;
    return new Visitor(isCut ? proxy : gong, number, random, isCut);
  });
  const lasts = new Map([["all", 0], ...Array.from({ length: ROOMS }, (_, n): [string, number] => [`room${n}`, 0])]);
  try {
    await until(
      () => visitors.every(({ connections }) => connections > 0),
      () => `${visitors.filter(({ connections }) => connections > 0).length} of ${clients} are connected`,
      60_000,
    );
    const end = performance.now() + duration * 1000;
    for (let turn = 0; performance.now() < end; turn++) {
      const room = `room${turn % ROOMS}`;
      for (const event of ["all", room]) lasts.set(event, lasts.get(event)! + 1);
      await publish(gong, [
        { channel: CHANNEL, event: "all", data: [lasts.get("all")] },
        { channel: `${CHANNEL}/${room}`, event: room, data: [lasts.get(room)] },
      ]);
      await delay(PACE);
      if (turn % 15 === 14) proxy.cut();
    }
    await Promise.all(visitors.map((visitor) => visitor.rest()));
    let heard = 0;
    for (const visitor of visitors) {
      heard += await visitor.check(new Map([...lasts].filter(([event]) => event === "all" || event === visitor.room)));
    }
    const moved = figure(await statsOf(gong.url), "gong_sessions_moved_total");
    if (isolates > 1) assert(moved > 0, "no session went to another isolate");
    await Promise.all(visitors.map((visitor) => visitor.close()));
    await untilNothingIsLeft(gong.url);
    const faults = gong.output().split("\n").filter((line) => /"internal"|\.fault"|Uncaught|TypeError/.test(line));
    assertEquals(faults, []);
    const sum = (of: (visitor: Visitor) => number) => visitors.reduce((sum, visitor) => sum + of(visitor), 0);
    const [connections, stalled] = [sum(({ connections }) => connections), sum(({ stalled }) => stalled)];
    assert(stalled <= 1 + connections / 1000, `${stalled} of ${connections} connections ended in silence`);
    const counts = [
      `${clients} clients connected ${connections} times`,
      `${sum(({ upgrades }) => upgrades)} upgrades`,
      `${moved} of them to another of ${isolates} isolates`,
      `${heard} events once and in order`,
      `${stalled} ended in silence`,
      "none unknown",
    ];
    return `${counts.join(", ")} (seed ${seed})`;
  } finally {
    await Promise.allSettled(visitors.map((visitor) => visitor.close()));
  }
}

async function untilNothingIsLeft(url: string): Promise<void> {
  let left: Record<string, number> = {};
  await until(
    async () => {
      const stats = await statsOf(url);
      left = Object.fromEntries(GAUGES.map((name) => [name, figure(stats, name)]));
      return Object.values(left).every((value) => value === 0);
    },
    () => `left of everybody: ${JSON.stringify(left)}`,
    60_000,
  );
}
