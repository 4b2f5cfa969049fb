import { assert } from "@std/assert";
import { startGong } from "../support/gong.ts";
import { assertDeliveredOnce, figuresOfProcess, runLoad } from "../support/load.ts";

/** How many, and how long. */
export interface IdleOptions {
  /** Default 15,000. */
  readonly subscribers?: number;
  /** Seconds. Default 30. */
  readonly duration?: number;
}

/** What one idle connection may hold of the process. The exact bar is a comparison: see `deno task bench`. */
const MOST_BYTES = 30_000;
const PING = 5;

/** Many clients that only answer pings stay connected, and all of them still hear what is published. */
export async function proveIdle({ subscribers = 15_000, duration = 30 }: IdleOptions = {}): Promise<string> {
  const limits = ["--max-per-address", String(subscribers + 10), "--max-connections", String(subscribers + 10)];
  await using gong = await startGong(["--isolates", "2", "--ping", String(PING), ...limits]);
  const report = await runLoad(
    { url: `${gong.ws}/push`, subscribers, workers: 2, rate: 0.2, duration },
    { figures: figuresOfProcess(gong.pid) },
  );
  assertDeliveredOnce(report);
  const bytes = report.server?.memoryPerConnection ?? NaN;
  assert(bytes < MOST_BYTES, `${bytes} bytes a connection`);
  return `${report.connected} connected for ${duration} s of pings, each got all ${report.published}; ${bytes} bytes each`;
}
