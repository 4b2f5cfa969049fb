/**
 * What the tests of queues are made of.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { queueChannel } from "../../../lib/reserved.ts";
import type { Broker, Draft, Settlement } from "../../../lib/types.ts";
import { position, range, text } from "./support.ts";

/** A draft for the queue. */
export function to(queue: string, data: string): Draft {
  return text(queueChannel(queue), data);
}

export async function put(broker: Broker, queue: string, first: number, last: number): Promise<void> {
  const results = await broker.publish(range(first, last).map((n) => to(queue, `${n}`)));
  assertEquals(results.map((result) => position(result).offset), range(first, last));
}

/** Offsets of what is claimed. */
export async function claim(broker: Broker, queue: string, count?: number): Promise<number[]> {
  return (await broker.claim(queue, count === undefined ? {} : { count })).map(({ offset }) => offset);
}

export async function settle(broker: Broker, queue: string, offsets: number[], as: Settlement): Promise<void> {
  await broker.settle([{ queue, offsets, as }]);
}

export function counts(broker: Broker): { queues: number; messages: number; claimed: number } {
  const { bytes: _, ...counts } = broker.stats().queues;
  return counts;
}

export async function codes(broker: Broker, drafts: readonly Draft[]): Promise<(string | number)[]> {
  return (await broker.publish(drafts)).map((result) => "error" in result ? result.error.code : result.offset);
}
