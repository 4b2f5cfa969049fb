/**
 * The bounds of one channel's history: which of what it keeps is within them. Nothing is changed here.
 *
 * @module
 */
import type { Channel, Store } from "./store.ts";

/** Whether so many publications of so many bytes are more than the channel keeps. */
export function isTooMuch({ limits }: Channel, count: number, bytes: number): boolean {
  return count > 0 && (count > limits.count || bytes > limits.bytes);
}

/** The oldest with which the channel keeps no more than it may. */
export function firstWithin(store: Store, channel: Channel): number {
  let { first, bytes } = channel;
  for (; isTooMuch(channel, channel.offset - first + 1, bytes); first++) bytes -= store.weigh(channel, first).bytes;
  return first;
}

/** The oldest that is not too old. */
export function firstFresh(store: Store, channel: Channel, now: number): number {
  const oldest = now - channel.limits.age * 1000;
  let { first } = channel;
  while (first <= channel.offset && store.weigh(channel, first).time < oldest) first++;
  return first;
}

/** What those before `first` take. */
export function bytesBetween(store: Store, channel: Channel, first: number): number {
  let bytes = 0;
  for (let at = channel.first; at < first; at++) bytes += store.weigh(channel, at).bytes;
  return bytes;
}

/** By how much the channel grows when publications of these sizes are added and what is then too much goes. */
export function growth(store: Store, channel: Channel, sizes: readonly number[]): number {
  const { first, offset } = channel;
  let bytes = sizes.reduce((sum, size) => sum + size, channel.bytes);
  let count = offset - first + 1 + sizes.length;
  for (let at = first; isTooMuch(channel, count, bytes); at++, count--) {
    bytes -= at <= offset ? store.weigh(channel, at).bytes : sizes[at - offset - 1]!;
  }
  return bytes - channel.bytes;
}
