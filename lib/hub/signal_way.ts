/**
 * Signals to another node, in their order: requests may overtake each other, so there is one at a time, and what comes
 * meanwhile goes with the next.
 *
 * @module
 */
import type { NodeMethods } from "../cluster/peers.ts";

/** Whom a signal is for, and what it is. */
export type SignalOrder = Parameters<NodeMethods["signals"]>[0][number];

interface Waiting {
  readonly order: SignalOrder;
  readonly resolve: (count: number) => void;
}

/** Signals that go at once. */
const MOST_AT_ONCE = 1000;

/** The way to one node. */
export class SignalWay {
  readonly #ask: NodeMethods["signals"];
  #waiting: Waiting[] = [];
  #isBusy = false;

  constructor(ask: NodeMethods["signals"]) {
    this.#ask = ask;
  }

  /** Whether nothing is under way. */
  get isIdle(): boolean {
    return !this.#isBusy;
  }

  /** Resolves to how many sessions it has reached; of a node that does not answer, none. */
  send(order: SignalOrder): Promise<number> {
    return new Promise((resolve) => {
      this.#waiting.push({ order, resolve });
      if (!this.#isBusy) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#isBusy = true;
    while (this.#waiting.length > 0) {
      const some = this.#waiting.splice(0, MOST_AT_ONCE);
      const counts = await this.#ask(some.map(({ order }) => order)).catch((): number[] => []);
      for (const [index, { resolve }] of some.entries()) resolve(counts[index] ?? 0);
    }
    this.#isBusy = false;
  }
}
