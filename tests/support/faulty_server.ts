/**
 * A server whose oldest edge fails as its signal says: SIGUSR1 throws, SIGUSR2 exits, SIGHUP hangs, SIGWINCH has it terminated.
 *
 * @module
 */
import { Worker } from "node:worker_threads";
import { defaultConfig } from "../../lib/config.ts";
import { configureLog, createLogger } from "../../lib/log.ts";
import { startServer } from "../../lib/supervisor.ts";
import { TOKEN_SECRET } from "./tokens.ts";

/** By the numbers of their edges, the oldest first. */
const workers = new Map<number, Worker>();

await configureLog({ level: "info", format: "json" });
const running = await startServer(
  defaultConfig({
    ...{ dev: true, port: 0, isolates: 2, hang: 9, ping: 5 },
    rule: ["room:* presence=joins"],
    tokenSecret: [TOKEN_SECRET],
  }),
  {
    log: createLogger("test"),
    createWorker(workerData) {
      const worker = new Worker(new URL("./faulty_worker.ts", import.meta.url), { workerData });
      workers.set(workerData.number, worker);
      return worker.on("exit", () => workers.delete(workerData.number));
    },
  },
);
const faults = new BroadcastChannel("faults");
const signals = { SIGUSR1: "throw", SIGUSR2: "exit", SIGHUP: "hang" } as const;
for (const [signal, fault] of Object.entries(signals)) {
  Deno.addSignalListener(signal as Deno.Signal, () => faults.postMessage({ edge: [...workers.keys()][0], fault }));
}
Deno.addSignalListener("SIGWINCH", () => void [...workers.values()][0]?.terminate());
console.log(JSON.stringify({ event: "ready", ...running }));
Deno.exit(await running.finished);
