/**
 * Numbers that are published without a pause, and who has to hear each of them once and in order.
 *
 * @module
 */
import { setTimeout as delay } from "node:timers/promises";
import { assertEquals } from "@std/assert";
import { until } from "../until.ts";
import type { SocketClient } from "./client.ts";

/** Publishes 1, 2, 3 ... to a channel, each until it is acknowledged, over restarts too. */
export class Counter implements AsyncDisposable {
  readonly #gong: { readonly url: string };
  readonly #channel: string;
  readonly #running: Promise<void>;
  #isOver = false;
  /** The last one that is acknowledged. */
  last = 0;

  constructor(gong: { readonly url: string }, channel: string) {
    this.#gong = gong;
    this.#channel = channel;
    this.#running = this.#run();
  }

  /** Waits for so many more. */
  async more(count: number): Promise<void> {
    const target = this.last + count;
    await until(() => this.last >= target, () => `${this.last} of ${target} are published`, 30_000);
  }

  /** Publishes no more; resolves to the last one. */
  async stop(): Promise<number> {
    this.#isOver = true;
    await this.#running;
    return this.last;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      const data = this.last + 1;
      const body = JSON.stringify({ channel: this.#channel, data, event: "count", id: `${this.#channel} ${data}` });
      try {
        const response = await fetch(`${this.#gong.url}/api/publish`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body,
        });
        const text = await response.text();
        if (response.ok) this.last = data;
        else if (response.status !== 503) throw new Error(`${response.status} ${text}`);
      } catch (error) {
        // The server is away, or went away before it answered.
        if (!(error instanceof TypeError)) throw error;
        await delay(20);
      }
      await delay(2);
    }
  }
}

/** Numbers of one channel that a client has heard. */
export function countsOf(client: SocketClient): number[] {
  return client.heard.filter(({ event }) => event === "count").map(({ args }) => args[0]);
}

/** Waits for the last one, and sees that there was each once and in order from the first on. */
export async function heardAll(client: SocketClient, last: number, first = 1): Promise<void> {
  await until(
    () => countsOf(client).at(-1) === last,
    () => `heard up to ${countsOf(client).at(-1)} of ${last}, after ${client.ends}`,
    30_000,
  );
  assertEquals(countsOf(client), Array.from({ length: last - first + 1 }, (_, n) => first + n));
}
