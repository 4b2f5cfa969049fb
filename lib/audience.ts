/**
 * Those who hear the very same, accounted for as one: as long as nothing waits for a listener, all that a message to it
 * takes is the engine's own `send`.
 *
 * @module
 */
import { handedCost, type Outbox, type Outlet } from "./outbox.ts";
import type { Data } from "./types.ts";

/** What is written to several sessions at once: encoded once, counted once. */
export interface Parcel {
  /** One element a frame. */
  readonly frames: readonly Data[];
  /** Bytes of each frame. */
  readonly bytes: readonly number[];
  /** How many publications it holds. */
  readonly count: number;
}

/** One of an audience. */
export interface Listener {
  readonly outlet: Outlet;
  /** The account of what its outlet holds. */
  readonly outbox: Pick<Outbox, "held" | "isClear" | "hold" | "clear">;
  /** Its place among those who have one; -1 otherwise. Only its audience sets it. */
  seat: number;
  /** Takes a parcel by itself. Returns whether it was taken; if not, it was closed, or has been. */
  deliver(parcel: Parcel): boolean;
  /** So much was sent to it as one of many; negative for what it had no part in. */
  account(bytes: number, publications: number): void;
}

/** How many publications were handed to sessions, and how many were not since the session is too slow. */
export interface Outcome {
  readonly delivered: number;
  readonly dropped: number;
}

/**
 * Listeners have a seat or stand apart. Outlets of those with seats hold at most what all of them were sent on credit, and
 * what one may have held more when it took its seat. When the credit is used up, everybody is looked at once, and who has
 * taken everything stays. What no credit suffices for is taken by each for itself.
 */
export class Audience<L extends Listener> {
  readonly #seated: L[] = [];
  /** Of the one in the same place of `#seated`. */
  readonly #outlets: Outlet[] = [];
  readonly #apart = new Set<L>();
  /** What one may hold more than the others. */
  readonly #slack: number;
  readonly #credit: number;
  /** What of the credit is used, as costs, and the frames that were. */
  #used = 0;
  #frames = 0;
  /** What those with seats were sent in all. */
  #bytes = 0;
  #publications = 0;

  /** @param window what an outlet may hold, as costs */
  constructor(window: number) {
    this.#slack = Math.floor(window / 4);
    this.#credit = Math.floor(window / 2);
  }

  get size(): number {
    return this.#seated.length + this.#apart.size;
  }

  *[Symbol.iterator](): Generator<L> {
    yield* this.#seated;
    yield* this.#apart;
  }

  /** Takes it in, apart. */
  add(listener: L): void {
    this.#apart.add(listener);
  }

  delete(listener: L): void {
    this.setApart(listener);
    this.#apart.delete(listener);
  }

  /** Something waits for it, or it wants something of its own: from here on it takes its parcels by itself. */
  setApart(listener: L): void {
    const { seat } = listener;
    if (seat < 0) return;
    listener.seat = -1;
    listener.outbox.hold(this.#used, this.#frames);
    listener.account(this.#bytes, this.#publications);
    this.#apart.add(listener);
    const last = this.#seated.pop()!;
    const outlet = this.#outlets.pop()!;
    if (last === listener) return;
    last.seat = seat;
    this.#seated[seat] = last;
    this.#outlets[seat] = outlet;
  }

  /** Nothing waits for it here: it has a seat, unless its outlet holds too much. */
  seat(listener: L): void {
    if (listener.outbox.held > this.#used + this.#slack || !this.#apart.delete(listener)) return;
    listener.seat = this.#seated.push(listener) - 1;
    this.#outlets.push(listener.outlet);
    // Not `-x`: with -0 each number that it is added to is an object of its own from then on.
    listener.outbox.hold(0 - this.#used, 0 - this.#frames);
    listener.account(0 - this.#bytes, 0 - this.#publications);
  }

  /** What has been sent to those with seats, since the beginning. */
  get sent(): { readonly bytes: number; readonly publications: number } {
    return { bytes: this.#bytes, publications: this.#publications };
  }

  /** Hands it to everybody, except those for whom `own` has another. */
  deliver(parcel: Parcel, own?: ReadonlyMap<L, Parcel>): Outcome {
    if (own) { for (const listener of own.keys()) this.setApart(listener); }
    let delivered = this.#deliverToSeated(parcel) * parcel.count;
    let dropped = 0;
    for (const listener of this.#apart) {
      const theirs = own?.get(listener) ?? parcel;
      if (listener.deliver(theirs)) delivered += theirs.count;
      else dropped += theirs.count;
    }
    return { delivered, dropped };
  }

  /** Returns how many that were. */
  #deliverToSeated({ frames, bytes, count }: Parcel): number {
    let sum = 0;
    let cost = 0;
    for (const size of bytes) {
      sum += size;
      cost += handedCost(size);
    }
    if (this.#used + cost > this.#credit) this.#review(cost <= this.#credit);
    if (this.#outlets.length === 0) return 0;
    this.#used += cost;
    this.#frames += frames.length;
    this.#bytes += sum;
    this.#publications += count;
    for (const outlet of this.#outlets) for (const frame of frames) outlet.send(frame);
    return this.#outlets.length;
  }

  /** Who has not taken everything stands apart, or everybody, and there is credit again. */
  #review(keep: boolean): void {
    for (const listener of this.#seated.slice()) {
      const { isClear } = listener.outbox;
      if (!keep || !isClear) this.setApart(listener);
      if (isClear) listener.outbox.clear();
    }
    this.#used = this.#frames = 0;
  }
}
