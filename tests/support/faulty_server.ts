/**
 * A server whose first edge fails as its signal says: SIGUSR1 throws, SIGUSR2 exits, SIGHUP hangs.
 *
 * @module
 */
import { Worker } from "node:worker_threads";
import { defaultConfig } from "../../lib/config.ts";
import { configureLog, createLogger } from "../../lib/log.ts";
import { startServer } from "../../lib/supervisor.ts";

await configureLog({ level: "info", format: "json" });
const running = await startServer(defaultConfig({ dev: true, port: 0, isolates: 2, hang: 6 }), {
  log: createLogger("test"),
  createWorker: (workerData) => new Worker(new URL("./faulty_worker.ts", import.meta.url), { workerData }),
});
const faults = new BroadcastChannel("faults");
const signals = { SIGUSR1: "throw", SIGUSR2: "exit", SIGHUP: "hang" } as const;
for (const [signal, fault] of Object.entries(signals)) {
  Deno.addSignalListener(signal as Deno.Signal, () => faults.postMessage({ edge: 1, fault }));
}
console.log(JSON.stringify({ event: "ready", ...running }));
Deno.exit(await running.finished);
