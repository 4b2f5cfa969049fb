/**
 * A load as tests run it: in this process, against whatever is given, with the report as the result.
 *
 * @example
 * ```ts
 * const report = await runLoad({ url: `${gong.ws}/push`, subscribers: 1000, rate: 0, count: 300, format: "json" });
 * assertDeliveredOnce(report);
 * ```
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { Report } from "../../lib/cli/bench/report.ts";

export { figuresOfProcess } from "../../lib/cli/bench/figures.ts";
export { type LoadHooks, runLoad } from "../../lib/cli/bench/load.ts";
export type { LoadOptions } from "../../lib/cli/bench/options.ts";
export { formatReport, isComplete, type Report } from "../../lib/cli/bench/report.ts";

/** What went wrong in a load: all zero and empty when everything arrived once and in order. */
export function faultsOf(report: Report) {
  const { lost, duplicated, outOfOrder, failed, closed, refused } = report;
  return { unconnected: report.subscribers - report.connected, lost, duplicated, outOfOrder, failed, closed, refused };
}

/** Everybody connected and stayed, and every message arrived once and in order. */
export function assertDeliveredOnce(report: Report): void {
  const none = { unconnected: 0, lost: 0, duplicated: 0, outOfOrder: 0, failed: {}, closed: {}, refused: {} };
  assertEquals(faultsOf(report), none);
}
