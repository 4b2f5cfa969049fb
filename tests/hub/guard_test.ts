import { assertEquals, assertThrows } from "@std/assert";
import { GongError } from "../../lib/errors.ts";
import { Guard } from "../../lib/hub/guard.ts";

const BOUNDS = { maxConnections: 5, maxPerAddress: 2, authFailures: 3 };

let sessions = 0;

function refusal(guard: Guard, edge: number, address: string, id = `s${++sessions}`): string | undefined {
  try {
    guard.admit(edge, id, address);
    return undefined;
  } catch (error) {
    return (error as GongError).code;
  }
}

Deno.test("Guard.admit() bounds the sessions of an address over all edges", () => {
  const guard = new Guard(BOUNDS);
  assertEquals([refusal(guard, 1, "a", "1-x"), refusal(guard, 2, "a", "2-x"), refusal(guard, 3, "a", "3-x")], [
    ...[undefined, undefined, "too_many"],
  ]);
  assertEquals(refusal(guard, 1, "b"), undefined);
  assertEquals(guard.total, 3);
  guard.release(3, "3-x");
  assertEquals(refusal(guard, 3, "a"), "too_many", "a session that was refused frees nothing");
  guard.release(2, "2-x");
  assertEquals([refusal(guard, 3, "a"), refusal(guard, 3, "a")], [undefined, "too_many"]);
});

Deno.test("Guard.admit() bounds the sessions in all, and says when to come back", () => {
  const guard = new Guard(BOUNDS);
  for (const address of ["a", "b", "c", "d", "e"]) guard.admit(1, `1-${address}`, address);
  const error = assertThrows(() => guard.admit(2, "2-f", "f"), GongError, "too many connections");
  assertEquals([error.code, error.retryAfter, guard.total], ["overloaded", 5, 5]);
  guard.release(1, "1-c");
  assertEquals(refusal(guard, 2, "f"), undefined);
});

Deno.test("Guard.release() of what is not counted changes nothing", () => {
  const guard = new Guard(BOUNDS);
  guard.admit(1, "s1", "a");
  guard.release(2, "s1");
  guard.release(1, "s2");
  guard.release(1, "s1");
  guard.release(1, "s1");
  assertEquals(guard.total, 0);
  assertEquals([refusal(guard, 1, "a"), refusal(guard, 1, "a"), refusal(guard, 1, "a")], [
    ...[undefined, undefined, "too_many"],
  ]);
});

Deno.test("Guard.releaseEdge() frees everything of one edge, once, and nothing of another", () => {
  const guard = new Guard(BOUNDS);
  guard.admit(1, "s1", "a");
  guard.admit(1, "s2", "b");
  guard.admit(2, "s3", "a");
  const gone = [1, 1, 9].map((edge) => guard.releaseEdge(edge).length);
  assertEquals([...gone, guard.total], [2, 0, 0, 1]);
  guard.release(1, "s1");
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

Deno.test("Guard tells when there is no room, and when there is again, for one address and for all", () => {
  const told: (readonly [boolean, string | undefined])[] = [];
  const guard = new Guard({ ...BOUNDS, maxConnections: 3, onFull: (isFull, address) => told.push([isFull, address]) });
  guard.admit(1, "s1", "a");
  assertEquals(told, []);
  guard.admit(1, "s2", "a");
  assertEquals(told.splice(0), [[true, "a"]]);
  assertEquals([...guard.full()], ["a"]);
  guard.admit(2, "s3", "b");
  assertEquals(told.splice(0), [[true, undefined]]);
  assertEquals([guard.isFull(), guard.isFull("a"), guard.isFull("b")], [true, true, false]);
  guard.releaseEdge(1);
  assertEquals(told.splice(0), [[false, undefined], [false, "a"]]);
  assertEquals([guard.isFull(), [...guard.full()]], [false, []]);
});
