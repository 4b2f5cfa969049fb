import { assert, assertEquals } from "@std/assert";
import { createMemoryBroker } from "../../lib/brokers/memory.ts";
import { queueChannel } from "../../lib/reserved.ts";
import type { Broker, Draft } from "../../lib/types.ts";
import { costOf } from "../support/cost.ts";
import { SqliteFolder } from "../support/sqlite.ts";

const MANY = 100_000;
/** Milliseconds. What looks at all the others, or at half of them, takes more than that. */
const MOST = 0.2;

async function measure(what: string, times: number, run: (n: number) => Promise<unknown>): Promise<void> {
  const each = await costOf(times, run);
  assert(each < MOST, `${what}: ${each} ms each`);
}

async function testCost(broker: Broker): Promise<void> {
  const draft: Draft = { channel: queueChannel("q"), data: "x", contentType: "text/plain" };
  const settle = (as: "done" | "requeued", ...offsets: number[]) => broker.settle([{ queue: "q", offsets, as }]);
  const thousand = Array.from({ length: 1000 }, () => draft);
  for (let n = 0; n < MANY; n += 1000) await broker.publish(thousand);
  await measure("to claim", MANY / 10, () => broker.claim("q", { count: 10 }));
  await measure("to requeue from the back", MANY, (n) => settle("requeued", MANY - n));
  const all = (await broker.claim("q", {})).map(({ offset }) => offset);
  assertEquals(all, Array.from({ length: MANY }, (_, index) => index + 1));
  // Some from the back, and some from the front.
  await measure("to be done with one", 1000, (n) => settle("done", n % 2 === 0 ? n + 1 : MANY - n));
  const size = MANY / 100;
  const thousandth = (n: number) => all.slice(n * size, (n + 1) * size);
  await measure("to be done with a thousand", 100 * size, (n) => {
    return n % size === 0 ? settle("done", ...thousandth(n / size)) : Promise.resolve();
  });
  assertEquals(broker.stats().queues.messages, 0);
}

const options = { queueCount: MANY, queueBytes: 1 << 30, queueBudget: 1 << 30 };

Deno.test("a queue of the memory broker costs the same however much is in it", async () => {
  await testCost(createMemoryBroker(() => {}, options));
});

Deno.test("a queue of the sqlite broker costs the same however much is in it", async () => {
  await using folder = new SqliteFolder();
  await testCost(folder.open(folder.newFile(), () => {}, options));
});
