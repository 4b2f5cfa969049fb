/**
 * Queues beside a model of them, whatever comes.
 *
 * @module
 */
import { assert } from "@std/assert";
import { MODEL_BOUNDS, QueueModel } from "../../support/queue_model.ts";
import { seeded } from "../../support/random.ts";
import type { BrokerFeatures, Test } from "./support.ts";

const SEEDS = 200;
const STEPS = 60;

/** Registers the tests of a broker's queues beside the model. */
export function testQueueModel(test: Test, features: BrokerFeatures): void {
  if (!features.clock || !features.atomic) return;
  test(`queues do what their model does (${SEEDS} seeds)`, async (open) => {
    const met: Record<string, number> = {};
    for (let seed = 1; seed <= SEEDS; seed++) {
      const random = seeded(seed);
      const clock = { now: 1_700_000_000_000 };
      const bounds = { ...MODEL_BOUNDS, now: () => clock.now };
      let opened = await open(bounds);
      const model = new QueueModel(opened.broker, clock, random);
      for (let step = 0; step < STEPS; step++) {
        const where = `seed ${seed}, step ${step}`;
        await model.step(where);
        if (!features.reopen || random.int(STEPS) !== 0) continue;
        opened = await opened.reopen(random.pick(["closed", "killed"]), bounds);
        model.reopened(opened.broker, where);
      }
      await model.drain(`seed ${seed}`);
      await opened.broker.close();
      for (const [what, times] of Object.entries(model.met)) met[what] = (met[what] ?? 0) + times;
    }
    const all = [
      ...["taken", "claimed", "redelivered", "expired"],
      ...["The queue is full.", "There are too many queues.", "There is no room for more in queues."],
    ];
    for (const what of all) assert(met[what]! > 100, JSON.stringify([what, met]));
  });
}
