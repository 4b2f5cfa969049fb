/**
 * Sessions that are about to be on an edge, or to have another id: the hub knows of them before the edge does.
 *
 * @module
 */
import { setImmediate } from "node:timers";

/** Who is expected. */
export class Expected {
  #count = 0;

  /**
   * Asks the hub for something from which on a session is here, or has another id. What follows of the answer within its
   * microtasks has happened before anything that waits {@linkcode there}.
   */
  async during<T>(ask: () => Promise<T>): Promise<T> {
    this.#count++;
    try {
      return await ask();
    } finally {
      setImmediate(() => void this.#count--);
    }
  }

  /** Makes handlers wait, while somebody is expected, until who is here by now can be found. */
  there<M extends object>(methods: M, names: readonly (keyof M)[]): M {
    const patient = { ...methods };
    for (const name of names) {
      const handle = methods[name] as (payload: unknown) => unknown;
      const wait = async (payload: unknown) => {
        await new Promise((resolve) => setImmediate(resolve));
        return await handle(payload);
      };
      patient[name] = ((payload: unknown) => this.#count === 0 ? handle(payload) : wait(payload)) as M[typeof name];
    }
    return patient;
  }
}
