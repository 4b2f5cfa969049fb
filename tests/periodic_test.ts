import { assert, assertEquals } from "@std/assert";
import { Periodic } from "../lib/periodic.ts";

/** Time that passes when the test says so. */
class Clock {
  #time = 0;
  readonly #timers = new Set<{ readonly at: number; readonly callback: () => void }>();

  readonly now = () => this.#time;

  readonly after = (wait: number, callback: () => void) => {
    assert(wait >= 0, `a wait of ${wait}`);
    const timer = { at: this.#time + wait, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  get timers(): number {
    return this.#timers.size;
  }

  /** Lets time pass; what is due is called at its time, or, of a busy isolate, at the end. */
  async pass(time: number, isBusy = false): Promise<void> {
    const end = this.#time + time;
    if (isBusy) this.#time = end;
    for (;;) {
      // What an action is followed by.
      for (let n = 0; n < 8; n++) await undefined;
      const [next] = [...this.#timers].filter(({ at }) => at <= end).sort((one, other) => one.at - other.at);
      if (!next) break;
      this.#timers.delete(next);
      this.#time = Math.max(this.#time, next.at);
      next.callback();
    }
    this.#time = end;
  }
}

function setUp() {
  const clock = new Clock();
  const errors: unknown[] = [];
  const times: number[] = [];
  const periodic = new Periodic({ ...clock, onError: (error) => errors.push(error) });
  return { clock, errors, times, periodic, note: () => void times.push(clock.now()) };
}

Deno.test("Periodic does it at once, and then every period, until it is stopped", async () => {
  const { clock, times, periodic, note } = setUp();
  periodic.start(10, note);
  assertEquals(times, [0]);
  await clock.pass(35);
  assertEquals(times, [0, 10, 20, 30]);
  assertEquals([periodic.stop(), periodic.stop(), clock.timers], [true, false, 0]);
  await clock.pass(100);
  assertEquals(times.length, 4);
});

Deno.test("Periodic has one thing to do: a new one takes the place of the old one and begins at once", async () => {
  const { clock, times, periodic, note } = setUp();
  let others = 0;
  periodic.start(10, note);
  await clock.pass(25);
  periodic.start(7, () => void others++);
  await clock.pass(21);
  assertEquals([times, others, clock.timers], [[0, 10, 20], 4, 1]);
});

Deno.test("Periodic skips times while the one before is under way, and its times do not move", async () => {
  const { clock, times, periodic } = setUp();
  const ends: (() => void)[] = [];
  periodic.start(10, () => {
    times.push(clock.now());
    return new Promise<void>((resolve) => ends.push(resolve));
  });
  await clock.pass(34);
  assertEquals([times, clock.timers], [[0], 1]);
  ends.shift()!();
  await clock.pass(20);
  assertEquals(times, [0, 40]);
});

Deno.test("Periodic does not catch up with what a busy isolate has missed", async () => {
  const { clock, times, periodic, note } = setUp();
  periodic.start(10, note);
  await clock.pass(57, true);
  await clock.pass(14);
  assertEquals(times, [0, 57, 60, 70]);
});

Deno.test("Periodic tells what its action throws or rejects with, and goes on", async () => {
  const { clock, errors, periodic } = setUp();
  let count = 0;
  periodic.start(10, () => {
    count++;
    if (count === 1) throw new RangeError("thrown");
    return Promise.reject(new TypeError("rejected"));
  });
  await clock.pass(20);
  assertEquals(errors.map(String), ["RangeError: thrown", "TypeError: rejected", "TypeError: rejected"]);
});

Deno.test("Periodic stopped by its own action does it no more", async () => {
  const { clock, times, periodic, note } = setUp();
  periodic.start(10, () => {
    note();
    if (times.length === 2) periodic.stop();
  });
  await clock.pass(50);
  assertEquals([times, clock.timers], [[0, 10], 0]);
});
