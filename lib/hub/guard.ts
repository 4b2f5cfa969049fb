/**
 * What the hub counts by address, for every edge together.
 *
 * @module
 */
import { fullError } from "../methods.ts";
import { TokenBuckets } from "../rates.ts";

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
  /** There is no room any more, or room again, for this address, or, without one, for anybody. */
  readonly onFull?: (isFull: boolean, address?: string) => void;
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
  /** Address of each session, by edge and id. */
  readonly #byEdge = new Map<number, Map<string, string>>();
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
  admit(edge: number, id: string, address: string): void {
    if (this.isFull()) throw fullError();
    if (this.isFull(address)) throw fullError(address);
    const sessions = this.#byEdge.get(edge) ?? new Map<string, string>();
    this.#byEdge.set(edge, sessions.set(id, address));
    this.#byAddress.set(address, (this.#byAddress.get(address) ?? 0) + 1);
    this.#total++;
    this.#tell(address, 0);
  }

  /** Counts a session of that edge out; one that is not counted is ignored. */
  release(edge: number, id: string): void {
    const sessions = this.#byEdge.get(edge);
    const address = sessions?.get(id);
    if (address === undefined) return;
    sessions!.delete(id);
    this.#lower(address);
  }

  /** The edge is gone with all its sessions; returns how many those were. */
  releaseEdge(edge: number): number {
    const sessions = this.#byEdge.get(edge) ?? new Map<string, string>();
    this.#byEdge.delete(edge);
    for (const address of sessions.values()) this.#lower(address);
    return sessions.size;
  }

  /** Whether there is no room for another session of this address, or, without one, of anybody. */
  isFull(address?: string): boolean {
    if (address === undefined) return this.#total >= this.#options.maxConnections;
    return (this.#byAddress.get(address) ?? 0) >= this.#options.maxPerAddress;
  }

  /** The addresses without room for another session. */
  *full(): Generator<string> {
    for (const address of this.#byAddress.keys()) if (this.isFull(address)) yield address;
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

  #lower(address: string): void {
    const left = this.#byAddress.get(address)! - 1;
    if (left > 0) this.#byAddress.set(address, left);
    else this.#byAddress.delete(address);
    this.#total--;
    this.#tell(address, 1);
  }

  /** Tells whether there is room, when one session more or less has changed that. */
  #tell(address: string, gone: 0 | 1): void {
    const { onFull, maxConnections, maxPerAddress } = this.#options;
    if (this.#total + gone === maxConnections) onFull?.(gone === 0);
    if ((this.#byAddress.get(address) ?? 0) + gone === maxPerAddress) onFull?.(gone === 0, address);
  }

  /** The addresses that are blocked now, and until when. */
  blocked(): Map<string, number> {
    for (const [address, until] of this.#blocked) if (until <= this.#now()) this.#blocked.delete(address);
    return this.#blocked;
  }
}
