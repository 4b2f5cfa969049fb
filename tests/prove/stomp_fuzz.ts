import { setTimeout as delay } from "node:timers/promises";
import { assert, assertEquals, assertNotMatch } from "@std/assert";
import { connect } from "../support/client.ts";
import { type Gong, startGong } from "../support/gong.ts";
import { seeded } from "../support/random.ts";
import { connectStomp, textOf } from "../support/stomp.ts";
import { untilSessions } from "../support/until.ts";
import { collectedMemory, COLLECTS } from "./memory.ts";
import { figure, statsOf, toMebibytes } from "./soak.ts";
import { assault } from "./stomp/assault.ts";

/** How many frames. */
export interface StompFuzzOptions {
  /** Mutated frames that the server has to have read. Default 100,000. */
  readonly frames?: number;
  /** Default 1. */
  readonly seed?: number;
}

/** What may be kept of topics and queues, and is while it goes on, is little and there from the beginning. */
const FLAGS = [
  ...["--isolates", "2", "--log-level", "warning"],
  ...["--history-count", "10", "--history-budget", "1MiB", "--max-channels", "200", "--max-queues", "100"],
  ...["--queue-count", "100", "--queue-bytes", "64KiB", "--queue-budget", "4MiB"],
  ...["--request-rate", "1000000", "--api-rate", "1000000"],
];
/** Connections at once. */
const PARALLEL = 48;
/** The first so many of a hundred frames are to fill caches and what is kept. */
const WARM_UP = 20;
/** Bytes that one frame may leave behind: a leak of anything has more. */
const A_FRAME = 50;
/** Two readings of the same server differ by so much: of what scripts use, and of all that the process has. */
const NOISE = { heap: 2 ** 20, resident: 16 * 2 ** 20 };
/** Seconds between the server's pings. */
const PING = 2;
/** Milliseconds for all but one in a hundred answers, and for each, on a machine that may stand still meanwhile. */
const PROMPT = { most: 2000, all: 10_000 };
/** What has to be nothing when everybody is gone. */
const GAUGES = ["gong_sessions", "gong_consumers", "gong_queue_claimed", "gong_hosted_channels", "gong_outbox_bytes"];

/**
 * Mutated STOMP frames over many connections: who is closed was told why, others are served meanwhile and afterwards, and
 * nothing of it is left.
 */
export async function proveStompFuzz({ frames = 100_000, seed = 1 }: StompFuzzOptions = {}): Promise<string> {
  await using gong = await startGong([...FLAGS, "--ping", String(PING)], { env: COLLECTS });
  const random = seeded(seed);
  let [read, refused, connections] = [0, 0, 0];
  let failure: unknown;

  async function until(target: number): Promise<void> {
    while (read < target && failure === undefined) {
      const ending = await assault(gong.port, seeded(random.int(2 ** 31)), ++connections);
      read += ending.read;
      if (ending.isRefused) refused++;
    }
  }
  async function throwUntil(target: number): Promise<void> {
    const throwers = Array.from({ length: PARALLEL }, () => until(target).catch((error) => failure ??= error));
    await Promise.all(throwers);
    if (failure !== undefined) throw failure;
  }

  const others = new Others(gong);
  await throwUntil(frames * WARM_UP / 100);
  const before = await collectedMemory(gong, PING);
  await throwUntil(frames);
  await others.end();
  const after = await collectedMemory(gong, PING);
  const slowest = await others.once();
  await untilSessions(gong, 0);
  const stats = await statsOf(gong.url);
  for (const gauge of GAUGES) assertEquals(figure(stats, gauge), 0, gauge);
  assertEquals(figure(stats, "gong_edge_restarts_total"), 0);
  for (const kind of ["heap", "resident"] as const) {
    const more = after[kind] - before[kind];
    const bound = NOISE[kind] + A_FRAME * frames * (100 - WARM_UP) / 100;
    assert(more < bound, `${kind}: ${toMebibytes(more)} more memory (bound ${toMebibytes(bound)})`);
  }
  assertEquals(await gong.stop(), 0);
  assertNotMatch(gong.output(), /panick|uncaught|"level":"(error|fatal)"|edge\.(restart|lost)/i);
  return `${read} frames on ${connections} connections, ${refused} of them told why they end; ` +
    `${others.took.length} answers to others within ${Math.max(...others.took, slowest)} ms; ` +
    `heap ${toMebibytes(before.heap)} before, ${toMebibytes(after.heap)} after, ` +
    `resident ${toMebibytes(before.resident)} and ${toMebibytes(after.resident)}`;
}

/** A client of STOMP and a plain one, which hear what they say themselves, over and over. */
class Others {
  /** Milliseconds that each answer took. */
  readonly took: number[] = [];
  readonly #gong: Gong;
  readonly #running: Promise<void>;
  #isOver = false;

  constructor(gong: Gong) {
    this.#gong = gong;
    this.#running = this.#run();
    // It is told by `end`.
    this.#running.catch(() => {});
  }

  /** @throws when one of them was not served, or not in time */
  async end(): Promise<void> {
    this.#isOver = true;
    await this.#running;
    const sorted = this.took.toSorted((a, b) => b - a);
    const [slowest = NaN, slow = NaN] = [sorted[0], sorted[Math.ceil(sorted.length / 100)]];
    assert(slow < PROMPT.most && slowest < PROMPT.all, `answers took ${slow} and, the slowest, ${slowest} ms`);
  }

  /** Somebody new is served. Returns the milliseconds that it took. */
  async once(): Promise<number> {
    await using stomp = await connectStomp(this.#gong);
    await using plain = await connect(`${this.#gong.ws}/push?channel=good`);
    await stomp.subscribe("/topic/good");
    await stomp.subscribe("/queue/good", { ack: "client-individual" });
    return await this.#ask(stomp, plain, "once");
  }

  async #run(): Promise<void> {
    await using stomp = await connectStomp(this.#gong);
    await using plain = await connect(`${this.#gong.ws}/push?channel=good`);
    await stomp.subscribe("/topic/good");
    await stomp.subscribe("/queue/good", { ack: "client-individual" });
    while (!this.#isOver) {
      this.took.push(await this.#ask(stomp, plain, `n${this.took.length}`));
      await delay(20);
    }
  }

  async #ask(
    stomp: Awaited<ReturnType<typeof connectStomp>>,
    plain: Awaited<ReturnType<typeof connect>>,
    word: string,
  ): Promise<number> {
    const start = performance.now();
    plain.send(word);
    assertEquals([textOf(await stomp.find("MESSAGE")), await plain.nextText()], [word, word]);
    stomp.send("SEND", { destination: "/queue/good" }, word);
    const message = await stomp.find("MESSAGE");
    assertEquals(textOf(message), word);
    await stomp.ask("ACK", { id: message.headers.get("ack")! });
    return Math.round(performance.now() - start);
  }
}
