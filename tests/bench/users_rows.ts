/**
 * Gong whose subscribers are users, each with a token and shown by presence, beside the same Gong where nobody is anybody.
 *
 * @module
 */
import { type LoadHooks, type LoadOptions, type Report, runLoad } from "../support/load.ts";
import { TOKEN_SECRET } from "../support/tokens.ts";
import { type Peer, startServer } from "./peers.ts";
import { alternate, faultsOfLoad, ratioOf, type Result, type Row, type Tell } from "./row.ts";

type Load = Partial<LoadOptions>;

/** How much more users may cost. */
const MOST = 1.1;
/** And with what their coming leaves behind until V8 collects it. */
const MOST_FRESH = 1.2;
const MANY = ["--isolates", "1", "--max-per-address", "20000"];
/** Seconds of load that are not measured. */
const WARM_UP = 20;
const WORKER = new URL("./users/worker.ts", import.meta.url);
const USERS = [
  "--token-secret",
  TOKEN_SECRET,
  "--rule",
  "broadcast subscribe=everyone publish=everyone presence=joins",
];
const STEADY: Load = { subscribers: 1000, rate: 20, duration: 5 };
const BURST: Load = { subscribers: 1000, rate: 0, count: 300, format: "json" };
const IDLE: Load = { subscribers: 15_000, publishers: 0, duration: 3, workers: 2 };

/** The rows beside Gong itself. */
export const USERS_ROWS: readonly Row[] = [
  {
    ...row("users-cpu-plain", "server CPU µs a delivered message, 1,000 users × 20/s, plain", "--isolates", "1"),
    measure: (row, ...rest) => measureCpu(row, { ...STEADY, format: "plain" }, ...rest),
  },
  {
    ...row("users-cpu-json", "the same, format=json", "--isolates", "1"),
    measure: (row, ...rest) => measureCpu(row, { ...STEADY, format: "json" }, ...rest),
  },
  {
    ...row("users-burst", "µs a message, 1,000 users × 300 at once, format=json", "--isolates", "2"),
    measure: measureBurst,
  },
  {
    ...row("users-idle", "resident bytes a connection, 15,000 idle users, garbage collected", ...MANY),
    measure: (...of) => measureIdle(true, ...of),
  },
  {
    ...row("users-fresh", "the same, just after they have come", ...MANY),
    bar: `at most ${MOST_FRESH} × without users`,
    measure: (...of) => measureIdle(false, ...of),
  },
];

function row(name: string, what: string, ...settings: readonly string[]): Omit<Row, "measure"> {
  return { name, what, beside: "Gong, no users", settings, bar: `at most ${MOST} × without users` };
}

async function measureCpu({ settings }: Row, load: Load, rounds: number, tell: Tell): Promise<Result> {
  await using without = await startServer(settings);
  await using users = await startServer([...settings, ...USERS]);
  // Compiled code, not the compiling of it, is what a server runs.
  await runOn(without, { ...load, duration: WARM_UP });
  await runAsUsers(users, { ...load, duration: WARM_UP });
  return judge(
    await alternate(rounds, tell, {
      beside: () => runOn(without, load),
      gong: () => runAsUsers(users, load),
      faults: faultsOfLoad,
      figure: ({ server }) => server?.cpuMicrosecondsPerMessage ?? NaN,
    }),
  );
}

async function measureBurst({ settings }: Row, rounds: number, tell: Tell): Promise<Result> {
  await using without = await startServer(settings);
  await using users = await startServer([...settings, ...USERS]);
  await runOn(without, BURST);
  await runAsUsers(users, BURST);
  return judge(
    await alternate(rounds, tell, {
      beside: () => runOn(without, BURST),
      gong: () => runAsUsers(users, BURST),
      faults: faultsOfLoad,
      figure: ({ messagesPerSecond }) => Number((1e6 / messagesPerSecond).toFixed(3)),
    }),
  );
}

async function measureIdle(collects: boolean, { settings }: Row, rounds: number, tell: Tell): Promise<Result> {
  // A fresh server each time: what an earlier round left behind would be counted to no connection.
  return judge(
    await alternate(rounds, tell, {
      async beside() {
        await using without = await startServer(settings, { collects });
        return await runOn(without, IDLE);
      },
      async gong() {
        await using users = await startServer([...settings, ...USERS], { collects });
        return await runAsUsers(users, IDLE);
      },
      faults: faultsOfLoad,
      figure: ({ server }) => server?.memoryPerConnection ?? NaN,
    }),
    collects ? MOST : MOST_FRESH,
  );
}

function judge(results: Omit<Result, "comparison" | "passed">, most = MOST): Result {
  const ratio = ratioOf(results);
  return { ...results, comparison: `${ratio.toFixed(2)} ×`, passed: ratio <= most };
}

function runAsUsers(peer: Peer, load: Load): Promise<Report> {
  return runOn(peer, load, { worker: WORKER });
}

function runOn({ url, figures }: Peer, load: Load, hooks: LoadHooks = {}): Promise<Report> {
  return runLoad({ url, ...load }, { figures, ...hooks });
}
