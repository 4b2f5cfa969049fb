import { assert, assertEquals, assertThrows } from "@std/assert";
import { Histogram } from "../../../lib/cli/bench/histogram.ts";
import { type Counts, Tally } from "../../../lib/cli/bench/tally.ts";

function take(arrivals: readonly (readonly [publisher: number, sequence: number])[]): Counts & { received: number } {
  const counts = { delivered: 0, duplicated: 0, outOfOrder: 0 };
  const tally = new Tally(2);
  for (const [publisher, sequence] of arrivals) tally.take(publisher, sequence, counts);
  return { ...counts, received: tally.received };
}

Deno.test("Tally counts messages in order as delivered, each publisher by itself", () => {
  const counts = take([[0, 0], [1, 0], [0, 1], [0, 2], [1, 1]]);
  assertEquals(counts, { delivered: 5, duplicated: 0, outOfOrder: 0, received: 5 });
});

Deno.test("Tally tells a late message from a repeated one, and neither from a lost one", () => {
  const late = take([[0, 0], [0, 2], [0, 1], [0, 3]]);
  assertEquals(late, { delivered: 4, duplicated: 0, outOfOrder: 1, received: 4 });
  const repeated = take([[0, 0], [0, 0], [0, 2], [0, 2], [0, 1], [0, 1]]);
  assertEquals(repeated, { delivered: 3, duplicated: 3, outOfOrder: 1, received: 3 });
  const lost = take([[0, 5], [1, 1]]);
  assertEquals(lost, { delivered: 2, duplicated: 0, outOfOrder: 0, received: 2 });
});

Deno.test("Tally stays exact over gaps of thousands", () => {
  const odd = Array.from({ length: 5000 }, (_, i) => [0, 2 * i + 1] as const);
  const even = Array.from({ length: 5000 }, (_, i) => [0, 2 * i] as const).reverse();
  assertEquals(take(odd).received, 5000);
  assertEquals(take([...odd, ...even]), { delivered: 10_000, duplicated: 0, outOfOrder: 5000, received: 10_000 });
  assertEquals(take([...odd, ...even, ...odd]).duplicated, 5000);
});

Deno.test("Histogram.percentile() is exact below 256 and within a hundredth above", () => {
  const histogram = new Histogram();
  for (let value = 1; value <= 100_000; value++) histogram.record(value);
  assertEquals(histogram.percentile(0.001), 100);
  for (const share of [0.5, 0.9, 0.99, 0.999, 1]) {
    const exact = share * 100_000;
    assert(Math.abs(histogram.percentile(share) - exact) < exact / 100, `${histogram.percentile(share)} for ${exact}`);
  }
});

Deno.test("Histogram counts what is negative as 0 and what is immense as its largest value", () => {
  const histogram = new Histogram();
  histogram.record(-5);
  assertEquals(histogram.percentile(1), 0);
  histogram.record(2 ** 50);
  assertEquals(histogram.percentile(1), 2 ** 32 - 1);
  assertEquals(new Histogram().percentile(0.5), 0);
});

Deno.test("Histogram.add() is the same as recording everything in one", () => {
  const all = new Histogram();
  const parts = [new Histogram(), new Histogram()];
  for (let i = 0; i < 20_000; i++) {
    const value = i * i % 1_000_003;
    all.record(value);
    parts[i % 2]!.record(value);
  }
  const sum = new Histogram(parts[0]!.counts.slice());
  sum.add(parts[1]!);
  assertEquals(sum.total, all.total);
  assertEquals(sum.counts, all.counts);
});

Deno.test("Histogram refuses counts that are not a histogram's", () => {
  assertThrows(() => new Histogram(new Float64Array(3)), RangeError, "buckets");
});
