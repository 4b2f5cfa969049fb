import { assert, assertEquals } from "@std/assert";
import { startGong } from "../support/gong.ts";
import { type Report, runLoad } from "../support/load.ts";

/** What befalls the first of two edges, by the signal that makes it. */
export const FAULTS = { throws: "SIGUSR1", exits: "SIGUSR2", "is terminated": "SIGWINCH" } as const;

/** How long. */
export interface EdgeOptions {
  readonly fault: keyof typeof FAULTS;
  /** Default 400. */
  readonly subscribers?: number;
  /** Seconds of load; the fault comes in the middle. Default 6. */
  readonly duration?: number;
}

/** A run in which the publisher itself was on the failing edge shows nothing: what it had sent may be gone with it. */
const TRIES = 10;

/** An edge fails under load: subscribers of the other miss nothing, and another takes its place within a second. */
export async function proveEdge({ fault, subscribers = 400, duration = 6 }: EdgeOptions): Promise<string> {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    await using gong = await startGong([], { entry: "tests/support/faulty_server.ts" });
    let timer: ReturnType<typeof setTimeout> | undefined;
    const report = await runLoad(
      { url: `${gong.ws}/push?format=json`, format: "json", subscribers, rate: 200, duration },
      { onStart: () => timer = setTimeout(() => gong.signal(FAULTS[fault]), duration * 500) },
    );
    clearTimeout(timer);
    if (report.publishersClosed > 0) continue;
    assertOthersUnharmed(report);
    const seconds = (timeOf(await gong.line(/edge\.ready.*"edge":3/)) - timeOf(await gong.line(/edge\.lost/))) / 1000;
    assert(seconds < 1, `another edge took ${seconds} s`);
    const closed = Object.values(report.closed).reduce((sum, count) => sum + count, 0);
    return `${subscribers - closed} of ${subscribers} on the other edge got all ${report.published}; ` +
      `replaced in ${Math.round(seconds * 1000)} ms`;
  }
  throw new Error(`the publisher was on the failing edge ${TRIES} times`);
}

function assertOthersUnharmed(report: Report): void {
  const closed = Object.values(report.closed).reduce((sum, count) => sum + count, 0);
  assert(closed > 0 && closed < report.connected, `${closed} of ${report.connected} connections ended`);
  const { lost, duplicated, outOfOrder } = report;
  assertEquals({ lost, duplicated, outOfOrder }, { lost: report.lostByClosed, duplicated: 0, outOfOrder: 0 });
}

function timeOf(line: string): number {
  return Date.parse(JSON.parse(line).time);
}
