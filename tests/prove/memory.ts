import { setTimeout as delay } from "node:timers/promises";
import type { Gong } from "../support/gong.ts";
import { figuresOfProcess } from "../support/load.ts";
import { figure, statsOf } from "./soak.ts";

/** The environment of a server whose memory is read by {@linkcode collectedMemory}. */
export const COLLECTS = { DENO_USR2_MEMORY_TRIM: "1" } as const;
/** It counts as settled when it was the same so many times, each so many milliseconds after the other. */
const SETTLED = { times: 3, pause: 300 };

/** Bytes of a server: of the whole process, and those that the scripts of its isolates use. */
export interface Memory {
  readonly resident: number;
  readonly heap: number;
}

/**
 * The memory of a server after all its isolates have collected garbage. Nothing tells when they have, but that no more
 * comes free.
 *
 * @param ping seconds: for twice as long Deno keeps some 3 KB of a WebSocket whose peer has gone without a close
 */
export async function collectedMemory({ pid, url, signal }: Gong, ping: number): Promise<Memory> {
  const read = figuresOfProcess(pid);
  await delay(2 * ping * 1000);
  signal("SIGUSR2");
  let { rss } = await read();
  for (let same = 0; same < SETTLED.times;) {
    await delay(SETTLED.pause);
    const before = rss;
    ({ rss } = await read());
    same = Math.abs(rss - before) < before / 100 ? same + 1 : 0;
  }
  return { resident: rss, heap: figure(await statsOf(url), "gong_heap_bytes") };
}
