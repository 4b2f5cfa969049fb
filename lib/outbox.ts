/**
 * What waits for one client: a part of it in the socket, the rest here. Here it is shared with everybody who waits for the
 * same; the engine has a copy for each, and for every frame about a kilobyte beside it.
 *
 * @module
 */
import type { Data } from "./types.ts";

/** What the engine takes for a frame beside its bytes: 1,060 measured, for frames of 1 to 200 bytes (Deno 2.9.6). */
const HANDED = 1024;
/** What a frame takes that waits here, beside its bytes. */
const QUEUED = 64;

/** What a frame of so many bytes costs while a socket holds it. */
export function handedCost(bytes: number): number {
  return bytes + HANDED;
}

/** What sockets may hold of what may wait for a client in all, as costs. */
export function windowOf(outbox: number): number {
  return Math.floor(boundOf(outbox) / 2);
}

/** Whether frames of these sizes may wait for a client for whom nothing waits yet. */
export function fitsInto(outbox: number, sizes: readonly number[]): boolean {
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  const handed = Math.min(sizes.length * (HANDED - QUEUED), windowOf(outbox));
  return bytes + sizes.length * QUEUED + handed <= boundOf(outbox);
}

/** Bytes that may wait for one client in all. Whatever the bound, a message of that size has to fit. */
export function boundOf(outbox: number): number {
  return outbox + HANDED;
}

/** Where frames go. */
export interface Outlet {
  send(data: Data): void;
}

/** An outlet that tells what it holds. */
export interface MeasuredOutlet extends Outlet {
  /** Bytes that it was handed and its peer has not taken. To know it costs a call into the engine. */
  readonly pending: number;
}

/** The bounded queue to one client. Costs are bytes of memory: a frame's own, and what is kept beside it. */
export class Outbox {
  readonly #socket: MeasuredOutlet;
  readonly #bound: number;
  readonly #window: number;
  #queue: Data[] = NONE;
  /** Bytes of each of them. */
  #sizes: number[] = NO_SIZES;
  #queuedBytes = 0;
  /** What the socket holds at most, and the frames it was handed since nothing was pending: see {@linkcode hold}. */
  #held = 0;
  #frames = 0;
  /** Bytes that the socket was handed; whoever hands it some by another way adds them. */
  sent = 0;

  /** @param bound what may wait in all, in bytes */
  constructor(socket: MeasuredOutlet, bound: number) {
    this.#socket = socket;
    this.#bound = boundOf(bound);
    this.#window = windowOf(bound);
  }

  /** Whether nothing waits here; the socket may hold some. */
  get isEmpty(): boolean {
    return this.#queue.length === 0;
  }

  /** Bytes between this server and the client: here or in the socket. */
  get pending(): number {
    return this.#queuedBytes + this.#socket.pending;
  }

  /** Whether the peer has taken everything that the socket was handed. */
  get isClear(): boolean {
    return this.#socket.pending === 0;
  }

  /** What the socket holds at most, as costs, as far as was looked. */
  get held(): number {
    return this.#held;
  }

  /** The memory that all of it takes, at most. */
  get cost(): number {
    this.look();
    return this.#held + this.#queuedCost;
  }

