import { assert, assertEquals } from "@std/assert";
import { Pace } from "../../lib/edge/pace.ts";
import { Turn } from "../../lib/turn.ts";

const LONG = 5;

/** Writes so much, which takes so long; resolves to when it was done. */
function work(pace: Pace, written: number, milliseconds = 0): Promise<number> {
  return new Promise((resolve) =>
    pace.schedule(() => {
      const begun = performance.now();
      while (performance.now() < begun + milliseconds);
      resolve(performance.now());
      return written;
    })
  );
}

Deno.test("Pace.schedule() rests behind much as long as that took", async () => {
  const pace = new Pace(new Turn());
  const first = await work(pace, 1000, LONG);
  const second = await work(pace, 1000);
  // A timer may be a millisecond early.
  assert(second - first >= LONG - 1, `${second - first} ms`);
});

Deno.test("Pace.schedule() rests 20 ms at most", async () => {
  const pace = new Pace(new Turn());
  await work(pace, 1000, 10 * LONG);
  const timer = new Promise<string>((resolve) => setTimeout(resolve, 10 * LONG - 1, "timer"));
  assertEquals(await Promise.race([work(pace, 1000).then(() => "work"), timer]), "work");
  await timer;
});

Deno.test("Pace.schedule() does not rest behind little", async () => {
  const pace = new Pace(new Turn());
  await work(pace, 10, LONG);
  const timer = new Promise<string>((resolve) => setTimeout(resolve, LONG - 1, "timer"));
  assertEquals(await Promise.race([work(pace, 10).then(() => "work"), timer]), "work");
  await timer;
});

Deno.test("Pace.run() does not wait, and what was scheduled waits for it", async () => {
  const pace = new Pace(new Turn());
  await work(pace, 1000, LONG);
  const order: string[] = [];
  const scheduled = work(pace, 1).then(() => void order.push("scheduled"));
  pace.run(() => {
    order.push("rest");
    return 1000;
  });
  await scheduled;
  assertEquals(order, ["rest", "scheduled"]);
});
