/**
 * Subscriptions that begin together, or not at all.
 *
 * @module
 */
import type { DoorSession, Gate, SubscribeAnswer } from "../../door.ts";
import { GongError } from "../../errors.ts";
import type { Position, Start } from "../../types.ts";

/** Where a subscription begins. */
export interface Begun {
  readonly position: Position;
  /** False where something before it is missing that was asked for. */
  readonly recovered: boolean;
}

/**
 * Subscribes a session to channels. Of all of them it is told where they begin before anything is given of any, so that it
 * can be thought over; whether they go on then is said by {@linkcode open} or {@linkcode undo}.
 */
export class Arrival implements Gate {
  isOpen = false;
  readonly opened: Promise<void>;
  /** Resolves when it is known of all channels where they begin. Rejects when one is refused: none is subscribed then. */
  readonly begun: Promise<ReadonlyMap<string, Begun>>;
  /** Resolves when it goes on, or has come to nothing. */
  readonly over: Promise<void>;
  readonly #session: DoorSession;
  readonly #starts: ReadonlyMap<string, Start | undefined>;
  readonly #answers = new Map<string, Answer>();
  readonly #begun = new Map<string, Begun>();
  #open!: () => void;
  #end!: () => void;
  #resolve!: (begun: ReadonlyMap<string, Begun>) => void;
  #reject!: (error: unknown) => void;
  #error: unknown;

  /** @param starts by channel, where in it, if not with what comes now */
  constructor(session: DoorSession, starts: ReadonlyMap<string, Start | undefined>) {
    this.#session = session;
    this.#starts = starts;
    this.opened = new Promise((resolve) => this.#open = resolve);
    this.over = new Promise((resolve) => this.#end = resolve);
    this.begun = new Promise((resolve, reject) => [this.#resolve, this.#reject] = [resolve, reject]);
    this.#subscribe();
  }

  has(channel: string): boolean {
    return this.#starts.has(channel);
  }

  /** @throws what has made it fail, also since it was {@linkcode begun} */
  check(): void {
    if (this.#error !== undefined) throw this.#error;
  }

  /** What has been missed follows, and what is live. */
  open(): void {
    this.isOpen = true;
    this.#open();
    this.#end();
  }

  /** Comes to nothing; what the session had heard before it hears on. */
  undo(): void {
    for (const [channel, answer] of this.#answers) if (!answer.wasHeard) this.#session.unsubscribe(channel);
    this.#answers.clear();
    this.#end();
  }

  /** One of the channels is refused, or there is nobody any more. */
  fail(error: unknown): void {
    if (this.isOpen || this.#error !== undefined) return;
    this.#error = error;
    this.#reject(error);
    this.undo();
  }

  /** It is known where the subscription begins. */
  tell(channel: string, begun: Begun): void {
    this.#begun.set(channel, begun);
    this.#look();
  }

  #subscribe(): void {
    try {
      for (const [channel, start] of this.#starts) {
        const answer = new Answer(this, channel, start);
        this.#session.subscribe(channel, start, answer);
        this.#answers.set(channel, answer);
      }
    } catch (error) {
      this.fail(error);
    }
    this.#look();
  }

  #look(): void {
    if (this.#begun.size === this.#starts.size) this.#resolve(this.#begun);
  }
}

/** Of one channel. */
class Answer implements SubscribeAnswer {
  readonly gate: Arrival;
  readonly #channel: string;
  readonly #start: Start | undefined;
  /** The session hears the channel already, whoever has had it do so. */
  wasHeard = false;

  constructor(gate: Arrival, channel: string, start: Start | undefined) {
    this.gate = gate;
    this.#channel = channel;
    this.#start = start;
  }

  subscribed({ epoch, offset }: Position, recovered: boolean): void {
    const start = this.#start;
    // What is heard already is not begun anew, and from where it was asked for.
    const isThere = !start || "last" in start || start.epoch === epoch && start.offset === offset;
    this.gate.tell(this.#channel, { position: { epoch, offset }, recovered: recovered && isThere });
  }

  refused(error: GongError): void {
    this.gate.fail(error);
  }

  inForce(): void {
    if (!this.gate.isOpen) this.wasHeard = true;
  }
}