  /** Asks the socket what is still pending. Which frames those are, it does not say; of one without a byte, nothing. */
  look(): void {
    if (this.#held === 0) return;
    const { pending } = this.#socket;
    if (pending === 0) this.clear();
    else this.#held = Math.min(this.#held, pending + this.#frames * HANDED);
  }

  /**
   * The socket may hold so much more, in so many frames, that others have handed to it; or less. As long as others do,
   * what is said here of the socket has no meaning by itself.
   */
  hold(cost: number, frames: number): void {
    this.#held += cost;
    this.#frames += frames;
  }

  /** The socket holds nothing. */
  clear(): void {
    this.#held = this.#frames = 0;
  }

  /** Whether frames of these sizes might be added. */
  hasRoomFor(sizes: readonly number[]): boolean {
    this.look();
    return this.#fits(sizes.reduce((sum, bytes) => sum + bytes, 0), sizes.length);
  }

  /** Hands a frame to the socket, unless others wait for that or it holds enough. Returns whether it did. */
  pass(data: Data, bytes: number): boolean {
    if (this.#queue.length > 0 || !this.#mayHand(bytes)) return false;
    this.#hand(data, bytes);
    return true;
  }

  /** Puts a frame behind the others. Returns false, and does nothing, where that would pass the bound. */
  add(data: Data, bytes: number): boolean {
    if (!this.#fits(bytes, 1)) {
      this.look();
      if (!this.#fits(bytes, 1)) return false;
    }
    if (this.#queue.length === 0) [this.#queue, this.#sizes] = [[], []];
    this.#queue.push(data);
    this.#sizes.push(bytes);
    this.#queuedBytes += bytes;
    return true;
  }

  /**
   * Hands over what the socket may hold, in order; several texts in one frame where a separator is given.
   *
   * @returns whether nothing is left
   */
  flush(separator: string | undefined): boolean {
    const queue = this.#queue;
    let taken = 0;
    // A socket that finds out that its peer is gone has everything dropped while it is handed a frame.
    while (queue === this.#queue && taken < queue.length && this.#mayHand(this.#sizes[taken]!)) {
      const { end, bytes } = this.#joinable(taken, separator);
      this.#hand(end === taken + 1 ? queue[taken]! : queue.slice(taken, end).join(separator), bytes);
      taken = end;
    }
    if (queue !== this.#queue) return this.isEmpty;
    if (taken === queue.length) {
      this.drop();
      return true;
    }
    if (taken > 0) {
      queue.splice(0, taken);
      for (const bytes of this.#sizes.splice(0, taken)) this.#queuedBytes -= bytes;
    }
    return false;
  }

  /** Takes out what waits here. */
  take(): readonly Data[] {
    const queue = this.#queue;
    this.drop();
    return queue;
  }

  /** Forgets what waits here. */
  drop(): void {
    this.#queue = NONE;
    this.#sizes = NO_SIZES;
    this.#queuedBytes = 0;
  }

  get #queuedCost(): number {
    return this.#queuedBytes + this.#queue.length * QUEUED;
  }

  /** Whether all of it stays within the bound with so many more frames, also when the socket is handed what it may hold. */
  #fits(bytes: number, frames: number): boolean {
    const dearer = (this.#queue.length + frames) * (HANDED - QUEUED);
    const handed = Math.min(dearer, Math.max(0, this.#window - this.#held));
    return this.#held + this.#queuedCost + bytes + frames * QUEUED + handed <= this.#bound;
  }

  /** Where the frame ends that begins with this one of the queue, and how large it is. */
  #joinable(start: number, separator: string | undefined): { end: number; bytes: number } {
    let bytes = this.#sizes[start]!;
    let end = start + 1;
    if (separator === undefined || typeof this.#queue[start] !== "string") return { end, bytes };
    for (; end < this.#queue.length && typeof this.#queue[end] === "string"; end++) {
      const more = bytes + separator.length + this.#sizes[end]!;
      if (this.#held + handedCost(more) > this.#window) break;
      bytes = more;
    }
    return { end, bytes };
  }

  /** A socket that holds nothing takes whatever is within the bound. */
  #mayHand(bytes: number): boolean {
    const cost = handedCost(bytes);
    if (this.#held + cost <= this.#window) return true;
    this.look();
    return this.#held + cost <= (this.#held === 0 ? this.#bound : this.#window);
  }

  #hand(data: Data, bytes: number): void {
    this.hold(handedCost(bytes), 1);
    this.sent += bytes;
    this.#socket.send(data);
  }
}

/** Of every outbox in which nothing waits. */
const NONE: Data[] = [];
const NO_SIZES: number[] = [];
Object.freeze(NONE);
Object.freeze(NO_SIZES);
