/**
 * Sockets whose clients nobody knows yet: their handshakes are answered, their tokens are being checked.
 *
 * @module
 */
import type { Grant } from "../auth.ts";
import { Budget } from "../budget.ts";
import { byteLength } from "../bytes.ts";
import type { Carrier, CarrierEvents } from "../carrier.ts";
import type { Door } from "../door.ts";
import { ERRORS, GongError } from "../errors.ts";
import type { Session } from "../session.ts";
import { Tally } from "../tally.ts";
import type { Data } from "../types.ts";
import { RETURN } from "./parting.ts";
import type { Leaving, Registry } from "./registry.ts";

/** Sockets that may wait at once, of one edge. */
const MOST = 4000;
/** And of one address: a set of keys that does not answer must not let one client keep everybody else out. */
const MOST_OF_ONE = 1000;
/** What may wait of what all of them say: so many bytes, or four times what may of one. */
const BYTES = 16 * 2 ** 20;

/** What may wait of what one client says. */
export interface WaitingLimits {
  /** All frames together, in bytes, beside what the door allows a frame beside its message. */
  readonly bytes: number;
  readonly frames: number;
}

/** Who waits. */
export interface Visitor {
  readonly address: string;
  readonly carrier: Carrier;
  /** What it will speak, and is refused in. */
  readonly door: Pick<Door, "overhead" | "farewell">;
  /** Begins the session. @throws {GongError} what it has no right to */
  begin(grant: Grant): Session;
  /** The client was refused, and is being told. */
  refused(error: GongError): void;
}

/** All sockets of an edge that wait. A peer that leaves meanwhile is forgotten. */
export class WaitingRoom {
  readonly limits: WaitingLimits;
  readonly registry: Registry;
  /** Of what all of them say. */
  readonly budget: Budget;
  readonly #waiting = new Set<Waiting>();
  readonly #byAddress = new Tally<string>();

  constructor(registry: Registry, limits: WaitingLimits) {
    this.registry = registry;
    this.limits = limits;
    this.budget = new Budget(Math.max(BYTES, 4 * limits.bytes));
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** @throws {GongError} `overloaded` when no more may wait, `too_many` when no more of the address */
  check(address: string): void {
    if (this.#waiting.size >= MOST) {
      throw new GongError("overloaded", "Too many tokens are being checked.", { retryAfter: 1 });
    }
    if (this.#byAddress.of(address) >= MOST_OF_ONE) {
      throw new GongError("too_many", "Too many tokens from this address are being checked.", { retryAfter: 1 });
    }
  }

  /** Lets a socket wait until it is known whose it is; then its session begins, and gets what was said so far. */
  admit(visitor: Visitor, who: Promise<Grant>): void {
    const waiting = new Waiting(this, visitor);
    this.#waiting.add(waiting);
    this.#byAddress.add(visitor.address);
    who.then((grant) => waiting.begin(grant), (error) => waiting.refuse(error));
  }

  /** It waits no more. */
  forget(waiting: Waiting, address: string): void {
    this.#waiting.delete(waiting);
    this.#byAddress.delete(address);
  }

  /** Refuses them all: the edge is about to end. */
  close(): void {
    for (const waiting of [...this.#waiting]) {
      waiting.refuse(new GongError("going_away", undefined, { retryAfter: RETURN }));
    }
  }
}

/** One of them. */
class Waiting implements CarrierEvents, Leaving {
  readonly #room: WaitingRoom;
  readonly #visitor: Visitor;
  /** What it has said so far; most say nothing. */
  #frames: Data[] | undefined;
  #bytes = 0;
  #isOpen = false;
  /** It waits no more: its session has begun, it was refused, or its peer has left. */
  #isOver = false;
  #refusal: GongError | undefined;

  constructor(room: WaitingRoom, visitor: Visitor) {
    this.#room = room;
    this.#visitor = visitor;
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
    const { limits: { bytes, frames }, budget } = this.#room;
    const size = byteLength(data);
    const most = bytes + (this.#visitor.door.overhead ?? 0);
    if (size > most) return this.refuse(new GongError("too_large", `A message may have at most ${bytes} bytes.`));
    const said = this.#frames ??= [];
    if (said.length >= frames || this.#bytes + size > most || !budget.hasRoomFor(size)) {
      return this.refuse(new GongError("rate_limited", "That is too much before the token is checked."));
    }
    said.push(data);
    this.#bytes += size;
    budget.take(size);
  }

  closed(): void {
    this.#end();
    this.#room.registry.gone(this);
  }

  begin(grant: Grant): void {
    if (this.#isOver) return;
    try {
      const session = this.#visitor.begin(grant);
      const frames = this.#frames;
      this.#end();
      if (!this.#isOpen) return;
      session.opened();
      for (const frame of frames ?? []) session.received(frame);
    } catch (error) {
      this.refuse(error);
    }
  }

  refuse(cause: unknown): void {
    if (this.#isOver) return;
    const error = GongError.from(cause);
    this.#end();
    this.#visitor.refused(error);
    this.#refusal = error;
    this.#room.registry.closing(this);
    // What is not open yet cannot be told.
    if (this.#isOpen) this.#close(error);
  }

  #close({ code, message, retryAfter }: GongError): void {
    const { carrier, door } = this.#visitor;
    const { close, retry } = ERRORS[code];
    const words = door.farewell?.({ code, message, retry, ...retryAfter === undefined ? {} : { retryAfter } });
    if (words !== undefined) { for (const frame of [words].flat()) carrier.send(frame); }
    carrier.close(close, message);
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#frames = undefined;
    this.#room.budget.give(this.#bytes);
    this.#room.forget(this, this.#visitor.address);
  }
}
