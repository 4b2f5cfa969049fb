/**
 * The queues of a hub over a broker whose calls can be held back or fail, and what consumers were assigned.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { setImmediate } from "node:timers";
import { createMemoryBroker } from "../../lib/brokers/memory.ts";
import { GongError } from "../../lib/errors.ts";
import { Queues } from "../../lib/hub/queues.ts";
import { consumerId } from "../../lib/methods.ts";
import { Metrics } from "../../lib/metrics.ts";
import { queueChannel } from "../../lib/reserved.ts";
import { Turn } from "../../lib/turn.ts";
import type { Broker, PageLimit, QueuedMessage, Settlement, Settling } from "../../lib/types.ts";
import { NotedLog } from "./stage.ts";

/** What a call of the broker does first. */
type Gate = () => Promise<void> | void;

/** One assignment: edge, consumer and texts. */
export type Assigned = readonly [edge: number, consumer: string, texts: readonly string[]];

export interface QueueStageOptions {
  readonly max?: number;
  readonly queues?: boolean;
}

/** The stage. */
export class QueueStage {
  readonly broker = createMemoryBroker(() => {});
  readonly log = new NotedLog();
  readonly metrics = new Metrics({ isolate: "hub" });
  readonly queues: Queues;
  /** In the order in which it was told. */
  readonly assigned: Assigned[] = [];
  readonly messages: QueuedMessage[] = [];
  readonly claims: { queue: string; limit: PageLimit }[] = [];
  readonly settlings: Settling[] = [];
  /** Called before the broker answers a claim that it has made. */
  claiming: Gate = () => {};
  /** Called before the broker settles. */
  settling: Gate = () => {};
  readonly #timers = new Set<() => void>();
  readonly #waiting = new Set<() => void>();

  constructor({ max, queues = true }: QueueStageOptions = {}) {
    const { broker } = this;
    const gated: Pick<Broker, "capabilities" | "claim" | "settle"> = {
      capabilities: { atomic: true, queues, survives: "disconnection" },
      claim: async (queue, limit) => {
        this.claims.push({ queue, limit });
        const isRefused = this.claiming === refuse;
        const messages = isRefused ? [] : await broker.claim(queue, limit);
        await this.claiming();
        return messages;
      },
      settle: async (settlings) => {
        // Calls are served in the order in which they are made.
        const held = this.settling();
        if (held) await held;
        this.settlings.push(...settlings);
        await broker.settle(settlings);
        this.#wake();
      },
    };
    this.queues = new Queues({
      ...{ broker: gated, turn: new Turn(), log: this.log, metrics: this.metrics },
      timer: (wait, callback) => {
        assertEquals(wait, 1000);
        this.#timers.add(callback);
        return () => this.#timers.delete(callback);
      },
      ...max === undefined ? {} : { max },
      assign: (edge, { consumer, messages }) => {
        this.assigned.push([edge, consumer, messages.map(({ data }) => String(data))]);
        this.messages.push(...messages);
        this.#wake();
      },
    });
  }

  get stats(): ReturnType<Broker["stats"]>["queues"] {
    return this.broker.stats().queues;
  }

  /** Texts of a consumer so far. */
  of(consumer: string): string[] {
    return this.assigned.filter(([_, id]) => id === consumer).flatMap(([_, __, texts]) => texts);
  }

  /** Everything that was assigned so far. */
  get texts(): string[] {
    return this.assigned.flatMap(([_, __, texts]) => texts);
  }

  /** A consumer, of a session on edge 1 unless said otherwise. */
  consume(
    options: { session?: string; edge?: number; queue?: string; prefetch?: number; bytes?: number; number?: number } =
      {},
  ): string {
    const { session = "1-s", edge = 1, queue = "q", prefetch = 100, bytes = 1 << 20, number = 1 } = options;
    const id = consumerId(session, number);
    this.queues.consume({ id, edge, queue, prefetch, bytes });
    return id;
  }

  put(...texts: string[]): void {
    this.putInto("q", ...texts);
  }

  putInto(queue: string, ...texts: string[]): void {
    // Put there at once: what is awaited is only the answer.
    void this.broker.publish(
      texts.map((data) => ({ channel: queueChannel(queue), data, contentType: "text/plain" })),
    );
    this.queues.note(queue);
  }

  /** Settles the messages of these texts. */
  async settle(consumer: string, texts: readonly string[], as: Settlement = "done"): Promise<void> {
    const offsets = texts.map((text) => this.messages.findLast(({ data }) => data === text)!.offset);
    await this.queues.settle([{ consumer, offsets, as }]);
  }

  /** Resolves as soon as it is so; looked at whenever something is assigned or settled. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.add(resolve);
      await promise;
    }
  }

  /** Resolves when so many messages have been assigned. */
  async count(messages: number): Promise<void> {
    await this.until(() => this.messages.length >= messages);
  }

  /** Resolves when everything that is under way without a gate is done with. */
  async quiet(): Promise<void> {
    for (let turns = 0; turns < 4; turns++) await new Promise((resolve) => setImmediate(resolve));
  }

  /** The second after which the broker is asked again is over. */
  async elapse(): Promise<void> {
    const timers = [...this.#timers];
    assert(timers.length <= 1);
    this.#timers.clear();
    for (const timer of timers) timer();
    await this.quiet();
  }

  figure(name: string): number | undefined {
    return this.metrics.samples().find((sample) => sample.name === name)?.value;
  }

  [Symbol.dispose](): void {
    this.queues.close();
    void this.broker.close();
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

/** A gate that opens when it is told to. */
export function hold(): { gate: Gate; reached: Promise<void>; open: () => void } {
  const reached = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<void>();
  const gate = () => {
    reached.resolve();
    return opened.promise;
  };
  return { gate, reached: reached.promise, open: opened.resolve };
}

/** A gate that refuses. */
export function refuse(): never {
  throw new GongError("overloaded");
}
