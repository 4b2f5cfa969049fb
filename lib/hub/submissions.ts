/**
 * Drafts, and messages of queues that are settled with them, on their way into the broker.
 *
 * @module
 */
import { GongError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { HubMethods } from "../methods.ts";
import type { Metrics } from "../metrics.ts";
import { queueOf } from "../reserved.ts";
import type { BrokerCapabilities, Draft, PublishResult } from "../types.ts";
import type { Intake } from "./intake.ts";
import { QueueRefusals } from "./queue_refusals.ts";
import { noQueuesError, type Queues } from "./queues.ts";

/** What {@linkcode Submissions} are made of. */
export interface SubmissionsOptions {
  readonly capabilities: BrokerCapabilities;
  readonly intake: Pick<Intake, "publish">;
  readonly queues: Pick<Queues, "take" | "settleTaken" | "note" | "consumersOf">;
  readonly log: Pick<Logger, "warning">;
  readonly metrics: Pick<Metrics, "counter">;
}

type Order = Parameters<HubMethods["publish"]>[0];

/** What edges publish and settle in one step. */
export class Submissions {
  readonly #options: SubmissionsOptions;
  readonly #queued: { value: number };
  readonly #refusals: QueueRefusals;

  constructor(options: SubmissionsOptions) {
    this.#options = options;
    this.#queued = options.metrics.counter("gong_queued_total");
    const { log, metrics, queues } = options;
    this.#refusals = new QueueRefusals({ log, metrics, consumersOf: (queue) => queues.consumersOf(queue) });
  }

  /** As {@linkcode HubMethods.publish}. @throws {GongError} without drafts, as {@linkcode HubMethods.settle} does */
  async publish(order: Order): Promise<PublishResult[]> {
    const { intake, queues } = this.#options;
    const { drafts, atomic, settled = [] } = order;
    const refusal = this.#check(order);
    if (refusal) return refuse(drafts, refusal);
    const taken = queues.take(settled);
    if (!taken.isWhole) {
      taken.undo();
      return refuse(drafts, new GongError("conflict", "A message is not with its consumer any more."));
    }
    if (drafts.length === 0 && settled.length > 0) {
      await queues.settleTaken(taken);
      return [];
    }
    const results = await intake.publish(drafts, { atomic, settled: taken.settlings });
    // With something settled it was all or nothing.
    if (results[0] && "error" in results[0]) taken.undo();
    else taken.done();
    this.#announce(drafts, results);
    return results;
  }

  /** What the broker cannot do, if anything. */
  #check({ drafts, atomic, settled = [] }: Order): GongError | undefined {
    const { capabilities } = this.#options;
    const channels = new Set(drafts.map(({ channel }) => channel));
    const isApart = atomic && channels.size > 1 || settled.length > 0 && channels.size > 0;
    if (isApart && !capabilities.atomic) {
      return new GongError("bad_request", "This broker cannot change several channels or queues in one step.");
    }
    const needsQueues = settled.length > 0 || drafts.some(({ channel }) => queueOf(channel) !== undefined);
    return needsQueues && !capabilities.queues ? noQueuesError() : undefined;
  }

  #announce(drafts: readonly Draft[], results: readonly PublishResult[]): void {
    for (const [index, { channel }] of drafts.entries()) {
      const queue = queueOf(channel);
      const result = results[index]!;
      if (queue === undefined) continue;
      if ("error" in result) {
        this.#refusals.add(queue, result.error);
        continue;
      }
      this.#queued.value++;
      this.#options.queues.note(queue);
    }
  }
}

/** @throws {GongError} the refusal itself, where there is no draft whose result could say so */
function refuse(drafts: readonly Draft[], error: GongError): PublishResult[] {
  if (drafts.length === 0) throw error;
  return drafts.map(() => ({ error: error.toRefusal() }));
}
