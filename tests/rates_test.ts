import { assert, assertEquals, assertThrows } from "@std/assert";
import { TokenBucket, TokenBuckets } from "../lib/rates.ts";

Deno.test("TokenBucket lets a burst through, then the rate", () => {
  let now = 0;
  const bucket = new TokenBucket({ rate: 10, burst: 3, now: () => now });
  assertEquals([bucket.take(), bucket.take(), bucket.take(), bucket.take()], [true, true, true, false]);
  now = 99;
  assertEquals(bucket.take(), false);
  now = 100;
  assertEquals([bucket.take(), bucket.take()], [true, false]);
  now = 60_000;
  assertEquals([bucket.take(3), bucket.take()], [true, false]);
});

Deno.test("TokenBucket takes all of `n` or none", () => {
  const bucket = new TokenBucket({ rate: 1, burst: 5, now: () => 0 });
  assertEquals([bucket.take(3), bucket.take(3), bucket.take(2)], [true, false, true]);
  assertEquals(new TokenBucket({ rate: 1, burst: 5, now: () => 0 }).take(6), false);
});

Deno.test("TokenBucket.retryAfter() is the whole seconds to wait, after which take() succeeds", () => {
  let now = 0;
  const bucket = new TokenBucket({ rate: 0.5, burst: 2, now: () => now });
  assertEquals(bucket.retryAfter(), 0);
  bucket.take(2);
  assertEquals([bucket.retryAfter(), bucket.retryAfter(2), bucket.retryAfter(3)], [2, 4, Infinity]);
  now = 500;
  assertEquals(bucket.retryAfter(), 2);
  now = 2_000;
  assertEquals([bucket.retryAfter(), bucket.take()], [0, true]);
});

Deno.test("TokenBucket neither gives nor withholds tokens when the clock is set back", () => {
  let now = 100_000;
  const bucket = new TokenBucket({ rate: 1, burst: 1, now: () => now });
  bucket.take();
  now = 0;
  assertEquals(bucket.take(), false);
  now = 1_000;
  assertEquals(bucket.take(), true);
});

Deno.test("TokenBuckets keeps keys apart", () => {
  const buckets = new TokenBuckets({ rate: 1, burst: 1, capacity: 10, now: () => 0 });
  assertEquals([buckets.take("a"), buckets.take("a"), buckets.take("b")], [true, false, true]);
  assertEquals([buckets.retryAfter("a"), buckets.retryAfter("c")], [1, 0]);
  assertEquals(buckets.size, 2);
});

Deno.test("TokenBuckets keeps at most `capacity` keys and drops the least recently used", () => {
  const buckets = new TokenBuckets({ rate: 1, burst: 1, capacity: 2, now: () => 0 });
  buckets.take("a");
  buckets.take("b");
  buckets.take("a");
  buckets.take("c");
  assertEquals(buckets.size, 2);
  assertEquals([buckets.retryAfter("a"), buckets.retryAfter("b"), buckets.retryAfter("c")], [1, 0, 1]);
  for (let key = 0; key < 1_000; key++) buckets.take(`${key}`);
  assertEquals(buckets.size, 2);
});

Deno.test("TokenBuckets refuses limits that mean nothing", () => {
  for (const wrong of [{ rate: 0 }, { rate: -1 }, { rate: NaN }, { burst: 0 }, { capacity: 0 }, { capacity: NaN }]) {
    assertThrows(() => new TokenBuckets({ rate: 1, burst: 1, capacity: 1, ...wrong }), RangeError);
  }
});

Deno.test("TokenBuckets uses a clock that goes on when none is given", () => {
  const buckets = new TokenBuckets({ rate: 1e6, burst: 1, capacity: 1 });
  assert(buckets.take("a"));
  const started = performance.now();
  while (performance.now() - started < 1);
  assert(buckets.take("a"));
});
