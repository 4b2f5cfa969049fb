/**
 * Gong's WebSockets beside a bare loop.
 *
 * @module
 */
import { type LoadOptions, type Report, runLoad } from "../support/load.ts";
import { median } from "../support/median.ts";
import { type Peer, startLoop, startServer } from "./peers.ts";
import { alternate, faultsOfLoad, type Result, type Row, type Tell } from "./row.ts";

type Load = Partial<LoadOptions>;

const KILOBYTE = 1000;
/** Seconds of load that are not measured. */
const WARM_UP = 20;
const IDLE = 15_000;
/** Messages a second that the search for a rate too high for the loop begins with. */
const FIRST_RATE = 1000;
const MAX_RATE = 5000;

/** The rows beside the loop. */
export const WEBSOCKET_ROWS: readonly Row[] = [
  {
    name: "cpu-plain",
    what: "server CPU µs a delivered message, 1,000 subscribers × 20/s, plain",
    beside: "loop",
    settings: ["--isolates", "1"],
    bar: "at most 1.15 × the loop",
    measure: (row, ...rest) => measureCpu(row, { format: "plain" }, ...rest),
  },
  {
    name: "cpu-json",
    what: "the same, Gong with format=json",
    beside: "loop",
    settings: ["--isolates", "1"],
    bar: "at most 1.15 × the loop",
    measure: (row, ...rest) => measureCpu(row, { format: "json" }, ...rest),
  },
  {
    name: "burst",
    what: "messages/s, 1,000 subscribers × 300 at once, Gong with format=json",
    beside: "loop",
    settings: ["--isolates", "2"],
    bar: "at least 10 × the loop",
    measure: measureBurst,
  },
  {
    name: "keep-up",
    what: "latency p50 in ms, 200 subscribers, a rate too high for the loop, Gong with format=json",
    beside: "loop",
    settings: ["--isolates", "2", "--message-rate", "100000"],
    bar: "below 10 ms where the loop is above 200",
    measure: measureKeepUp,
  },
  {
    name: "idle",
    what: "resident bytes a connection, 15,000 idle",
    beside: "loop",
    settings: ["--isolates", "1", "--max-per-address", "20000"],
    bar: "at most 5 KB above the loop",
    measure: measureIdle,
  },
];

async function measureCpu(row: Row, load: Load, rounds: number, tell: Tell): Promise<Result> {
  const steady = { subscribers: 1000, rate: 20, duration: 5 };
  await using loop = await startLoop();
  await using gong = await startServer(row.settings);
  // Compiled code, not the compiling of it, is what a server runs.
  await runOn(loop, { ...steady, duration: WARM_UP });
  await runOn(gong, { ...steady, ...load, duration: WARM_UP });
  const results = await alternate(rounds, tell, {
    beside: () => runOn(loop, steady),
    gong: () => runOn(gong, { ...steady, ...load }),
    faults: faultsOfLoad,
    figure: (report) => report.server?.cpuMicrosecondsPerMessage ?? NaN,
  });
  const ratio = median(results.gong) / median(results.beside);
  return { ...results, comparison: `${ratio.toFixed(2)} ×`, passed: ratio <= 1.15 };
}

async function measureBurst(row: Row, rounds: number, tell: Tell): Promise<Result> {
  const burst = { subscribers: 1000, rate: 0, count: 300 };
  await using loop = await startLoop();
  await using gong = await startServer(row.settings);
  const results = await alternate(rounds, tell, {
    beside: () => runOn(loop, burst),
    gong: () => runOn(gong, { ...burst, format: "json" }),
    faults: faultsOfLoad,
    figure: (report) => report.messagesPerSecond,
  });
  const ratio = median(results.gong) / median(results.beside);
  return { ...results, comparison: `${ratio.toFixed(1)} ×`, passed: ratio >= 10 };
}

async function measureKeepUp(row: Row, rounds: number, tell: Tell): Promise<Result> {
  const steady = { subscribers: 200, duration: 5 };
  await using loop = await startLoop();
  await using gong = await startServer(row.settings);
  let rate = FIRST_RATE;
  while (rate < MAX_RATE) {
    const { latency } = await runOn(loop, { ...steady, rate });
    tell(`${rate} messages/s: loop p50 ${latency.p50} ms`);
    // Well above, so that it stays above in every round.
    if (latency.p50 > 400) break;
    rate += 250;
  }
  const results = await alternate(rounds, tell, {
    beside: () => runOn(loop, { ...steady, rate }),
    gong: () => runOn(gong, { ...steady, rate, format: "json" }),
    faults: faultsOfLoad,
    figure: (report) => report.latency.p50,
  });
  const late = results.measured.filter(({ seconds }) => seconds > steady.duration + 0.5);
  const faults = late.map(({ seconds }) => `fell behind: ${steady.duration} s of messages took ${seconds} s`);
  return {
    ...results,
    faults: [...results.faults, ...faults],
    comparison: `at ${rate} messages/s`,
    passed: median(results.gong) < 10 && median(results.beside) > 200,
  };
}

async function measureIdle(row: Row, rounds: number, tell: Tell): Promise<Result> {
  const idle = { subscribers: IDLE, publishers: 0, duration: 3, workers: 2 };
  // A fresh server each time: what an earlier round left behind would be counted to no connection.
  async function measure(start: () => Promise<Peer>): Promise<Report> {
    await using peer = await start();
    return await runOn(peer, idle);
  }
  const results = await alternate(rounds, tell, {
    beside: () => measure(startLoop),
    gong: () => measure(() => startServer(row.settings)),
    faults: faultsOfLoad,
    figure: (report) => report.server?.memoryPerConnection ?? NaN,
  });
  const more = median(results.gong) - median(results.beside);
  const comparison = `${more < 0 ? "" : "+"}${(more / KILOBYTE).toFixed(1)} KB`;
  return { ...results, comparison, passed: more <= 5 * KILOBYTE };
}

function runOn(peer: Peer, load: Load): Promise<Report> {
  return runLoad({ url: peer.url, ...load }, { figures: peer.figures });
}
