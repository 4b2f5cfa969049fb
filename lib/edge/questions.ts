/**
 * The questions that an edge's sessions have put and that are not answered yet.
 *
 * @module
 */
import { GongError } from "../errors.ts";
import type { Signal } from "../types.ts";

/** Questions that one session may wait for at once. */
export const MAX_QUESTIONS = 32;
/** Those that become due within so many milliseconds are dealt with together. */
const GRAIN = 20;

/** A question that was put. */
export interface Question {
  /** The secret by which it is answered; it begins with the number of the edge, as the ids of its sessions do. */
  readonly reply: string;
  /** The first answer; rejects with what {@linkcode Questions.refuse} says, or `timeout`. */
  readonly answer: Promise<Signal>;
}

/** One that nobody has answered. */
interface Open {
  readonly asker: object;
  /** By `performance.now()`. */
  readonly due: number;
  readonly resolve: (answer: Signal) => void;
  readonly reject: (error: GongError) => void;
}

/** All questions of an edge. */
export class Questions {
  readonly #edge: number;
  readonly #open = new Map<string, Open>();
  readonly #byAsker = new Map<object, Set<string>>();
  #timer: { readonly id: ReturnType<typeof setTimeout>; readonly due: number } | undefined;

  constructor(edge: number) {
    this.#edge = edge;
  }

  /** Questions that nobody has answered. */
  get size(): number {
    return this.#open.size;
  }

  /**
   * Opens one, for so many seconds.
   *
   * @throws {GongError} `too_many` when the asker waits for as many as it may
   */
  open(asker: object, seconds: number): Question {
    const own = this.#byAsker.get(asker) ?? new Set<string>();
    if (own.size >= MAX_QUESTIONS) throw new GongError("too_many", `At most ${MAX_QUESTIONS} questions at once.`);
    const reply = this.#newReply();
    const { promise, resolve, reject } = Promise.withResolvers<Signal>();
    const due = performance.now() + seconds * 1000;
    this.#open.set(reply, { asker, due, resolve, reject });
    this.#byAsker.set(asker, own.add(reply));
    this.#wake(due);
    return { reply, answer: promise };
  }

  /** Answers one; false when nobody waits for that any more. */
  answer(reply: string, answer: Signal): boolean {
    const open = this.#close(reply);
    open?.resolve(answer);
    return open !== undefined;
  }

  /** Ends one without an answer, if it is still open. */
  refuse(reply: string, error: GongError): void {
    this.#close(reply)?.reject(error);
  }

  /** Ends all of an asker that is gone. */
  drop(asker: object): void {
    for (const reply of [...this.#byAsker.get(asker) ?? []]) this.refuse(reply, new GongError("going_away"));
  }

  close(): void {
    clearTimeout(this.#timer?.id);
  }

  #newReply(): string {
    // 128 bits.
    const chance = crypto.getRandomValues(new BigUint64Array(2));
    return [this.#edge, ...chance].map((number) => number.toString(36)).join("-");
  }

  #close(reply: string): Open | undefined {
    const open = this.#open.get(reply);
    if (!open) return undefined;
    this.#open.delete(reply);
    const own = this.#byAsker.get(open.asker)!;
    own.delete(reply);
    if (own.size === 0) this.#byAsker.delete(open.asker);
    return open;
  }

  /** One timer for all: it is set for the first that is due. */
  #wake(due: number): void {
    if (this.#timer && this.#timer.due <= due) return;
    clearTimeout(this.#timer?.id);
    const wait = Math.max(GRAIN, due - performance.now());
    this.#timer = { due, id: setTimeout(() => this.#expire(), wait) };
  }

  #expire(): void {
    this.#timer = undefined;
    const now = performance.now();
    let next = Infinity;
    for (const [reply, { due }] of this.#open) {
      if (due <= now) this.refuse(reply, new GongError("timeout", "Nobody has answered in time."));
      else next = Math.min(next, due);
    }
    if (next < Infinity) this.#wake(next);
  }
}
