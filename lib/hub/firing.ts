/**
 * Publishing what is due, and noting that it was.
 *
 * @module
 */
import { GongError } from "../errors.ts";
import type { Broker, Draft, PublishResult, RecordChange } from "../types.ts";

/** What {@linkcode Firing} asks. */
export interface FiringOptions {
  readonly broker: Pick<Broker, "record" | "capabilities">;
  /** Publishes all of it and changes the records, in one step, or nothing. */
  readonly publish: (drafts: readonly Draft[], records: readonly RecordChange[]) => Promise<PublishResult[]>;
}

/** What is due. */
export interface Due {
  /** Of the schedule, and when it is due: what is published of both is the same, whoever does it. */
  readonly id: string;
  readonly due: number;
  readonly drafts: readonly Draft[];
  /** How the record of the schedule changes by that. */
  readonly change: RecordChange;
}

/**
 * In one step where the broker can. Where it cannot, nothing is published before the record is known to be what it was and
 * one that can be changed, and what could then not be noted is not published again by this node. By another it is
 * published as a repeat, for as long as ids are remembered.
 */
export class Firing {
  readonly #options: FiringOptions;
  /** What was published and is not noted yet: when that was due, by the ids of schedules. */
  readonly #unnoted = new Map<string, number>();

  constructor(options: FiringOptions) {
    this.#options = options;
  }

  /** As {@linkcode Broker.publish} with the change of the record. */
  async fire({ id, due, drafts, change }: Due): Promise<PublishResult[]> {
    const { broker, publish } = this.#options;
    if (broker.capabilities.atomic) return await publish(drafts, [change]);
    try {
      let results: PublishResult[] = [];
      if (this.#unnoted.get(id) !== due) {
        const { key, was } = change;
        if (was !== undefined) await broker.record([{ key, was, value: was }]);
        results = await publish(drafts, []);
        if (results.some((result) => "error" in result)) return results;
        this.#unnoted.set(id, due);
      }
      await broker.record([change]);
      this.forget(id);
      return results;
    } catch (error) {
      const refusal = GongError.from(error).toRefusal();
      return drafts.map(() => ({ error: refusal }));
    }
  }

  /** The schedule is another one, or none, from now on. */
  forget(id: string): void {
    this.#unnoted.delete(id);
  }
}
