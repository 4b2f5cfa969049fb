/**
 * Hub to edges: a BroadcastChannel, which drops in silence when a receiver has 256 messages pending, made loss-free.
 * Batches are numbered from 1; the sender keeps the last ones, receivers acknowledge, and what is missing is asked
 * for over the worker port.
 *
 * @module
 */
import { readBatchHead } from "./codecs/batch.ts";

/**
 * How many bytes the hub puts into one batch, and an edge hands to its sockets in one turn: a small part of what may be
 * queued to a session, so that a burst finds those who read with their queues empty again.
 */
export function bytesPerTurn(outbox: number): number {
  return Math.ceil(outbox / 16);
}

const [MAJOR = 0, MINOR = 0] = Deno.version.deno.split(".").map(Number);
/** Deno 2.6 gives a shared block to the first receiver only; with the others it throws. */
const SHARES = MAJOR > 2 || MAJOR === 2 && MINOR >= 9;

/**
 * Memory for a batch, shared between isolates where that works: nothing is copied on its way then, while a
 * BroadcastChannel takes 40 to 100 ns a byte for any other.
 */
export function allocateBatch(size: number): Uint8Array {
  return SHARES ? new Uint8Array(new SharedArrayBuffer(size)) : new Uint8Array(size);
}

/** Bounds of a {@linkcode BusSender}. */
export interface BusSenderOptions {
  /** Bytes of batches kept to be repeated; the newest one is kept whatever its size. */
  readonly ring: number;
  /** A test hook: true withholds a batch from the channel, as an overrun receiver would. */
  readonly withhold?: (number: number) => boolean;
}

/** What an edge has acknowledged. */
interface Reader {
  acknowledged: number;
  /** Of all bytes sent, those that came before its last acknowledgement. */
  taken: number;
}

/** What a receiver asked for again. */
export interface Replay {
  /** Batches in order, each following the one before. */
  readonly batches: readonly Uint8Array[];
  /** Number of the newest batch there is; when `batches` does not reach back to what was asked, the rest is lost. */
  readonly last: number;
}

/** The hub's end. */
export class BusSender {
  readonly #channel: BroadcastChannel;
  readonly #options: BusSenderOptions;
  readonly #readers = new Map<number, Reader>();
  /** `ends[i]`: all bytes sent up to and with `batches[i]`; both end with batch `#last`. */
  #batches: Uint8Array[] = [];
  #ends: number[] = [];
  #held = 0;
  #sent = 0;
  #last = 0;

  constructor(name: string, options: BusSenderOptions) {
    this.#channel = new BroadcastChannel(name);
    this.#options = options;
  }

  /** Number of the newest batch; 0 before the first. */
  get last(): number {
    return this.#last;
  }

