/**
 * Who consumes which queue, over all edges, and what is with whom.
 *
 * @module
 */
import { GongError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { ConsumerSettling } from "../methods.ts";
import type { Metrics } from "../metrics.ts";
import { Multimap } from "../multimap.ts";
import { startTimer, type Timer } from "../timer.ts";
import type { Turn } from "../turn.ts";
import type { Broker, QueuedMessage, Settlement, Settling } from "../types.ts";
import { type ConsumerOptions, type Held, QueueConsumer } from "./queue_consumer.ts";
import { addOffsets, Requeuing } from "./requeuing.ts";
import { Rotation } from "./rotation.ts";

/** What {@linkcode Queues} are made of. */
export interface QueuesOptions {
  readonly broker: Pick<Broker, "capabilities" | "claim" | "settle">;
  /** The isolate's. */
  readonly turn: Turn;
  readonly log: Pick<Logger, "error">;
  readonly metrics: Pick<Metrics, "counter">;
  /** Hands messages to the edge of their consumer, in order. */
  readonly assign: (edge: number, order: { consumer: string; messages: readonly QueuedMessage[] }) => void;
  /** Consumers at once. Default 100,000. */
  readonly max?: number;
  /** Default `setTimeout`. */
  readonly timer?: Timer;
}

const MOST_CONSUMERS = 100_000;
/** Before what the broker could not do is tried again, in milliseconds. */
const RETRY = 1000;

/** Messages that are about to be settled: in nobody's hands until it is known what became of that. */
export interface TakenMessages {
  /** For the broker; empty when none of them was with its consumer. */
  readonly settlings: readonly Settling[];
  /** Whether all that was asked for was with its consumer. */
  readonly isWhole: boolean;
  /** The broker has settled them. */
  done(): void;
  /** It has not: they are with their consumers again, or go back for those that have gone. */
  undo(): void;
}

interface Part {
  readonly consumer: QueueConsumer;
  readonly held: Held;
  readonly as: Settlement;
}

/**
 * All consumers. A message that the broker has given out is with one of them, about to be settled or about to go back, and
 * never in two of these.
 */
export class Queues {
  readonly #options: QueuesOptions;
  readonly #consumers = new Map<string, QueueConsumer>();
  readonly #bySession = new Multimap<string, QueueConsumer>();
  readonly #rotations = new Map<string, Rotation>();
  readonly #requeuing: Requeuing;
  readonly #settled: Readonly<Record<Settlement, { value: number }>>;
  /** Queues that may have something for somebody. */
  #noted = new Set<string>();
  /** Those that the broker has not answered for. */
  #failed = new Set<string>();
  #stopTimer: (() => void) | undefined;
  #closed = false;

  constructor(options: QueuesOptions) {
    const { broker, metrics } = options;
    this.#options = options;
    this.#settled = {
      done: metrics.counter("gong_queue_done_total"),
      requeued: metrics.counter("gong_queue_requeued_total"),
    };
    this.#requeuing = new Requeuing({
      broker,
      onDone: (queue, count) => {
        this.#settled.requeued.value += count;
        this.note(queue);
      },
      onFault: (error) => this.#retryLater(error),
    });
  }

  /** Consumers there are. */
  get size(): number {
    return this.#consumers.size;
  }

  /** Consumers of one queue. */
  consumersOf(queue: string): number {
    return this.#rotations.get(queue)?.size ?? 0;
  }

  /** Queues that somebody consumes, or of which something is on its way to somebody. */
  get queues(): number {
    return this.#rotations.size;
  }

  /** @throws {GongError} `bad_request` where the broker has no queues; `conflict`: the id is taken; `too_many` */
  consume(options: ConsumerOptions): void {
    const { broker, max = MOST_CONSUMERS } = this.#options;
    const { id, queue } = options;
    if (!broker.capabilities.queues) throw noQueuesError();
    if (this.#consumers.has(id)) throw new GongError("conflict", "There is a consumer of this id.");
    if (this.#consumers.size >= max) {
      throw new GongError("too_many", "There are too many consumers.", { retryAfter: 5 });
    }
    const consumer = new QueueConsumer(options);
    this.#consumers.set(id, consumer);
    this.#bySession.add(consumer.session, consumer);
    this.#rotationOf(queue).add(consumer);
    this.note(queue);
  }

  /** As {@linkcode HubMethods.settle}. @throws {GongError} what the broker refused: they are still with their consumers */
  async settle(settlings: readonly ConsumerSettling[]): Promise<void> {
    await this.settleTaken(this.take(settlings));
  }

  /** Settles what was taken. @throws {GongError} as {@linkcode settle} */
  async settleTaken(taken: TakenMessages): Promise<void> {
    if (taken.settlings.length === 0) return;
    try {
      await this.#options.broker.settle(taken.settlings);
    } catch (error) {
      taken.undo();
      throw error;
    }
    taken.done();
  }

  /** Takes messages out of their consumers' hands for whoever settles them, who has to say what came of it. */
  take(settlings: readonly ConsumerSettling[]): TakenMessages {
    const parts: Part[] = [];
    let isWhole = true;
    for (const { consumer: id, offsets, as } of settlings) {
      const consumer = this.#consumers.get(id);
      const held = consumer?.take(offsets);
      if (held?.size !== offsets.length) isWhole = false;
      if (consumer && held && held.size > 0) parts.push({ consumer, held, as });
    }
    return {
      isWhole,
      settlings: parts.map(({ consumer, held, as }) => ({
        queue: consumer.options.queue,
        offsets: [...held.keys()],
        as,
      })),
      done: () => this.#done(parts),
      undo: () => this.#undo(parts),
    };
  }

  /** The consumer is no more; of one that is not known nothing is to be done. */
  cancel(id: string): void {
    const consumer = this.#consumers.get(id);
    if (consumer) this.#cancel([consumer]);
  }

  /** The session is no more, and so are its consumers. */
  release(session: string): void {
    this.#cancel([...this.#bySession.get(session)]);
  }

  /** The edge is gone with all its consumers. */
  releaseEdge(edge: number): void {
    this.#cancel([...this.#consumers.values()].filter(({ options }) => options.edge === edge));
  }

  /** Something may be in the queue for somebody: it is looked at at the end of this turn. */
  note(queue: string): void {
    if (!this.#rotations.get(queue)?.hasRoom) return;
    if (this.#noted.size === 0) this.#options.turn.end(() => this.#serve());
    this.#noted.add(queue);
  }

  /** What is with somebody stays claimed, and nothing more is given out. */
  close(): void {
    this.#closed = true;
    this.#stopTimer?.();
  }

  #done(parts: readonly Part[]): void {
    for (const { consumer, held, as } of parts) {
      const { queue } = consumer.options;
      this.#settled[as].value += held.size;
      consumer.settled(held);
      this.#rotations.get(queue)?.look(consumer);
      this.note(queue);
    }
  }

  #undo(parts: readonly Part[]): void {
    const offsets = new Map<string, number[]>();
    for (const { consumer, held } of parts) {
      if (consumer.isGone) addOffsets(offsets, consumer.options.queue, held.keys());
      else consumer.restore(held);
    }
    void this.#requeuing.requeue(offsets);
  }

  #cancel(consumers: readonly QueueConsumer[]): void {
    const offsets = new Map<string, number[]>();
    for (const consumer of consumers) {
      const { id, queue } = consumer.options;
      const rotation = this.#rotations.get(queue)!;
      consumer.isGone = true;
      this.#consumers.delete(id);
      this.#bySession.delete(consumer.session, consumer);
      rotation.remove(consumer);
      if (rotation.isOver) this.#rotations.delete(queue);
      const held = consumer.takeAll();
      if (held.size > 0) addOffsets(offsets, queue, held.keys());
    }
    void this.#requeuing.requeue(offsets);
  }

  #rotationOf(queue: string): Rotation {
    const known = this.#rotations.get(queue);
    if (known) return known;
    const { broker, assign } = this.#options;
    const rotation = new Rotation({
      queue,
      broker,
      assign: ({ options: { edge, id: consumer } }, messages) => assign(edge, { consumer, messages }),
      onLeft: (messages) => {
        void this.#requeuing.requeue(new Map([[queue, messages.map(({ offset }) => offset)]]));
      },
      onFault: (error) => {
        this.#failed.add(queue);
        this.#retryLater(error);
      },
    });
    this.#rotations.set(queue, rotation);
    return rotation;
  }

  #serve(): void {
    const noted = this.#noted;
    this.#noted = new Set();
    if (this.#closed) return;
    for (const queue of noted) void this.#serveOne(queue);
  }

  async #serveOne(queue: string): Promise<void> {
    const rotation = this.#rotations.get(queue);
    if (!rotation) return;
    await rotation.serve();
    if (rotation.isOver && this.#rotations.get(queue) === rotation) this.#rotations.delete(queue);
  }

  /** The broker may be able to again. */
  #retryLater(error: unknown): void {
    if (this.#stopTimer || this.#closed) return;
    const { log, timer = startTimer } = this.#options;
    log.error("queue.fault", { error: String(error) });
    this.#stopTimer = timer(RETRY, () => {
      this.#stopTimer = undefined;
      const failed = this.#failed;
      this.#failed = new Set();
      void this.#requeuing.again();
      for (const queue of failed) this.note(queue);
    });
  }
}

/** The refusal of a queue where the broker has none. */
export function noQueuesError(): GongError {
  return new GongError("bad_request", "This broker has no queues.");
}
