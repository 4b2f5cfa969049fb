/**
 * Runs one load against a server and says what came of it.
 *
 * @module
 */

import process from "node:process";
import { Crew } from "./crew.ts";
import type { Figures, ReadFigures } from "./figures.ts";
import { createRunName, MARK_BYTES, MAX_PUBLISHERS } from "./mark.ts";
import { defaultWorkers, LOAD_DEFAULTS, type LoadOptions } from "./options.ts";
import { delay } from "./part.ts";
import { createReport, type Report } from "./report.ts";

/** Milliseconds between two looks at the isolates' reports. */
const EVERY = 50;
/** Milliseconds between the first two probes, twice as many before each further one; and for all of them. */
const PROBE_EVERY = 250;
const PROBE_LIMIT = 15_000;
/** Milliseconds that the server's memory is given to come to rest after the last connection. */
const REST = 1_000;

/** What a load is doing: for a progress bar. */
export interface LoadProgress {
  readonly phase: "connecting" | "holding" | "probing" | "publishing";
  readonly connected: number;
  readonly published: number;
  readonly delivered: number;
  /** Between 0 and 1. */
  readonly share: number;
}

/** What may go with a load. */
export interface LoadHooks {
  /** The server's CPU and memory. */
  readonly figures?: ReadFigures;
  /** Called some twenty times a second. */
  readonly onProgress?: (progress: LoadProgress) => void;
  /** Called once when everybody is connected and the first message is about to be sent. */
  readonly onStart?: () => void;
  /** The entry of its isolates, for wires other than the WebSocket's. */
  readonly worker?: URL;
}

/**
 * Connects the subscribers, then the publishers; sends probes until every subscriber has heard one, so that what is
 * published after that is owed to all; publishes; waits until everything has arrived, or nothing more does.
 *
 * @throws {RangeError} for a size or number that cannot be
 */
export async function runLoad(
  options: Partial<LoadOptions> & Pick<LoadOptions, "url">,
  hooks: LoadHooks = {},
): Promise<Report> {
  const load: LoadOptions = {
    ...LOAD_DEFAULTS,
    workers: defaultWorkers(options.subscribers ?? LOAD_DEFAULTS.subscribers),
    ...options,
  };
  if (load.size < MARK_BYTES) throw new RangeError(`a message has at least ${MARK_BYTES} bytes`);
  if (load.publishers > MAX_PUBLISHERS) throw new RangeError(`there are at most ${MAX_PUBLISHERS} publishers`);
  const crew = Crew.start(load, createRunName(), hooks.worker);
  try {
    return await lead(crew, load, hooks);
  } finally {
    await crew.stop();
  }
}

async function lead(crew: Crew, load: LoadOptions, { figures, onProgress, onStart }: LoadHooks): Promise<Report> {
  const started = performance.now();
  function tell(phase: LoadProgress["phase"]): void {
    const progress = { connected: crew.sum("connected"), published: crew.published, delivered: crew.sum("delivered") };
    onProgress?.({ phase, ...progress, share: shareOf(phase, progress, load, performance.now() - started) });
  }
  async function watch<T>(phase: LoadProgress["phase"], work: Promise<T>): Promise<T> {
    const timer = setInterval(tell, EVERY, phase);
    try {
      return await work;
    } finally {
      clearInterval(timer);
      tell(phase);
    }
  }

  const before = await figures?.();
  await watch("connecting", crew.askSubscribers("connect"));
  const connected = crew.sum("connected");
  await watch("holding", delay(load.publishers === 0 ? load.duration * 1000 : figures === undefined ? 0 : REST));
  const held = await figures?.();

  let deaf = 0;
  let begun: Figures | undefined;
  let generator = process.cpuUsage();
  if (crew.publishers !== undefined) {
    await crew.publishers.ask("connect");
    deaf = await watch("probing", probe(crew));
    onStart?.();
    begun = await figures?.();
    generator = process.cpuUsage();
    await watch("publishing", publish(crew, load));
  }
  const ended = await figures?.();
  const spent = process.cpuUsage(generator);

  const subscribers = await crew.askSubscribers("finish");
  const publishers = await crew.publishers?.ask("finish");
  return createReport(load, {
    subscribers,
    publishers,
    connected,
    deaf,
    generatorSeconds: (spent.user + spent.system) / 1e6,
    ...(before && held && { memory: { before: before.rss, held: held.rss } }),
    ...(begun && ended && { cpuSeconds: ended.cpuSeconds - begun.cpuSeconds }),
  });
}

/** How many subscribers have not heard anything although they were given the time. */
async function probe(crew: Crew): Promise<number> {
  const limit = performance.now() + PROBE_LIMIT;
  let next = 0;
  let wait = PROBE_EVERY;
  for (;;) {
    const deaf = crew.sum("connected") - crew.sum("ended") - crew.sum("heard");
    if (deaf <= 0) return 0;
    if (performance.now() >= limit) return deaf;
    if (performance.now() >= next) {
      next = performance.now() + wait;
      await Promise.race([crew.publishers!.ask("probe"), delay(wait)]);
      // To many subscribers a probe is work for a while: what comes faster only makes it longer.
      wait *= 2;
    }
    await delay(EVERY / 5);
  }
}

/** Returns when everything sent has arrived everywhere, or nothing has moved for `settle` seconds. */
async function publish(crew: Crew, { settle, rate }: LoadOptions): Promise<void> {
  // A low rate has pauses of its own.
  const patience = (settle + (rate > 0 ? 1 / rate : 0)) * 1000;
  let sent = false;
  const sending = crew.publishers!.ask("publish").then(() => sent = true);
  let moved = performance.now();
  let last = 0;
  for (;;) {
    await Promise.race([delay(EVERY), ...(sent ? [] : [sending])]);
    const delivered = crew.sum("delivered");
    const moving = delivered + crew.sum("duplicated") + crew.published;
    if (moving !== last) {
      last = moving;
      moved = performance.now();
    }
    const owed = crew.published * (crew.sum("connected") - crew.sum("ended"));
    if (sent && delivered - crew.sum("receivedByEnded") >= owed) return;
    if (performance.now() - moved > patience) return;
  }
}

function shareOf(
  phase: LoadProgress["phase"],
  { connected, published, delivered }: { connected: number; published: number; delivered: number },
  { subscribers, publishers, count, rate, duration }: LoadOptions,
  elapsed: number,
): number {
  if (phase === "connecting") return connected / Math.max(1, subscribers);
  if (phase === "holding" && publishers === 0) return Math.min(1, elapsed / 1000 / Math.max(1, duration));
  if (phase !== "publishing") return 1;
  const messages = count > 0 ? count : rate > 0 ? Math.floor(rate * duration) : published;
  return delivered / Math.max(1, messages * connected);
}
