import { assertEquals } from "@std/assert";
import { Worker } from "node:worker_threads";
import { defaultConfig } from "../../lib/config.ts";
import { startServer } from "../../lib/supervisor.ts";
import type { WorkerData } from "../../lib/worker.ts";
import { NotedLog } from "../support/stage.ts";
import { until } from "../support/until.ts";

Deno.test("an edge that starts after a reload has the newest configuration, and the settings that need a restart as they were", async () => {
  const config = defaultConfig({ dev: true, port: 0, isolates: 1, allowOrigin: ["https://old.example.com"] });
  const seen: WorkerData[] = [];
  const workers: Worker[] = [];
  const running = await startServer(config, {
    log: new NotedLog(),
    createWorker: (workerData) => {
      seen.push(workerData);
      const worker = new Worker(new URL("../../lib/worker.ts", import.meta.url), { workerData });
      workers.push(worker);
      return worker;
    },
  });
  try {
    const { changed, needRestart } = await running.reload({
      ...config,
      allowOrigin: ["https://new.example.com"],
      ping: 7,
    });
    assertEquals([changed, needRestart], [["allowOrigin"], ["ping"]]);
    await workers[0]!.terminate();
    await until(() => seen.length === 2);
    assertEquals([seen[1]!.config.allowOrigin, seen[1]!.config.ping], [["https://new.example.com"], config.ping]);
  } finally {
    await running.shutdown();
    await running.finished;
  }
});