  /** Posts what `encode` makes of the batch's number. */
  send(encode: (number: number) => Uint8Array): void {
    const batch = encode(++this.#last);
    this.#sent += batch.length;
    this.#held += batch.length;
    this.#batches.push(batch);
    this.#ends.push(this.#sent);
    this.#trim();
    if (!this.#options.withhold?.(this.#last)) this.#channel.postMessage(batch);
  }

  /** From here on the reader counts; returns the number of the last batch that it will not get. */
  join(reader: number): number {
    this.#readers.set(reader, { acknowledged: this.#last, taken: this.#sent });
    return this.#last;
  }

  leave(reader: number): void {
    this.#readers.delete(reader);
  }

  /** The reader has all batches up to `number`; of one that was never sent nothing is believed. */
  acknowledge(reader: number, number: number): void {
    const entry = this.#readers.get(reader);
    if (!entry || number <= entry.acknowledged || number > this.#last) return;
    entry.acknowledged = number;
    const index = this.#ends.length - 1 - (this.#last - number);
    entry.taken = index < 0 ? entry.taken : this.#ends[index]!;
  }

  /** Readers that have not acknowledged the newest batch. */
  behind(): number[] {
    return [...this.#readers].filter(([_, reader]) => reader.acknowledged < this.#last).map(([id]) => id);
  }

  /** Bytes by which the slowest reader lags. */
  lag(): number {
    let lag = 0;
    for (const reader of this.#readers.values()) lag = Math.max(lag, this.#sent - reader.taken);
    return lag;
  }

  /** The batches from `from` on that are still held. */
  replay(from: number): Replay {
    const first = this.#last - this.#batches.length + 1;
    return { batches: this.#batches.slice(Math.max(0, from - first)), last: this.#last };
  }

  close(): void {
    this.#channel.close();
  }

  #trim(): void {
    let drop = 0;
    while (this.#held > this.#options.ring && drop < this.#batches.length - 1) {
      this.#held -= this.#batches[drop++]!.length;
    }
    if (drop === 0) return;
    this.#batches.splice(0, drop);
    this.#ends.splice(0, drop);
  }
}

/** What a {@linkcode BusReceiver} calls. */
export interface BusReceiverEvents {
  /** The next batch, in order and once. */
  batch(batch: Uint8Array): void;
  /** Ask the hub for what it holds from this number on. Rejecting means to ask again at the next sign of a gap. */
  replay(from: number): Promise<Replay>;
  /** A gap was found; told once for each. */
  gap(): void;
  /** Batches are gone for good: what was in them has to come from history. */
  lost(): void;
}

/** Bytes of batches held back behind a gap; past it they are dropped and asked for again. */
const MAX_AHEAD = 16 << 20;

/** An edge's end. */
export class BusReceiver {
  readonly #channel: BroadcastChannel;
  readonly #events: BusReceiverEvents;
  readonly #ahead = new Map<number, Uint8Array>();
  #aheadBytes = 0;
  #last: number;
  #asking = false;

  /** @param last number of the last batch that this receiver need not see, as the hub told it */
  constructor(name: string, last: number, events: BusReceiverEvents) {
    this.#last = last;
    this.#events = events;
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = ({ data }) => this.#receive(data as Uint8Array);
  }

  /** Number of the last batch that was passed on. */
  get last(): number {
    return this.#last;
  }

  /** The hub says that `last` is its newest batch: whatever is missing up to there was dropped. */
  remind(last: number): void {
    if (last > this.#last) this.#ask();
  }

  close(): void {
    this.#channel.close();
  }

  #receive(batch: Uint8Array): void {
    const { number } = readBatchHead(batch);
    if (number === this.#last + 1) {
      this.#pass(number, batch);
      this.#passAhead();
    } else if (number > this.#last) {
      this.#holdAhead(number, batch);
      this.#ask();
    }
  }

  #pass(number: number, batch: Uint8Array): void {
    this.#last = number;
    this.#events.batch(batch);
  }

  #holdAhead(number: number, batch: Uint8Array): void {
    if (this.#ahead.has(number)) return;
    if (this.#aheadBytes + batch.length > MAX_AHEAD) this.#dropAhead();
    this.#ahead.set(number, batch);
    this.#aheadBytes += batch.length;
  }

  #dropAhead(): void {
    this.#ahead.clear();
    this.#aheadBytes = 0;
  }

  #passAhead(): void {
    while (this.#ahead.size > 0) {
      const number = this.#last + 1;
      const batch = this.#ahead.get(number);
      if (!batch) return;
      this.#ahead.delete(number);
      this.#aheadBytes -= batch.length;
      this.#pass(number, batch);
    }
  }

  #ask(): void {
    if (this.#asking) return;
    this.#asking = true;
    this.#events.gap();
    this.#events.replay(this.#last + 1).then((replay) => this.#repair(replay), () => this.#asking = false);
  }

  #repair({ batches, last }: Replay): void {
    this.#asking = false;
    const first = last - batches.length + 1;
    if (first > this.#last + 1) {
      this.#last = first - 1;
      this.#events.lost();
    }
    batches.forEach((batch, index) => {
      if (first + index === this.#last + 1) this.#pass(first + index, batch);
    });
    for (const number of this.#ahead.keys()) {
      if (number > this.#last) continue;
      this.#aheadBytes -= this.#ahead.get(number)!.length;
      this.#ahead.delete(number);
    }
    this.#passAhead();
    if (this.#ahead.size > 0) this.#ask();
  }
}
