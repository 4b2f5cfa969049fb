import { assert } from "@std/assert";
import { startGong } from "../support/gong.ts";
import { assertDeliveredOnce, figuresOfProcess, runLoad } from "../support/load.ts";

/** How many, and how long. */
export interface IdleOptions {
  /** Default 15,000. */
  readonly subscribers?: number;
  /** Seconds. Default 30. */
  readonly duration?: number;
  /** Seconds between pings. Default 5. */
  readonly ping?: number;
}

/** What idle connections may hold of the process: some at first, then each. The exact bar is that of `deno task bench`. */
const FIRST_BYTES = 20 * 2 ** 20;
const EACH_BYTES = 30_000;

/** Many clients that only answer pings stay connected, and all of them still hear what is published. */
export async function proveIdle({ subscribers = 15_000, duration = 30, ping = 5 }: IdleOptions = {}): Promise<string> {
  const limits = ["--max-per-address", String(subscribers + 10), "--max-connections", String(subscribers + 10)];
  await using gong = await startGong(["--isolates", "2", "--ping", String(ping), ...limits]);
  const report = await runLoad(
    { url: `${gong.ws}/push`, subscribers, workers: 2, rate: 0.2, duration },
    { figures: figuresOfProcess(gong.pid) },
  );
  assertDeliveredOnce(report);
  const bytes = report.server?.memoryPerConnection ?? NaN;
  assert(bytes * subscribers < FIRST_BYTES + EACH_BYTES * subscribers, `${bytes} bytes a connection`);
  return `${report.connected} connected for ${duration} s of pings, each got all ${report.published}; ${bytes} bytes each`;
}
