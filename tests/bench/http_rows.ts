/**
 * Gong's doors over plain HTTP beside nginx with nchan.
 *
 * @module
 */
import type { Report } from "../support/load.ts";
import { type HttpLoadOptions, runHttpLoad } from "./http/load.ts";
import { missingNchan, startNchan } from "./nchan.ts";
import { type Peer, startServer } from "./peers.ts";
import { alternate, faultsOfLoad, median, type Result, type Row, type Tell } from "./row.ts";

type Load = Omit<HttpLoadOptions, "url" | "server">;

/** Seconds of load that are not measured: the engine compiles for a while. */
const WARM_UP = 20;
const BURST: Load = { door: "sse", subscribers: 1000, publishers: 50, rate: 0, count: 300 };
const STEADY: Load = { door: "sse", subscribers: 1000, publishers: 1, rate: 20, duration: 10 };
const POLLS: Load = { door: "poll", subscribers: 300, publishers: 1, rate: 5, duration: 5 };

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
  const ratio = median(results.gong) / median(results.beside);
  return { ...results, comparison: `${ratio.toFixed(1)} ×`, passed: ratio >= 6 };
}

async function measureCpu(row: Row, load: Load, most: number, rounds: number, tell: Tell): Promise<Result> {
  await using nchan = await startNchan(1);
  await using gong = await startServer(row.settings, { door: "http" });
  await runOn(nchan, { ...load, duration: WARM_UP });
  await runOn(gong, { ...load, duration: WARM_UP });
  const results = await alternate(rounds, tell, {
    beside: () => runOn(nchan, load),
    gong: () => runOn(gong, load),
    faults: faultsOfLoad,
    figure: (report) => report.server?.cpuMicrosecondsPerMessage ?? NaN,
  });
  const ratio = median(results.gong) / median(results.beside);
  return { ...results, comparison: `${ratio.toFixed(2)} ×`, passed: ratio <= most };
}

async function runOn({ name, url, figures }: Peer, load: Load): Promise<Report> {
  const server = name === "nchan" ? name : "gong";
  return await runHttpLoad({ ...load, url, server }, { figures });
}
