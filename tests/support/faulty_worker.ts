/**
 * A worker isolate that fails when it is told to: `{ edge, fault }` on the BroadcastChannel "faults".
 *
 * @module
 */
import { workerData } from "node:worker_threads";
import type { WorkerData } from "../../lib/worker.ts";

const { number } = workerData as WorkerData;
new BroadcastChannel("faults").onmessage = ({ data }) => {
  if (data.edge !== number) return;
  if (data.fault === "throw") throw new Error("told to throw");
  if (data.fault === "exit") Deno.exit(3);
  if (data.fault === "hang") { for (;;); }
};

await import("../../lib/worker.ts");
