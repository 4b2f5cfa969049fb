import { assert, assertEquals } from "@std/assert";
import { Deadlines } from "../lib/deadlines.ts";
import { seeded } from "./support/random.ts";

Deno.test("Deadlines.take() gives what is due in the order of the times, and nothing before", () => {
  const random = seeded(3);
  const deadlines = new Deadlines<number>(() => true);
  const waiting: number[] = [];
  let now = 0;
  for (let step = 0; step < 5000; step++) {
    const due = now + random.int(1000);
    deadlines.add(due, due);
    waiting.push(due);
    if (random.int(4) > 0) continue;
    now += random.int(20);
    waiting.sort((one, other) => one - other);
    for (let item; (item = deadlines.take(now)) !== undefined;) assertEquals(item, waiting.shift());
    assert(waiting.length === 0 || waiting[0]! > now);
  }
  assertEquals(deadlines.size, waiting.length);
});

Deno.test("Deadlines clears out what is nobody's any more", () => {
  let wanted = new Set<number>();
  const deadlines = new Deadlines<number>((item) => wanted.has(item));
  for (let n = 0; n < 100_000; n++) {
    wanted = new Set([n, n - 1, n - 2]);
    deadlines.add(1_000_000 - n, n);
    assert(deadlines.size <= 1024);
  }
  const left = [];
  for (let item; (item = deadlines.take(Infinity)) !== undefined;) if (wanted.has(item)) left.push(item);
  assertEquals(left, [99_999, 99_998, 99_997]);
});
