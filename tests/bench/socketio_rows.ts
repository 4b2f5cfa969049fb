/**
 * Gong's Socket.IO beside npm `socket.io` on Node: a process each, with one isolate that has the connections, driven by
 * the same generator. Of both the whole process counts, with all its threads.
 *
 * @module
 */
import { type LoadOptions, type Report, runLoad } from "../support/load.ts";
import { median } from "../support/median.ts";
import { type Peer, startBareSocketio, startServer } from "./peers.ts";
import { alternate, faultsOfLoad, ratioOf, type Result, type Row, type Tell } from "./row.ts";
import { missingNode, startSocketio, VERSION } from "./socketio/peer.ts";

type Load = Partial<LoadOptions>;

/** How much it may cost beside the other. */
const MOST = 1;
/** Seconds of load that are not measured. */
const WARM_UP = 20;
const STEADY: Load = { subscribers: 1000, rate: 20, duration: 5, format: "socketio" };
/** Held until each connection has been pinged, every 25 s, and has answered. */
const IDLE: Load = { subscribers: 10_000, publishers: 0, duration: 30, workers: 2, format: "socketio" };
const BESIDE = `socket.io ${VERSION}`;
const MANY = ["--isolates", "1", "--max-per-address", "20000"];

/** The rows of Socket.IO. */
export const SOCKETIO_ROWS: readonly Row[] = [
  {
    ...row("socketio-fanout", "server CPU µs a delivered message, 1,000 WebSockets × 20/s", "--isolates", "1"),
    measure: (row, ...rest) => measureCpu(row, false, ...rest),
  },
  {
    ...row("socketio-fanout-recovery", "the same, the other with recovery on too", "--isolates", "1"),
    beside: `${BESIDE}, recovery`,
    measure: (row, ...rest) => measureCpu(row, true, ...rest),
  },
  {
    ...row("socketio-idle", "resident bytes a connection, 10,000 idle WebSockets, each was pinged", ...MANY),
    measure: (row, ...rest) => measureIdle(row, false, ...rest),
  },
  {
    ...row("socketio-idle-collected", "the same, garbage collected", ...MANY),
    measure: (row, ...rest) => measureIdle(row, true, ...rest),
  },
];

function row(name: string, what: string, ...settings: readonly string[]): Omit<Row, "measure"> {
  return { name, what, beside: BESIDE, settings, bar: `at most ${MOST} × ${BESIDE}`, missing: missingNode };
}

async function measureCpu({ settings }: Row, recovery: boolean, rounds: number, tell: Tell): Promise<Result> {
  await using peer = await startSocketio({ recovery });
  await using gong = await startServer(settings, { door: "socket.io" });
  // Compiled code, not the compiling of it, is what a server runs.
  await runOn(peer, { ...STEADY, duration: WARM_UP });
  await runOn(gong, { ...STEADY, duration: WARM_UP });
  return judge(
    await alternate(rounds, tell, {
      beside: () => runOn(peer, STEADY),
      gong: () => runOn(gong, STEADY),
      faults: faultsOfLoad,
      figure: ({ server }) => server?.cpuMicrosecondsPerMessage ?? NaN,
    }),
  );
}

async function measureIdle({ settings }: Row, collects: boolean, rounds: number, tell: Tell): Promise<Result> {
  // A fresh server each time: what an earlier round left behind would be counted to no connection.
  async function measure(start: () => Promise<Peer>): Promise<Report> {
    await using peer = await start();
    return await runOn(peer, IDLE);
  }
  const figure = ({ server }: Report) => server?.memoryPerConnection ?? NaN;
  const bare: number[] = [];
  const results = await alternate(rounds, tell, {
    async beside() {
      bare.push(figure(await measure(() => startBareSocketio({ collects }))));
      return await measure(() => startSocketio({ collects }));
    },
    gong: () => measure(() => startServer(settings, { door: "socket.io", collects })),
    faults: faultsOfLoad,
    figure,
  });
  return { ...judge(results), table: `a Deno server that keeps nothing but its WebSockets: ${median(bare)}` };
}

function judge(results: Omit<Result, "comparison" | "passed">): Result {
  const ratio = ratioOf(results);
  return { ...results, comparison: `${ratio.toFixed(2)} ×`, passed: ratio <= MOST };
}

function runOn({ url, figures }: Peer, load: Load): Promise<Report> {
  return runLoad({ url, ...load }, { figures });
}
