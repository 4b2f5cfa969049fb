import type { Publication } from "../../types.ts";
import type { KeptQueue, QueueName, QueueStore } from "../ledger/store.ts";

/** The messages of queues in memory. */
export class MemoryQueues implements QueueStore {
  /** By number of the queue, and offset. */
  readonly #messages = new Map<number, Map<number, Publication>>();

  load(): Iterable<KeptQueue> {
    return [];
  }

  append({ number }: QueueName, message: Publication): void {
    let messages = this.#messages.get(number);
    if (!messages) this.#messages.set(number, messages = new Map());
    messages.set(message.offset, message);
  }

  drop({ number }: QueueName, offsets: readonly number[]): void {
    const messages = this.#messages.get(number)!;
    for (const offset of offsets) messages.delete(offset);
  }

  save(): void {}

  forget({ number }: QueueName): void {
    this.#messages.delete(number);
  }

  read({ number }: QueueName, offsets: readonly number[]): Publication[] {
    const messages = this.#messages.get(number);
    return offsets.map((offset) => messages!.get(offset)!);
  }
}
