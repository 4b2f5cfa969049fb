import { assertEquals } from "@std/assert";
import { Counters, WINDOW, Window } from "../../lib/cluster/counts.ts";
import { type Ask, Proof } from "../../lib/cluster/proof.ts";
import { seeded } from "../support/random.ts";

Deno.test("Window: each count comes once, in whatever order, and none that is behind it", () => {
  const window = new Window();
  const order = Array.from({ length: WINDOW }, (_, n) => n + 1).reverse();
  assertEquals(order.every((count) => window.take(count)), true);
  assertEquals(order.some((count) => window.take(count)), false);
  assertEquals([window.take(2 * WINDOW), window.take(WINDOW + 1), window.take(WINDOW), window.take(1)], [
    ...[true, true, false, false],
  ]);
  assertEquals([0, -1, 0.5, NaN, Infinity].some((count) => window.take(count)), false);
  const later = new Window(100);
  assertEquals([later.take(100), later.take(101), later.take(101), later.last], [false, true, false, 101]);
});

Deno.test("Window agrees with what remembers every count", () => {
  const random = seeded(7);
  const window = new Window();
  const seen = new Set<number>();
  let last = 0;
  for (let n = 0; n < 20_000; n++) {
    const count = Math.max(1, last + random.int(50) - 25 + (n % 100 === 0 ? random.int(3 * WINDOW) - 2 * WINDOW : 0));
    const isNew = count > last - WINDOW && !seen.has(count);
    assertEquals(window.take(count), isNew, `${count} after ${last}`);
    seen.add(count);
    last = Math.max(last, count);
  }
});

Deno.test("Counters: nobody's count depends on others, and none comes twice, though it was forgotten", () => {
  const counters = new Counters(2);
  assertEquals([counters.next("a"), counters.next("a"), counters.next("b"), counters.next("a")], [1, 2, 1, 3]);
  counters.next("c");
  counters.next("d");
  assertEquals([counters.next("a") > 3, counters.next("b") > 1], [true, true]);
});

Deno.test("Proof: what is said by one of many runs is not taken twice", () => {
  const proof = new Proof(new Uint8Array(32));
  const ask = (from: string): Ask => ({ from, to: "here", count: 1, method: "act", digest: "" });
  const accepts = (from: string) => proof.accepts(ask(from), proof.ofAsk(ask(from)));
  const runs = Array.from({ length: 1500 }, (_, n) => String(n));
  assertEquals(runs.every(accepts), true);
  assertEquals(runs.some(accepts), false);
});
