import { setTimeout as delay } from "node:timers/promises";
import { assert, assertEquals, assertNotMatch } from "@std/assert";
import { type Gong, startGong } from "../support/gong.ts";
import { type Random, seeded } from "../support/random.ts";
import { until } from "../support/until.ts";
import { Accounts } from "./queues/accounts.ts";
import { Consumer, type ConsumerOptions } from "./queues/consumer.ts";
import { Producer } from "./queues/producer.ts";
import { figure, type Stats, statsOf } from "./soak.ts";

/** What queue, and how many messages. */
export interface QueueSoakOptions extends Omit<ConsumerOptions, "queue" | "isDiligent"> {
  /** Default `memory`. */
  readonly broker?: "memory" | "sqlite";
  /** Default 10,000. */
  readonly messages?: number;
  /** Times that the process is killed meanwhile; sqlite only. Default 0. */
  readonly kills?: number;
  /** Default 1. */
  readonly seed?: number;
}

const QUEUE = "/queue/soak";
const PRODUCERS = 4;
const CONSUMERS = 5;
/** One of those that live is cut off so often, in milliseconds. */
const CUTS = 150;
/** The last so many are for those who acknowledge: otherwise it never ends. */
const LAST = 50;
const WITHIN = 60_000;
const FLAGS = [
  ...["--isolates", "2", "--log-level", "warning", "--queue-bytes", "64MiB"],
  ...["--message-rate", "100000", "--request-rate", "100000", "--api-rate", "100000"],
];

/**
 * Producers, and consumers that die again and again: each message is acknowledged once, none is lost, those that come again
 * are marked, and the others come in order.
 */
