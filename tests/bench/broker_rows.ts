/**
 * Gong with channels in a file beside Gong with channels in memory, and beside a bare read of that file.
 *
 * @module
 */
import { publishAll } from "./publishing.ts";
import { fillHistory, readBare, resume, type Resumed, withFolder } from "./resuming.ts";
import { startServer } from "./peers.ts";
import { alternate, ratioOf, type Result, type Row, type Tell } from "./row.ts";

/** Seconds of publishing that are measured, and before. */
const PUBLISHING = 4;
const WARM_UP = 3;
const PUBLISHERS = 50;
const MISSED = 10_000;
/** Resumes and reads that are not measured. */
const REHEARSALS = 20;

/** The rows that concern brokers. */
export const BROKER_ROWS: readonly Row[] = [
  {
    name: "sqlite-publish",
    what: `acknowledged publications/s, ${PUBLISHERS} connections, POST after POST`,
    beside: "memory",
    settings: ["--isolates", "1", "--api-rate", "1000000", "--request-rate", "1000000"],
    bar: "at least 0.7 × memory",
    measure: measurePublish,
  },
  {
    name: "sqlite-resume",
    what: "ms for 10,000 missed publications, JSON door",
    beside: "SELECT",
    settings: ["--isolates", "1", "--history-count", "20000", "--history-bytes", "64MiB"],
    bar: "at most 3 × a bare read",
    measure: measureResume,
  },
];

async function measurePublish({ settings }: Row, rounds: number, tell: Tell): Promise<Result> {
  return await withFolder(async (dir) => {
    await using memory = await startServer(settings, { door: "http" });
    await using sqlite = await startServer([...settings, "--broker", "sqlite:gong.db"], { door: "http", dir });
    const [besides, gongs] = [memory, sqlite].map(({ url }) => (seconds: number) => {
      return publishAll(new URL(url), PUBLISHERS, seconds);
    });
    await besides!(WARM_UP);
    await gongs!(WARM_UP);
    const results = await alternate(rounds, tell, {
      beside: () => besides!(PUBLISHING),
      gong: () => gongs!(PUBLISHING),
      figure: ({ acknowledged, seconds }) => Math.round(acknowledged / seconds),
      faults: ({ fault }) => fault,
    });
    const ratio = ratioOf(results);
    return { ...results, comparison: `${ratio.toFixed(2)} ×`, passed: ratio >= 0.7 };
  });
}

async function measureResume({ settings }: Row, rounds: number, tell: Tell): Promise<Result> {
  return await withFolder(async (dir) => {
    await using gong = await startServer([...settings, "--broker", "sqlite:gong.db"], { door: "http", dir });
    const filled = await fillHistory(new URL(gong.url), MISSED);
    const pair = {
      beside: () => readBare(`${dir}/gong.db`, MISSED),
      gong: () => resume(filled),
      figure: ({ milliseconds }: Resumed) => Number(milliseconds.toFixed(1)),
      faults: ({ fault }: Resumed) => fault,
    };
    await alternate(REHEARSALS, () => {}, pair);
    const results = await alternate(rounds, tell, pair);
    const ratio = ratioOf(results);
    return { ...results, comparison: `${ratio.toFixed(1)} ×`, passed: ratio <= 3 };
  });
}
