/**
 * A server whose first edge fails as its signal says: SIGUSR1 throws, SIGUSR2 exits, SIGHUP hangs, SIGWINCH has it terminated.
 *
 * @module
 */
import { Worker } from "node:worker_threads";
import { defaultConfig } from "../../lib/config.ts";
import { configureLog, createLogger } from "../../lib/log.ts";
import { startServer } from "../../lib/supervisor.ts";

let first: Worker | undefined;

await configureLog({ level: "info", format: "json" });
const running = await startServer(
  defaultConfig({ dev: true, port: 0, isolates: 2, hang: 6, rule: ["room:* presence=joins"] }),
  {
    log: createLogger("test"),
    createWorker(workerData) {
      const worker = new Worker(new URL("./faulty_worker.ts", import.meta.url), { workerData });
      first ??= worker;
      return worker;
    },
  },
);
const faults = new BroadcastChannel("faults");
const signals = { SIGUSR1: "throw", SIGUSR2: "exit", SIGHUP: "hang" } as const;
for (const [signal, fault] of Object.entries(signals)) {
  Deno.addSignalListener(signal as Deno.Signal, () => faults.postMessage({ edge: 1, fault }));
}
Deno.addSignalListener("SIGWINCH", () => void first?.terminate());
console.log(JSON.stringify({ event: "ready", ...running }));
Deno.exit(await running.finished);
