import { assert, assertEquals } from "@std/assert";
import { setImmediate } from "node:timers";
import { Intake, type IntakeOptions } from "../../lib/hub/intake.ts";
import { GongError } from "../../lib/errors.ts";
import type { Broker, Draft, PublishResult } from "../../lib/types.ts";

interface Call {
  readonly data: string[];
  readonly atomic: boolean;
}

/** A broker that numbers, and notes its calls; `gate` holds every call back until it resolves. */
function openIntake(options: Partial<IntakeOptions> = {}, gate: () => Promise<void> = () => Promise.resolve()) {
  const calls: Call[] = [];
  let running = 0;
  let offset = 0;
  const broker = {
    async publish(drafts: readonly Draft[], { atomic = false } = {}): Promise<PublishResult[]> {
      assertEquals(++running, 1, "calls follow each other");
      calls.push({ data: drafts.map(({ data }) => String(data)), atomic });
      try {
        await gate();
        return drafts.map(({ data }) =>
          data === "refused" ? { error: new GongError("conflict").toRefusal() } : { epoch: "e", offset: ++offset }
        );
      } finally {
        running--;
      }
    },
  } as unknown as Broker;
  const intake = new Intake(broker, { bytes: 1 << 20, wait: 60, open: () => true, ...options });
  return { intake, calls, [Symbol.dispose]: () => intake.close() };
}

function drafts(...data: string[]): Draft[] {
  return data.map((text) => ({ channel: "a", data: text, contentType: "text/plain" }));
}

function outcome(results: PublishResult[]): (number | string)[] {
  return results.map((result) => "error" in result ? result.error.code : result.offset);
}

/** The end of the turn after this one. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}

Deno.test("Intake.publish() gives what one turn brings to the broker in one call, and each its own results", async () => {
  using stage = openIntake();
  const { intake, calls } = stage;
  const results = await Promise.all([
    intake.publish(drafts("1")),
    intake.publish(drafts("2", "refused", "3")),
    intake.publish([]),
    intake.publish(drafts("4")),
  ]);
  assertEquals(calls, [{ data: ["1", "2", "refused", "3", "4"], atomic: false }]);
  assertEquals(results.map(outcome), [[1], [2, "conflict", 3], [], [4]]);
});

Deno.test("Intake.publish() gives an atomic call to the broker alone, in its place", async () => {
  using stage = openIntake();
  const { intake, calls } = stage;
  const results = await Promise.all([
    intake.publish(drafts("1")),
    intake.publish(drafts("2")),
    intake.publish(drafts("3", "4"), { atomic: true }),
    intake.publish(drafts("5"), { atomic: true }),
    intake.publish(drafts("6")),
  ]);
  assertEquals(calls, [
    { data: ["1", "2"], atomic: false },
    { data: ["3", "4"], atomic: true },
    { data: ["5"], atomic: true },
    { data: ["6"], atomic: false },
  ]);
  assertEquals(results.flatMap(outcome), [1, 2, 3, 4, 5, 6]);
});

Deno.test("Intake.publish() keeps the order while the broker is busy", async () => {
  const gates: (() => void)[] = [];
  using stage = openIntake({}, () => new Promise((resolve) => gates.push(resolve)));
  const { intake, calls } = stage;
  const first = intake.publish(drafts("1"));
  await turn();
  const second = intake.publish(drafts("2"));
  await turn();
  const third = intake.publish(drafts("3"));
  await turn();
  assertEquals(calls.map(({ data }) => data), [["1"]]);
  gates.shift()!();
  assertEquals(outcome(await first), [1]);
  await turn();
  gates.shift()!();
  assertEquals([outcome(await second), outcome(await third)], [[2], [3]]);
  assertEquals(calls.map(({ data }) => data), [["1"], ["2", "3"]]);
});

Deno.test("Intake.publish() waits while it is closed, and goes on at resume() in the old order", async () => {
  let open = false;
  using stage = openIntake({ open: () => open });
  const { intake, calls } = stage;
  const results = [intake.publish(drafts("1")), intake.publish(drafts("2"), { atomic: true })];
  await turn();
  intake.resume();
  await turn();
  assertEquals(calls, []);
  open = true;
  results.push(intake.publish(drafts("3")));
  assertEquals((await Promise.all(results)).map(outcome), [[1], [2], [3]]);
});

Deno.test("Intake.publish() stops between two calls when it closes in the middle", async () => {
  let open = true;
  using stage = openIntake({ open: () => open, wait: 0.02 }, () => {
    open = false;
    return Promise.resolve();
  });
  const results = await Promise.all([
    stage.intake.publish(drafts("1")),
    stage.intake.publish(drafts("2"), { atomic: true }),
    stage.intake.publish(drafts("3")),
  ]);
  assertEquals(results.map(outcome), [[1], ["overloaded"], ["overloaded"]]);
});

Deno.test("Intake.publish() refuses what has waited too long with `overloaded`, and when to come back", async () => {
  using stage = openIntake({ open: () => false, wait: 0.05 });
  const start = performance.now();
  const [result] = await stage.intake.publish(drafts("1"));
  assert("error" in result!);
  assertEquals([result.error.code, result.error.retryAfter], ["overloaded", 1]);
  assert(performance.now() - start >= 49);
});

Deno.test("Intake.publish() refuses the oldest first, and takes the rest when it opens", async () => {
  let now = 0;
  let open = false;
  using stage = openIntake({ open: () => open, wait: 60, now: () => now });
  const { intake, calls } = stage;
  const old = intake.publish(drafts("old"));
  now = 30_000;
  const young = intake.publish(drafts("young"));
  await turn();
  now = 60_000;
  intake.resume();
  assertEquals(outcome(await old), ["overloaded"]);
  now = 89_999;
  open = true;
  intake.resume();
  assertEquals(outcome(await young), [1]);
  assertEquals(calls.map(({ data }) => data), [["young"]]);
});

Deno.test("Intake.publish() refuses at once what passes the bound in bytes, but never the only one", async () => {
  let open = false;
  using stage = openIntake({ open: () => open, bytes: 2000 });
  const { intake } = stage;
  const alone = intake.publish(drafts("x".repeat(100_000)));
  assertEquals(outcome(await intake.publish(drafts("2", "3"))), ["overloaded", "overloaded"]);
  open = true;
  intake.resume();
  assertEquals(outcome(await alone), [1]);
  // What was taken counts no more.
  const many = await Promise.all(Array.from({ length: 5 }, () => intake.publish(drafts("x".repeat(100)))));
  assertEquals(many.flatMap(outcome), [2, 3, 4, 5, 6]);
  const more = await Promise.all(Array.from({ length: 9 }, () => intake.publish(drafts("x".repeat(100)))));
  assertEquals(more.flatMap(outcome).filter((result) => result === "overloaded").length, 4);
});

Deno.test("Intake.publish() refuses every draft of a call that the broker throws at, and goes on", async () => {
  let fails = 1;
  using stage = openIntake({}, () => fails-- > 0 ? Promise.reject(new Error("secret")) : Promise.resolve());
  const failed = await stage.intake.publish(drafts("1", "2"));
  assertEquals(outcome(failed), ["internal", "internal"]);
  assert(!JSON.stringify(failed).includes("secret"));
  assertEquals(outcome(await stage.intake.publish(drafts("3"))), [1]);
});
