import { assertEquals, assertThrows } from "@std/assert";
import { GongError } from "../lib/errors.ts";
import { Guard } from "../lib/guard.ts";

const BOUNDS = { maxConnections: 5, maxPerAddress: 2, authFailures: 3 };

function refusal(guard: Guard, edge: number, address: string): string | undefined {
  try {
    guard.admit(edge, address);
    return undefined;
  } catch (error) {
    return (error as GongError).code;
  }
}

Deno.test("Guard.admit() bounds the sessions of an address over all edges", () => {
  const guard = new Guard(BOUNDS);
  assertEquals([refusal(guard, 1, "a"), refusal(guard, 2, "a"), refusal(guard, 3, "a")], [
    ...[undefined, undefined, "too_many"],
  ]);
  assertEquals(refusal(guard, 1, "b"), undefined);
  assertEquals(guard.total, 3);
  guard.release(2, "a");
  assertEquals([refusal(guard, 3, "a"), refusal(guard, 3, "a")], [undefined, "too_many"]);
});

Deno.test("Guard.admit() bounds the sessions in all, and says when to come back", () => {
  const guard = new Guard(BOUNDS);
  for (const address of ["a", "b", "c", "d", "e"]) guard.admit(1, address);
  const error = assertThrows(() => guard.admit(2, "f"), GongError, "too many connections");
  assertEquals([error.code, error.retryAfter, guard.total], ["overloaded", 5, 5]);
  guard.release(1, "c");
  assertEquals(refusal(guard, 2, "f"), undefined);
});

Deno.test("Guard.release() of what is not counted changes nothing", () => {
  const guard = new Guard(BOUNDS);
  guard.admit(1, "a");
  guard.release(2, "a");
  guard.release(1, "b");
  guard.release(1, "a");
  guard.release(1, "a");
  assertEquals(guard.total, 0);
  assertEquals([refusal(guard, 1, "a"), refusal(guard, 1, "a"), refusal(guard, 1, "a")], [
    ...[undefined, undefined, "too_many"],
  ]);
});

Deno.test("Guard.releaseEdge() frees everything of one edge, once, and nothing of another", () => {
  const guard = new Guard(BOUNDS);
  guard.admit(1, "a");
  guard.admit(1, "b");
  guard.admit(2, "a");
  assertEquals([guard.releaseEdge(1), guard.releaseEdge(1), guard.releaseEdge(9), guard.total], [2, 0, 0, 1]);
  guard.release(1, "a");
  assertEquals(guard.total, 1);
  assertEquals([refusal(guard, 3, "a"), refusal(guard, 3, "a")], [undefined, "too_many"]);
});

Deno.test("Guard.fail() blocks an address for a minute after too many wrong keys in one", () => {
  let now = 1_000_000;
  const guard = new Guard({ ...BOUNDS, now: () => now });
  assertEquals([1, 2, 3, 4, 5].map(() => guard.fail("a")), [undefined, undefined, undefined, 1_060_000, 1_060_000]);
  assertEquals(guard.fail("b"), undefined);
  now += 20_000;
  assertEquals([guard.fail("a"), guard.fail("a")], [undefined, 1_080_000], "one try comes back every 20 seconds");
  now += 60_000;
  assertEquals([1, 2, 3, 4].map(() => guard.fail("a")), [undefined, undefined, undefined, 1_140_000]);
});
