/**
 * What a load costs the server: its CPU and memory, from outside.
 *
 * @module
 */

/** What the server has used so far. */
export interface Figures {
  /** Of all its threads, user and system. */
  readonly cpuSeconds: number;
  /** Resident memory in bytes. */
  readonly rss: number;
}

/** Reads the figures of one server. */
export type ReadFigures = () => Promise<Figures>;

/** Ticks a second of the times in `/proc`: USER_HZ, 100 on every architecture that Deno runs on. */
const TICKS = 100;

/**
 * Reads the figures of a process of this machine from `/proc`.
 *
 * @throws {Deno.errors.NotFound} when there is no such process, or no `/proc`
 * @throws {Deno.errors.NotCapable} without `--allow-all`, which Deno asks for to look at another process
 */
export function figuresOfProcess(pid: number): ReadFigures {
  return async () => {
    const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
    const status = await Deno.readTextFile(`/proc/${pid}/status`);
    // The name of the program may hold spaces: count from behind its parenthesis. See proc(5): utime is field 14.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ticks = Number(fields[11]) + Number(fields[12]);
    const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
    return { cpuSeconds: ticks / TICKS, rss: Number(kibibytes) * 1024 };
  };
}

/**
 * Reads the figures of a Gong from its `GET /api/stats`.
 *
 * @throws {Error} when it does not answer with them, e.g. for want of a key of scope `stats`
 */
export function figuresOfStats(url: URL, apiKey: string): ReadFigures {
  return async () => {
    const response = await fetch(url, apiKey === "" ? {} : { headers: { "X-API-Key": apiKey } });
    if (!response.ok) {
      await response.body?.cancel();
      throw new Error(`${url} answered ${response.status} ${response.statusText}`);
    }
    const { cpuSeconds, residentBytes } = await response.json() as Record<string, unknown>;
    if (typeof cpuSeconds !== "number" || typeof residentBytes !== "number") {
      throw new Error(`${url} has no cpuSeconds and residentBytes`);
    }
    return { cpuSeconds, rss: residentBytes };
  };
}
