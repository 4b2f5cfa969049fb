/**
 * Those who hear the very same, accounted for as one: as long as nothing waits for a listener, all that a message to it
 * takes is the engine's own `send`.
 *
 * @module
 */
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

/** Where frames go. */
export interface Outlet {
  send(data: Data): void;
}

/** One of an audience. */
export interface Listener {
  readonly outlet: Outlet;
  /** Bytes handed to the outlet that the peer has not taken. To know it costs a call into the engine. */
  readonly pending: number;
  /** Its place among those who are clear; -1 otherwise. Only its audience sets it. */
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
 * Listeners are clear, each with a seat, or stand apart. Those who are clear have at most half a bound pending when they
 * take their seats; the other half is what may be sent to all of them until everybody's account is looked at again.
 */
export class Audience<L extends Listener> {
  readonly #seated: L[] = [];
  /** Of the one in the same place of `#seated`. */
  readonly #outlets: Outlet[] = [];
  readonly #apart = new Set<L>();
  readonly #half: number;
  #credit: number;
  /** What those who are clear were sent in all. */
  #bytes = 0;
  #publications = 0;

  /** @param bound bytes that may be pending to a listener */
  constructor(bound: number) {
    this.#half = this.#credit = Math.floor(bound / 2);
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
    listener.account(this.#bytes, this.#publications);
    this.#apart.add(listener);
    const last = this.#seated.pop()!;
    const outlet = this.#outlets.pop()!;
    if (last === listener) return;
    last.seat = seat;
    this.#seated[seat] = last;
    this.#outlets[seat] = outlet;
  }

  /** Nothing waits for it: it is clear, unless its peer takes too little. */
  seat(listener: L): void {
    if (listener.pending > this.#half || !this.#apart.delete(listener)) return;
    listener.seat = this.#seated.push(listener) - 1;
    this.#outlets.push(listener.outlet);
    listener.account(-this.#bytes, -this.#publications);
  }

  /** What has been sent to those who are clear, since the beginning. */
  get sent(): { readonly bytes: number; readonly publications: number } {
    return { bytes: this.#bytes, publications: this.#publications };
  }

  /** Hands it to everybody, except those for whom `own` has another. */
  deliver(parcel: Parcel, own?: ReadonlyMap<L, Parcel>): Outcome {
    for (const listener of own?.keys() ?? []) this.setApart(listener);
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
    for (const size of bytes) sum += size;
    if (sum > this.#credit) this.#review(sum);
    this.#credit -= sum;
    this.#bytes += sum;
    this.#publications += count;
    for (const outlet of this.#outlets) for (const frame of frames) outlet.send(frame);
    return this.#outlets.length;
  }

  /** Whoever has too much pending stands apart. What is too much for anybody's seat is taken by each for itself. */
  #review(wanted: number): void {
    this.#credit = Math.max(this.#half, wanted);
    for (const listener of this.#seated.slice()) {
      if (wanted > this.#half || listener.pending > this.#half) this.setApart(listener);
    }
  }
}
