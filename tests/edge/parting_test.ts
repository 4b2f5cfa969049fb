import { assert, assertEquals } from "@std/assert";
import { type Leaver, Parting } from "../../lib/edge/parting.ts";

/** Sessions that note when they go, and a clock that only a test moves. */
class World {
  time = 0;
  isStopped = false;
  readonly left: { readonly number: number; readonly at: number; readonly retryAfter: number }[] = [];
  readonly hurried = new Set<number>();
  #look = () => {};

  constructor(count: number, seconds: number, isBrief = (_number: number) => false) {
    const sessions = Array.from({ length: count }, (_, number): Leaver => ({
      isBrief: isBrief(number),
      dismiss: (retryAfter) => void this.left.push({ number, at: this.time, retryAfter }),
      hurry: () => void this.hurried.add(number),
    }));
    new Parting(sessions, {
      seconds,
      now: () => this.time,
      every: (_milliseconds, look) => {
        this.#look = look;
        return () => this.isStopped = true;
      },
    });
  }

  pass(milliseconds: number): void {
    this.time += milliseconds;
    if (!this.isStopped) this.#look();
  }
}

Deno.test("Parting lets sessions go evenly, a hundred a second, in another order than they came", () => {
  const world = new World(200, 60);
  assertEquals(world.left.length, 1);
  for (let tenth = 1; tenth <= 10; tenth++) {
    for (let step = 0; step < 10; step++) world.pass(20);
    assert(Math.abs(world.left.length - tenth * 20) <= 1, `${world.left.length} after ${tenth} tenths`);
  }
  const numbers = world.left.map(({ number }) => number);
  assertEquals(numbers.toSorted((a, b) => a - b), Array.from({ length: 200 }, (_, number) => number));
  assert(numbers.join() !== numbers.toSorted((a, b) => a - b).join());
  assertEquals(new Set(world.left.map(({ retryAfter }) => retryAfter)), new Set([1]));
});

Deno.test("Parting spreads many over half of the time, then hurries those that wait for something", () => {
  const world = new World(10_000, 10);
  world.pass(4900);
  assert(world.left.length > 9700 && world.left.length < 10_000, String(world.left.length));
  assertEquals(world.hurried.size, 0);
  world.pass(100);
  assertEquals([world.left.length, world.hurried.size, world.isStopped], [10_000, 10_000, true]);
});

Deno.test("Parting takes no time for few sessions, and makes up for a standstill", () => {
  const few = new World(3, 10);
  few.pass(30);
  assertEquals(few.left.length, 3);
  const late = new World(500, 60);
  late.pass(2500);
  assertEquals(late.left.length, 251);
  const none = new World(4, 0);
  assertEquals([none.left.length, none.isStopped], [4, true]);
});

Deno.test("Parting ends brief sessions at once, and spreads when they come back instead", () => {
  const world = new World(400, 20, (number) => number % 2 === 0);
  const brief = world.left.filter(({ number }) => number % 2 === 0);
  assertEquals([brief.length, world.left.length], [200, 201]);
  const hints = brief.map(({ retryAfter }) => retryAfter);
  assert(hints.every((hint) => hint >= 1 && hint <= 11), hints.join());
  for (let second = 1; second <= 10; second++) {
    assert(hints.some((hint) => hint >= second && hint < second + 1), `nobody comes back in second ${second}`);
  }
});
