/**
 * Waiting for what nobody announces.
 *
 * @module
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Gong } from "./gong.ts";

/** Looks until it is so, at most `within` milliseconds; `describe` says what there was instead. */
export async function until(
  isSo: () => boolean | Promise<boolean>,
  describe: () => string | Promise<string> = () => "it never came true",
  within = 15_000,
): Promise<void> {
  const end = performance.now() + within;
  while (!await isSo()) {
    if (performance.now() > end) throw new Error(await describe());
    await delay(20);
  }
}

/** Sessions of a door, or of all, as the figures have them. */
export async function sessionsOf(gong: Pick<Gong, "url">, door?: string): Promise<number> {
  const response = await fetch(`${gong.url}/api/stats`);
  const { gong_sessions: sessions = {} } = await response.json();
  const counts = typeof sessions === "number" ? { all: sessions } : sessions as Record<string, number>;
  if (door !== undefined) return counts[door] ?? 0;
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** Waits until so many sessions are there. */
export async function untilSessions(gong: Pick<Gong, "url">, count: number, door?: string): Promise<void> {
  let last = -1;
  await until(
    async () => (last = await sessionsOf(gong, door)) === count,
    () => `${last} sessions of ${door ?? "any door"}, not ${count}`,
  );
}
