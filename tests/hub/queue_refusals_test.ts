import { assertEquals } from "@std/assert";
import { QueueRefusals } from "../../lib/hub/queue_refusals.ts";
import { Metrics } from "../../lib/metrics.ts";
import { NotedLog } from "../support/stage.ts";

const FULL = { code: "overloaded", message: "It is full.", retryAfter: 5 };

function stage() {
  const clock = { now: 0 };
  const log = new NotedLog();
  const metrics = new Metrics({ isolate: "hub" });
  const refusals = new QueueRefusals({ log, metrics, consumersOf: () => 0, now: () => clock.now });
  return {
    clock,
    refusals,
    told: () => log.events.splice(0).map(({ event, fields }) => [event, fields.queue, fields.reason]),
    count: () => metrics.counter("gong_queue_refused_total").value,
  };
}

Deno.test("QueueRefusals tell once a minute of each queue that is full, and count every message", () => {
  const { refusals, clock, told, count } = stage();
  for (const queue of ["a", "a", "b", "a"]) refusals.add(queue, FULL);
  assertEquals(told(), [["queue.refused", "a", "It is full."], ["queue.refused", "b", "It is full."]]);
  clock.now = 59_999;
  refusals.add("a", FULL);
  assertEquals(told(), []);
  clock.now = 60_000;
  for (let n = 0; n < 2; n++) refusals.add("a", FULL);
  assertEquals(told(), [["queue.refused", "a", "It is full."]]);
  assertEquals(count(), 7);
});

Deno.test("QueueRefusals do not let names of queues fill the log, and leave out what is the publisher's doing", () => {
  const { refusals, told, count } = stage();
  refusals.add("a", { code: "bad_request", message: "This broker has no queues." });
  assertEquals(told(), []);
  for (let n = 0; n < 1000; n++) refusals.add(`q${n}`, FULL);
  assertEquals(told().length, 100);
  assertEquals(count(), 1001);
});
