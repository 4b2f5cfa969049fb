/**
 * Sockets whose clients nobody knows yet: their handshakes are answered, their tokens are being checked.
 *
 * @module
 */
import type { Grant } from "../auth.ts";
import { byteLength } from "../bytes.ts";
import type { Carrier, CarrierEvents } from "../carrier.ts";
import { ERRORS, GongError } from "../errors.ts";
import type { Session } from "../session.ts";
import type { Data } from "../types.ts";
import type { Leaving, Registry } from "./registry.ts";

/** Sockets that may wait at once, of one edge. */
const MOST = 1000;
/** And of one address: a set of keys that does not answer must not let one client keep everybody else out. */
const MOST_OF_ONE = 100;

/** What may wait of what one client says. */
export interface WaitingLimits {
  /** All frames together, in bytes. */
  readonly bytes: number;
  readonly frames: number;
}

/** Who waits. */
export interface Visitor {
  readonly address: string;
  readonly carrier: Carrier;
  readonly who: Promise<Grant>;
  /** Begins the session. @throws {GongError} what it has no right to */
  begin(grant: Grant): Session;
  /** The client was refused, and is being told. */
  refused(error: GongError): void;
}

/** All sockets of an edge that wait. A peer that leaves meanwhile is forgotten. */
export class WaitingRoom {
  readonly #limits: WaitingLimits;
  readonly #registry: Registry;
  readonly #waiting = new Set<Waiting>();
  readonly #byAddress = new Map<string, number>();

  constructor(registry: Registry, limits: WaitingLimits) {
    this.#registry = registry;
    this.#limits = limits;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** @throws {GongError} `overloaded` when no more may wait, `too_many` when no more of the address */
  check(address: string): void {
    if (this.#waiting.size >= MOST) {
      throw new GongError("overloaded", "Too many tokens are being checked.", { retryAfter: 1 });
    }
    if (this.#of(address) >= MOST_OF_ONE) {
      throw new GongError("too_many", "Too many tokens from this address are being checked.", { retryAfter: 1 });
    }
  }

  /** Lets a socket wait until it is known whose it is; then its session begins, and gets what was said so far. */
  admit(visitor: Visitor): void {
    const waiting = new Waiting(visitor, this.#limits, this.#registry, () => this.#forget(waiting, visitor));
    this.#waiting.add(waiting);
    this.#byAddress.set(visitor.address, this.#of(visitor.address) + 1);
    visitor.who.then((grant) => waiting.begin(grant)).catch((error) => waiting.refuse(GongError.from(error)));
  }

  /** Refuses them all: the edge is about to end. */
  close(): void {
    for (const waiting of [...this.#waiting]) waiting.refuse(new GongError("going_away"));
  }

  #of(address: string): number {
    return this.#byAddress.get(address) ?? 0;
  }

  #forget(waiting: Waiting, { address }: Visitor): void {
    this.#waiting.delete(waiting);
    const left = this.#of(address) - 1;
    if (left > 0) this.#byAddress.set(address, left);
    else this.#byAddress.delete(address);
  }
}

/** One of them. */
class Waiting implements CarrierEvents, Leaving {
  readonly #visitor: Visitor;
  readonly #limits: WaitingLimits;
  readonly #registry: Registry;
  readonly #over: () => void;
  #frames: Data[] = [];
  #bytes = 0;
  #isOpen = false;
  /** It waits no more: its session has begun, it was refused, or its peer has left. */
  #isOver = false;
  #refusal: GongError | undefined;

  constructor(visitor: Visitor, limits: WaitingLimits, registry: Registry, over: () => void) {
    this.#visitor = visitor;
    this.#limits = limits;
    this.#registry = registry;
    this.#over = over;
    visitor.carrier.listen(this);
  }

  readonly lingers = false;
  readonly held = 0;

  opened(): void {
    this.#isOpen = true;
    if (this.#refusal) this.#close(this.#refusal);
  }

  received(data: Data): void {
    if (this.#isOver) return;
    const { bytes, frames } = this.#limits;
    const size = byteLength(data);
    if (size > bytes) return this.refuse(new GongError("too_large", `A message may have at most ${bytes} bytes.`));
    this.#bytes += size;
    if (this.#frames.push(data) <= frames && this.#bytes <= bytes) return;
    this.refuse(new GongError("rate_limited", "That is too much before the token is checked."));
  }

  closed(): void {
    this.#end();
    this.#registry.gone(this);
  }

  begin(grant: Grant): void {
    if (this.#isOver) return;
    const session = this.#visitor.begin(grant);
    const frames = this.#frames;
    this.#end();
    if (!this.#isOpen) return;
    session.opened();
    for (const frame of frames) session.received(frame);
  }

  refuse(error: GongError): void {
    if (this.#isOver) return;
    this.#end();
    this.#visitor.refused(error);
    this.#refusal = error;
    this.#registry.closing(this);
    // What is not open yet cannot be told.
    if (this.#isOpen) this.#close(error);
  }

  #close({ code, message }: GongError): void {
    this.#visitor.carrier.close(ERRORS[code].close, message);
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#frames = [];
    this.#over();
  }
}
