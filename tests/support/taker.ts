/**
 * What consumes a queue on a session of the stage, and notes everything.
 *
 * @module
 */
import type { ConsumeOptions, Consumer } from "../../lib/door.ts";
import type { GongError } from "../../lib/errors.ts";
import { queueChannel } from "../../lib/reserved.ts";
import type { Data, Draft, QueuedMessage, Settlement } from "../../lib/types.ts";
import type { Client } from "./stage.ts";

/** One consumer. */
export class Taker implements ConsumeOptions {
  readonly prefetch: number;
  readonly consumer: Consumer;
  readonly client: Client;
  /** What it was told, in order: `accepted`, `refused CODE`, `encode TEXT`, `given TEXT`. */
  readonly told: string[] = [];
  readonly messages: QueuedMessage[] = [];
  /** Called with every message that it was given. */
  onGiven: (message: QueuedMessage) => void = () => {};
  /** What a frame has beside its message. */
  padding = "";
  readonly #waiting = new Set<() => void>();

  constructor(client: Client, queue = "q", prefetch = 100) {
    this.prefetch = prefetch;
    this.client = client;
    this.consumer = client.session.consume(queue, this);
  }

  get texts(): string[] {
    return this.messages.map(({ data }) => String(data));
  }

  accepted(): void {
    this.#note("accepted");
  }

  refused({ code }: GongError): void {
    this.#note(`refused ${code}`);
  }

  encode({ data }: QueuedMessage): Data {
    this.#note(`encode ${data}`);
    return JSON.stringify({ type: "message", data, padding: this.padding });
  }

  given(message: QueuedMessage): void {
    this.messages.push(message);
    this.#note(`given ${message.data}`);
    this.onGiven(message);
  }

  async settle(as: Settlement, ...texts: string[]): Promise<void> {
    const offsets = texts.map((text) => this.messages.findLast(({ data }) => data === text)!.offset);
    await this.consumer.settle(offsets, as);
  }

  /** Resolves when it was given so many messages. */
  async count(messages: number): Promise<void> {
    await this.until(() => this.messages.length >= messages);
  }

  /** Resolves as soon as it is so; looked at whenever it is told something. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.add(resolve);
      await promise;
    }
  }

  #note(told: string): void {
    this.told.push(told);
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

/** Drafts of these texts for a queue. */
export function drafts(texts: readonly string[], queue = "q"): Draft[] {
  return texts.map((data) => ({ channel: queueChannel(queue), data, contentType: "text/plain" }));
}