export async function proveQueue(options: QueueSoakOptions): Promise<string> {
  const dir = await Deno.makeTempDir({ prefix: "gong-queue-" });
  try {
    return await new QueueSoak(options, dir).run();
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

class QueueSoak {
  readonly #options: QueueSoakOptions;
  readonly #dir: string;
  readonly #random: Random;
  readonly #accounts = new Accounts();
  readonly #producers: readonly Producer[];
  readonly #messages: number;
  readonly #live = new Set<Consumer>();
  #gong: Gong | undefined;
  #consumers = 0;
  #isDown = false;
  #isOver = false;
  #failure: unknown;

  constructor(options: QueueSoakOptions, dir: string) {
    const { messages = 10_000, seed = 1 } = options;
    this.#options = options;
    this.#dir = dir;
    this.#random = seeded(seed);
    this.#messages = messages;
    this.#producers = Array.from({ length: PRODUCERS }, (_, n) => {
      const random = seeded(seed + n);
      return new Producer(this.#accounts, { queue: QUEUE, name: `p${n}`, count: messages / PRODUCERS, random });
    });
  }

  async run(): Promise<string> {
    const { kills = 0 } = this.#options;
    this.#gong = await this.#start(0);
    const { port } = this.#gong;
    const hasFailed = () => this.#isOver || this.#failure !== undefined;
    try {
      const running = [
        ...this.#producers.map((producer) => this.#keep(() => producer.run(port, hasFailed), () => producer.isDone)),
        ...Array.from({ length: CONSUMERS }, () => this.#keep(() => this.#consume(port), () => this.#isOver)),
        this.#keep(() => this.#cut(), () => this.#isOver),
      ];
      for (let kill = 1; kill <= kills; kill++) await this.#kill(kill / (kills + 1), port);
      await until(() => this.#isFinished(), () => `${this.#accounts.open} messages are open`, WITHIN);
      this.#isOver = true;
      for (const consumer of this.#live) await consumer.cut();
      await Promise.all(running);
      if (this.#failure !== undefined) throw this.#failure;
      return await this.#look(this.#gong);
    } finally {
      this.#isOver = true;
      await this.#gong.kill();
    }
  }

  #start(port: number): Promise<Gong> {
    const broker = this.#options.broker === "sqlite" ? "sqlite:gong.db" : "memory:";
    return startGong([...FLAGS, "--broker", broker, "--port", String(port)], { dir: this.#dir });
  }

  /** Does it again and again. It may fail when the server that it began with is killed, and when all is over. */
  async #keep(run: () => Promise<void>, isDone: () => boolean): Promise<void> {
    while (!isDone() && this.#failure === undefined) {
      const server = this.#gong;
      try {
        await run();
      } catch (error) {
        if (isDone()) return;
        if (!this.#isDown && server === this.#gong) this.#failure ??= error;
        else await delay(20);
      }
    }
  }

  async #consume(port: number): Promise<void> {
    const { ack, prefetch } = this.#options;
    const isDiligent = this.#producers.every((producer) => producer.isDone) && this.#accounts.open <= LAST;
    const options = { queue: QUEUE, ack, prefetch, isDiligent };
    const consumer = new Consumer(this.#accounts, options, this.#random, ++this.#consumers);
    this.#live.add(consumer);
    try {
      await consumer.run(port);
    } catch (error) {
      if (!consumer.isCut) throw error;
    } finally {
      this.#live.delete(consumer);
    }
  }

  /** Cuts one off, which may have got stuck with what nobody else can have. */
  async #cut(): Promise<void> {
    await delay(CUTS);
    const live = [...this.#live].filter(({ isDiligent }) => !isDiligent);
    await live[this.#random.int(live.length)]?.cut();
  }

  async #kill(share: number, port: number): Promise<void> {
    const accounts = this.#accounts;
    const isDue = () => accounts.done + accounts.perhaps >= this.#messages * share || this.#failure !== undefined;
    await until(isDue, () => "too slow to be killed", WITHIN);
    this.#isDown = true;
    await this.#gong!.kill();
    // Nobody sees it live any more.
    for (const consumer of this.#live) await consumer.cut();
    this.#gong = await this.#start(port);
    this.#isDown = false;
  }

  async #isFinished(): Promise<boolean> {
    if (this.#failure !== undefined) return true;
    if (!this.#producers.every((producer) => producer.isDone) || this.#accounts.open > 0) return false;
    return figure(await statsOf(this.#gong!.url), "gong_queue_messages") === 0;
  }

  async #look(gong: Gong): Promise<string> {
    const { kills = 0 } = this.#options;
    const accounts = this.#accounts;
    let stats: Stats = {};
    const gauges = ["gong_queue_messages", "gong_queue_bytes", "gong_queue_claimed", "gong_queues", "gong_consumers"];
    await until(
      async () => (stats = await statsOf(gong.url), gauges.every((gauge) => figure(stats, gauge) === 0)),
      () => JSON.stringify(gauges.map((gauge) => [gauge, figure(stats, gauge)])),
    );
    accounts.checkOrder();
    const counts = { open: accounts.open, acknowledged: accounts.done + accounts.perhaps };
    if (kills === 0) {
      assertEquals(counts, { open: 0, acknowledged: this.#messages });
      // Those whose ACK was not answered and that did not come again were acknowledged by it.
      assertEquals(figure(stats, "gong_queued_total"), this.#messages);
      assertEquals(figure(stats, "gong_queue_done_total"), this.#messages);
      assert(figure(stats, "gong_queue_requeued_total") >= accounts.redelivered, "more came again than went back");
    } else {
      assertEquals(counts.open, 0);
      assert(counts.acknowledged >= this.#messages, `${counts.acknowledged} acknowledged`);
    }
    assert(kills === 0 || accounts.unanswered > 0, "no SEND was under way when it was killed");
    assert(this.#consumers > 2 * CONSUMERS, "hardly anybody died");
    assert(accounts.redelivered > 0, "nothing came again");
    assertNotMatch(gong.output(), /panick|uncaught|"level":"(error|fatal)"|edge\.(restart|lost)/i);
    return `${this.#messages} stored, ${accounts.done} acknowledged and ` +
      `${accounts.perhaps} by an ACK that nobody heard the RECEIPT of; ${this.#consumers} consumers, ` +
      `${accounts.redelivered} came again; ${kills} kills, ${accounts.unanswered} SENDs without an answer`;
  }
}
