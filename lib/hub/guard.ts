/**
 * What the hub counts by address, for every edge together.
 *
 * @module
 */
import { fullError } from "../methods.ts";
import { TokenBuckets } from "../rates.ts";
import { Tally } from "../tally.ts";
import type { Admitted } from "./admitted.ts";

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
  readonly #byAddress = new Tally<string>();
  /** The sessions, by edge and id. */
  readonly #byEdge = new Map<number, Map<string, Admitted>>();
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
  admit(edge: number, id: string, address: string): Admitted {
    if (this.isFull()) throw fullError();
    if (this.isFull(address)) throw fullError(address);
    const session = { id, address, user: undefined, info: undefined, place: undefined };
    this.#put(edge, session);
    this.#byAddress.add(address);
    this.#total++;
    this.#tell(address, 0);
    return session;
  }

  /** The session is on another edge from now on; undefined, and nothing happens, when it is not counted. */
  move(from: number, to: number, id: string): Admitted | undefined {
    const session = this.get(from, id);
    if (session === undefined) return undefined;
    this.#byEdge.get(from)!.delete(id);
    this.#put(to, session);
    return session;
  }

  /** The session of that edge, which is counted, has another id from now on. */
  rename(edge: number, session: Admitted, id: string): void {
    this.#byEdge.get(edge)!.delete(session.id);
    session.id = id;
    this.#put(edge, session);
  }

  /** A session of that edge; undefined when it is not counted. */
  get(edge: number, id: string): Admitted | undefined {
    return this.#byEdge.get(edge)?.get(id);
  }

  /** Counts a session of that edge out; undefined, and nothing happens, when it is not counted. */
  release(edge: number, id: string): Admitted | undefined {
    const session = this.get(edge, id);
    if (session === undefined) return undefined;
    this.#byEdge.get(edge)!.delete(id);
    this.#lower(session.address);
    return session;
  }

  /** The edge is gone with all its sessions; returns these. */
  releaseEdge(edge: number): readonly Admitted[] {
    const sessions = [...this.#byEdge.get(edge)?.values() ?? []];
    this.#byEdge.delete(edge);
    for (const { address } of sessions) this.#lower(address);
    return sessions;
  }

  /** All that are admitted; they may come and go meanwhile. */
  *sessions(): Generator<Admitted> {
    for (const sessions of this.#byEdge.values()) yield* sessions.values();
  }

  /** Whether there is no room for another session of this address, or, without one, of anybody. */
  isFull(address?: string): boolean {
    if (address === undefined) return this.#total >= this.#options.maxConnections;
    return this.#byAddress.of(address) >= this.#options.maxPerAddress;
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

  #put(edge: number, session: Admitted): void {
    const sessions = this.#byEdge.get(edge) ?? new Map<string, Admitted>();
    this.#byEdge.set(edge, sessions.set(session.id, session));
  }

  #lower(address: string): void {
    this.#byAddress.delete(address);
    this.#total--;
    this.#tell(address, 1);
  }

  /** Tells whether there is room, when one session more or less has changed that. */
  #tell(address: string, gone: 0 | 1): void {
    const { onFull, maxConnections, maxPerAddress } = this.#options;
    if (this.#total + gone === maxConnections) onFull?.(gone === 0);
    if (this.#byAddress.of(address) + gone === maxPerAddress) onFull?.(gone === 0, address);
  }

  /** The addresses that are blocked now, and until when. */
  blocked(): Map<string, number> {
    for (const [address, until] of this.#blocked) if (until <= this.#now()) this.#blocked.delete(address);
    return this.#blocked;
  }
}
