/**
 * Gong's STOMP beside its own other doors, each in a server of its own with the same settings.
 *
 * @module
 */
import { type LoadOptions, type Report, runLoad } from "../support/load.ts";
import { type Peer, startServer } from "./peers.ts";
import { alternate, faultsOfLoad, ratioOf, type Result, type Row, type Tell } from "./row.ts";

type Load = Partial<LoadOptions>;

/** How much more a frame with headers may cost than a bare one, for all alike and for each its own. */
const MOST = 1.3;
const MOST_DISTINCT = 1.5;
/** The least of the JSON door's speed. */
const LEAST = 0.5;
/** Seconds of load that are not measured. */
const WARM_UP = 20;
const STEADY: Load = { subscribers: 1000, rate: 20, duration: 5 };
const BURST: Load = { subscribers: 1000, rate: 0, count: 300 };

/** The rows of STOMP. */
export const STOMP_ROWS: readonly Row[] = [
  {
    name: "stomp-cpu",
    what: "server CPU µs a delivered message, 1,000 subscribers × 20/s, STOMP",
    beside: "Gong, plain",
    settings: ["--isolates", "1"],
    bar: `at most ${MOST} × plain`,
    measure: (row, ...rest) => measureCpu(row, MOST, {}, ...rest),
  },
  {
    name: "stomp-cpu-ids",
    what: "the same, each subscriber with an id of its own",
    beside: "Gong, plain",
    settings: ["--isolates", "1"],
    bar: `at most ${MOST_DISTINCT} × plain`,
    measure: (row, ...rest) => measureCpu(row, MOST_DISTINCT, { distinctIds: true }, ...rest),
  },
  {
    name: "stomp-burst",
    what: "messages/s, 1,000 subscribers × 300 at once, STOMP",
    beside: "Gong, JSON",
    settings: ["--isolates", "2"],
    bar: `at least ${LEAST} × JSON`,
    measure: measureBurst,
  },
];

async function measureCpu({ settings }: Row, most: number, own: Load, rounds: number, tell: Tell): Promise<Result> {
  const stomp: Load = { ...STEADY, format: "stomp", ...own };
  await using plainServer = await startServer(settings);
  await using stompServer = await startServer(settings);
  // Compiled code, not the compiling of it, is what a server runs.
  await runOn(plainServer, { ...STEADY, duration: WARM_UP });
  await runOn(stompServer, { ...stomp, duration: WARM_UP });
  const results = await alternate(rounds, tell, {
    beside: () => runOn(plainServer, STEADY),
    gong: () => runOn(stompServer, stomp),
    faults: faultsOfLoad,
    figure: ({ server }) => server?.cpuMicrosecondsPerMessage ?? NaN,
  });
  const ratio = ratioOf(results);
  return { ...results, comparison: `${ratio.toFixed(2)} ×`, passed: ratio <= most };
}

async function measureBurst({ settings }: Row, rounds: number, tell: Tell): Promise<Result> {
  const json: Load = { ...BURST, format: "json" };
  const stomp: Load = { ...BURST, format: "stomp" };
  await using jsonServer = await startServer(settings);
  await using stompServer = await startServer(settings);
  await runOn(jsonServer, json);
  await runOn(stompServer, stomp);
  const results = await alternate(rounds, tell, {
    beside: () => runOn(jsonServer, json),
    gong: () => runOn(stompServer, stomp),
    faults: faultsOfLoad,
    figure: ({ messagesPerSecond }) => messagesPerSecond,
  });
  const ratio = ratioOf(results);
  return { ...results, comparison: `${ratio.toFixed(2)} ×`, passed: ratio >= LEAST };
}

function runOn({ url, figures }: Peer, load: Load): Promise<Report> {
  return runLoad({ url, ...load }, { figures });
}
