import { assert, assertEquals } from "@std/assert";
import { setImmediate } from "node:timers";
import { Turn } from "../lib/turn.ts";

/** Notes which pass of the event loop it is. */
function countPasses(): { readonly pass: number; stop(): void } {
  const counter = { pass: 0, stop: () => isDone = true };
  let isDone = false;
  (function next() {
    counter.pass++;
    if (!isDone) setImmediate(next);
  })();
  return counter;
}

Deno.test("Turn.end() calls back once, in the order of the calls, after what the turn still does", async () => {
  const turn = new Turn();
  const calls: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  turn.end(() => calls.push("1"));
  turn.end(() => calls.push("2"));
  queueMicrotask(() => {
    calls.push("microtask");
    turn.end(() => calls.push("3"));
    turn.end(resolve);
  });
  calls.push("now");
  await promise;
  await new Promise((resolve) => setImmediate(resolve));
  assertEquals(calls, ["now", "microtask", "1", "2", "3"]);
});

Deno.test("Turn.end() does in the same pass what its callbacks, and promises settled by them, call for", async () => {
  const turn = new Turn();
  const passes = countPasses();
  const at: number[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  turn.end(async () => {
    at.push(passes.pass);
    for (let n = 0; n < 5; n++) await undefined;
    turn.end(() => {
      at.push(passes.pass);
      turn.end(() => {
        at.push(passes.pass);
        resolve();
      });
    });
  });
  await promise;
  passes.stop();
  assertEquals(new Set(at).size, 1, `${at}`);
});

Deno.test("Turn.leave() calls back after everything else of the turn, and all together", async () => {
  const turn = new Turn();
  const calls: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  turn.leave(() => calls.push("letter 1"));
  turn.end(async () => {
    calls.push("work 1");
    turn.leave(() => calls.push("letter 2"));
    for (let n = 0; n < 5; n++) await undefined;
    turn.end(() => calls.push("work 2"));
    turn.leave(() => {
      calls.push("letter 3");
      turn.end(() => {
        calls.push("next turn");
        resolve();
      });
    });
  });
  await promise;
  assertEquals(calls, ["work 1", "work 2", "letter 1", "letter 2", "letter 3", "next turn"]);
});

Deno.test("Turn.end() lets the event loop turn, however often callbacks call for more", async () => {
  const turn = new Turn();
  const passes = countPasses();
  let calls = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  function again() {
    if (++calls === 1000) resolve();
    else turn.end(again);
  }
  turn.end(again);
  await promise;
  passes.stop();
  assert(passes.pass > 5, `${passes.pass} passes for ${calls} calls`);
});

Deno.test("Turn.end() is there for the next turn too", async () => {
  const turn = new Turn();
  for (let n = 0; n < 50; n++) {
    await new Promise<void>((resolve) => turn.end(resolve));
    if (n % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
    if (n % 5 === 0) await undefined;
  }
});
