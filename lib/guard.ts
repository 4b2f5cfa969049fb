/**
 * What the hub counts by address, for every edge together.
 *
 * @module
 */
import { GongError } from "./errors.ts";
import { TokenBuckets } from "./rates.ts";

/** Bounds of a {@linkcode Guard}. */
export interface GuardOptions {
  /** Sessions in all. */
  readonly maxConnections: number;
  /** Sessions an address. */
  readonly maxPerAddress: number;
  /** Wrong keys a minute from one address. */
  readonly authFailures: number;
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
}

/** How long an address is refused after too many wrong keys, in milliseconds. */
const BLOCK = 60_000;
/** Addresses that are blocked at once, at most: past it the one blocked longest is let go. */
const MAX_BLOCKED = 10_000;

/** Counts sessions and wrong keys by address. */
export class Guard {
  readonly #options: GuardOptions;
  readonly #now: () => number;
  readonly #failures: TokenBuckets;
  readonly #byAddress = new Map<string, number>();
  readonly #byEdge = new Map<number, Map<string, number>>();
  readonly #blocked = new Map<string, number>();
  #total = 0;

  constructor(options: GuardOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    const burst = options.authFailures;
    this.#failures = new TokenBuckets({ rate: burst / 60, burst, capacity: 10_000, now: this.#now });
  }

  /** Sessions that are admitted. */
  get total(): number {
    return this.#total;
  }

  /**
   * Counts a session in.
   *
   * @throws {GongError} `overloaded` when there are too many in all, `too_many` for this address
   */
  admit(edge: number, address: string): void {
    if (this.#total >= this.#options.maxConnections) {
      throw new GongError("overloaded", "There are too many connections.", { retryAfter: 5 });
    }
    const count = this.#byAddress.get(address) ?? 0;
    if (count >= this.#options.maxPerAddress) throw new GongError("too_many", undefined, { retryAfter: 5 });
    this.#byAddress.set(address, count + 1);
    const ofEdge = this.#byEdge.get(edge) ?? new Map<string, number>();
    this.#byEdge.set(edge, ofEdge.set(address, (ofEdge.get(address) ?? 0) + 1));
    this.#total++;
  }

  /** Counts a session of that edge out; one that is not counted is ignored. */
  release(edge: number, address: string): void {
    const ofEdge = this.#byEdge.get(edge);
    if (!ofEdge?.has(address)) return;
    lower(ofEdge, address, 1);
    lower(this.#byAddress, address, 1);
    this.#total--;
  }

  /** The edge is gone with all its sessions; returns how many those were. */
  releaseEdge(edge: number): number {
    let gone = 0;
    for (const [address, count] of this.#byEdge.get(edge) ?? []) {
      lower(this.#byAddress, address, count);
      gone += count;
    }
    this.#byEdge.delete(edge);
    this.#total -= gone;
    return gone;
  }

  /** Counts a wrong key; returns until when the address is blocked now, in milliseconds since 1970. */
  fail(address: string): number | undefined {
    if (this.#failures.take(address)) return undefined;
    const until = this.#now() + BLOCK;
    this.#blocked.delete(address);
    this.#blocked.set(address, until);
    const [oldest] = this.#blocked.keys();
    if (this.#blocked.size > MAX_BLOCKED) this.#blocked.delete(oldest!);
    return until;
  }

  /** The addresses that are blocked now, and until when. */
  blocked(): Map<string, number> {
    for (const [address, until] of this.#blocked) if (until <= this.#now()) this.#blocked.delete(address);
    return this.#blocked;
  }
}

function lower(counts: Map<string, number>, address: string, by: number): void {
  const left = (counts.get(address) ?? 0) - by;
  if (left > 0) counts.set(address, left);
  else counts.delete(address);
}
