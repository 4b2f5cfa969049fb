/**
 * The WebSockets of an edge that are not a session's yet: nobody counts them among the connections.
 *
 * @module
 */
import { GongError } from "../errors.ts";
import { Tally } from "../tally.ts";
import type { Prober } from "./upgrade.ts";

/** So many at once, and of one address. */
const MOST = 4000;
const MOST_OF_ONE = 1000;

/** All of them, one a session. */
export class Probers {
  readonly #bySid = new Map<string, Prober>();
  readonly #byAddress = new Tally<string>();

  has(sid: string): boolean {
    return this.#bySid.has(sid);
  }

  get(sid: string): Prober | undefined {
    return this.#bySid.get(sid);
  }

  all(): Prober[] {
    return [...this.#bySid.values()];
  }

  /** @throws {GongError} `overloaded` when there are as many as may be, `too_many` of the address */
  check(address: string): void {
    if (this.#bySid.size >= MOST) throw new GongError("overloaded", "Too many connections are being upgraded.");
    if (this.#byAddress.of(address) >= MOST_OF_ONE) {
      throw new GongError("too_many", "Too many connections from this address are being upgraded.");
    }
  }

  add(sid: string, address: string, prober: Prober): void {
    this.#bySid.set(sid, prober);
    this.#byAddress.add(address);
  }

  delete(sid: string, address: string): void {
    if (this.#bySid.delete(sid)) this.#byAddress.delete(address);
  }
}
