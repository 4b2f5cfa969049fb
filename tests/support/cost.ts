/**
 * What a call costs, on a machine that others use too.
 *
 * @module
 */

import { median } from "./median.ts";

const BATCHES = 21;

/**
 * Milliseconds a call, of so many that follow each other: those of the middle one of 21 batches. A machine that stands
 * still makes one batch slow; a search that grows or shrinks from call to call makes most of them slow.
 */
export async function costOf(times: number, run: (n: number) => Promise<unknown>): Promise<number> {
  const costs: number[] = [];
  for (let batch = 0, n = 0; batch < BATCHES; batch++) {
    const [first, end] = [n, Math.round((batch + 1) * times / BATCHES)];
    const start = performance.now();
    for (; n < end; n++) await run(n);
    costs.push((performance.now() - start) / (end - first));
  }
  return median(costs);
}
