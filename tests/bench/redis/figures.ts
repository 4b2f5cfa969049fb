/**
 * What Redis says of itself: its memory, what its one thread has done, and what it has sent.
 *
 * @module
 */
import type { Redis } from "../../support/redis.ts";

/** What Redis has and what it has used so far. */
export interface RedisFigures {
  /** Bytes of all that it holds, its own included. */
  readonly memory: number;
  /** Of the thread that does everything, user and system. */
  readonly microseconds: number;
  /** Bytes. */
  readonly sent: number;
  /** Calls of functions, and how long they took. */
  readonly calls: number;
  readonly callMicroseconds: number;
}

/** Reads them. */
export async function figuresOf(redis: Pick<Redis, "command">): Promise<RedisFigures> {
  const info = String(await redis.command("INFO", "everything"));
  const number = (name: string) => Number(new RegExp(`^${name}:([\\d.]+)`, "m").exec(info)?.[1] ?? 0);
  const [, calls = 0, microseconds = 0] = /^cmdstat_fcall:calls=(\d+),usec=(\d+)/m.exec(info) ?? [];
  return {
    memory: number("used_memory"),
    microseconds: (number("used_cpu_user_main_thread") + number("used_cpu_sys_main_thread")) * 1e6,
    sent: number("total_net_output_bytes"),
    calls: Number(calls),
    callMicroseconds: Number(microseconds),
  };
}

/** What `use` has taken of it. */
export async function spending(redis: Pick<Redis, "command">, use: () => Promise<unknown>): Promise<RedisFigures> {
  const before = await figuresOf(redis);
  await use();
  const after = await figuresOf(redis);
  return {
    memory: after.memory - before.memory,
    microseconds: after.microseconds - before.microseconds,
    sent: after.sent - before.sent,
    calls: after.calls - before.calls,
    callMicroseconds: after.callMicroseconds - before.callMicroseconds,
  };
}
