/**
 * Gong's doors over plain HTTP beside nginx with nchan.
 *
 * @module
 */
import type { Report } from "../support/load.ts";
import { type HttpLoadOptions, runHttpLoad } from "./http/load.ts";
import { missingNchan, startNchan } from "./nchan.ts";
import { type Peer, startServer } from "./peers.ts";
import { alternate, faultsOfLoad, ratioOf, type Result, type Row, type Tell } from "./row.ts";

type Load = Omit<HttpLoadOptions, "url" | "server">;

interface Steady extends Load {
  readonly subscribers: number;
  readonly rate: number;
}

/** Seconds of load that are not measured, and that are. */
const WARM_UP = 15;
const MEASURED = 10;
const BURST: Load = { door: "sse", subscribers: 1000, publishers: 50, rate: 0, count: 300 };
const STEADY: Steady = { door: "sse", subscribers: 1000, publishers: 1, rate: 20 };
const POLLS: Steady = { door: "poll", subscribers: 300, publishers: 1, rate: 5 };

/** The rows beside nchan. */
export const HTTP_ROWS: readonly Row[] = [
  {
    name: "sse-burst",
    what:
      "messages/s, 1,000 SSE clients × 300 at once, one POST each, pipelined over 50 connections; nchan's better of " +
      "1 and 2 workers",
    beside: "nchan",
    settings: ["--isolates", "2"],
    bar: "at least 6 × nchan",
    missing: missingNchan,
    measure: measureBurst,
  },
  {
    name: "sse-cpu",
    what: "server CPU µs a delivered message, 1,000 SSE clients × 20/s",
    beside: "nchan",
    settings: ["--isolates", "1"],
    bar: "at most 1.3 × nchan",
    missing: missingNchan,
    measure: (row, ...rest) => measureCpu(row, STEADY, 1.3, ...rest),
  },
  {
    name: "poll-cpu",
    what: "server CPU µs a delivered message, 300 long polls × 5/s",
    beside: "nchan",
    settings: ["--isolates", "1"],
    bar: "none",
    missing: missingNchan,
    measure: (row, ...rest) => measureCpu(row, POLLS, Infinity, ...rest),
  },
];

async function measureBurst(row: Row, rounds: number, tell: Tell): Promise<Result> {
  await using one = await startNchan(1);
  await using two = await startNchan(2);
  await using gong = await startServer(row.settings, { door: "http" });
  const figure = ({ messagesPerSecond }: Report) => messagesPerSecond;
  // What is faster may change from one moment to the next: in each round it is the better of the two.
  async function better(): Promise<Report> {
    const [first, second] = [await runOn(one, BURST), await runOn(two, BURST)];
    return figure(first) > figure(second) ? first : second;
  }
  const results = await alternate(rounds, tell, {
    beside: better,
    gong: () => runOn(gong, BURST),
    figure,
    faults: faultsOfLoad,
  });
  const ratio = ratioOf(results);
  return { ...results, comparison: `${ratio.toFixed(1)} ×`, passed: ratio >= 6 };
}

async function measureCpu(row: Row, load: Steady, most: number, rounds: number, tell: Tell): Promise<Result> {
  await using nchan = await startNchan(1);
  await using gong = await startServer(row.settings, { door: "http" });
  const results = await alternate(rounds, tell, {
    beside: () => runSteadily(nchan, load),
    gong: () => runSteadily(gong, load),
    figure: ({ microseconds }) => Number(microseconds.toFixed(2)),
    faults: ({ report }) => faultsOfLoad(report),
  });
  const ratio = ratioOf(results);
  return { ...results, comparison: `${ratio.toFixed(2)} ×`, passed: ratio <= most };
}

/** Lets the engine compile for a while, then looks at what the server uses for the same clients. */
async function runSteadily({ name, url, figures }: Peer, load: Steady) {
  let [begun, ended] = [0, 0];
  const report = await runHttpLoad({ ...load, url, server: serverOf(name), duration: WARM_UP + MEASURED }, {
    figures: async () => {
      const read = await figures();
      ended = read.cpuSeconds;
      return read;
    },
    onStart: () => setTimeout(async () => begun = (await figures()).cpuSeconds, WARM_UP * 1000),
  });
  return { report, microseconds: (ended - begun) * 1e6 / (MEASURED * load.rate * load.subscribers) };
}

async function runOn({ name, url, figures }: Peer, load: Load): Promise<Report> {
  return await runHttpLoad({ ...load, url, server: serverOf(name) }, { figures });
}

function serverOf(name: Peer["name"]): "nchan" | "gong" {
  return name === "nchan" ? name : "gong";
}
