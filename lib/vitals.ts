/**
 * How an isolate and the process are: for metrics, and for the memory watermark.
 *
 * @module
 */
import { closeSync, openSync } from "node:fs";
import process from "node:process";
import type { Metrics } from "./metrics.ts";

/** How often the event loop is looked at, in milliseconds. */
const TICK = 500;

/** Keeps the event-loop lag of this isolate up to date. Returns how to stop. */
export function watchIsolate(metrics: Metrics): () => void {
  let due = performance.now() + TICK;
  const timer = setInterval(() => {
    const now = performance.now();
    metrics.gauge("gong_event_loop_lag_seconds", {}, Math.max(0, now - due) / 1000);
    due = now + TICK;
  }, TICK);
  return () => clearInterval(timer);
}

/** Brings the other figures of this isolate up to date. */
export function measureIsolate(metrics: Metrics): void {
  metrics.gauge("gong_heap_bytes", {}, Deno.memoryUsage().heapUsed);
}

/** Resident bytes of the whole process. */
export function residentBytes(): number {
  return Deno.memoryUsage().rss;
}

/** Brings the figures of the process up to date, with those of its main isolate. */
export function measureProcess(metrics: Metrics): void {
  measureIsolate(metrics);
  const { user, system } = process.cpuUsage();
  metrics.counter("process_cpu_seconds_total").value = (user + system) / 1e6;
  metrics.gauge("process_resident_memory_bytes", {}, residentBytes());
  metrics.gauge("process_start_time_seconds", {}, performance.timeOrigin / 1000);
  const open = openDescriptors();
  if (open !== undefined) metrics.gauge("gong_open_descriptors", {}, open);
}

/**
 * Open file descriptors: counted where Deno allows it (before 2.9), else the lowest free one, which is as many unless some
 * in between were closed. Undefined where neither works.
 */
function openDescriptors(): number | undefined {
  try {
    return [...Deno.readDirSync("/proc/self/fd")].length;
  } catch {
    return lowestFreeDescriptor();
  }
}

function lowestFreeDescriptor(): number | undefined {
  try {
    const descriptor = openSync("/dev/null", "r");
    closeSync(descriptor);
    return descriptor;
  } catch {
    return undefined;
  }
}
