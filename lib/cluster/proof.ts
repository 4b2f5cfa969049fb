/**
 * How nodes know that it is one of them who asks or answers, and that nobody repeats it: by a code under a secret that all
 * of them read from their broker. No clock is needed: every node counts what it asks, and says which run of it counts.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { remember, Window } from "./counts.ts";

/** What a request is about, beside its body. */
export interface Ask {
  /** The runs of who asks and of who is asked: no other process has had them. */
  readonly from: string;
  readonly to: string;
  /** Counts what `from` asks of `to`, from 1 or higher. */
  readonly count: number;
  readonly method: string;
  /** {@linkcode digestOf} the body. */
  readonly digest: string;
}

/** Runs that are remembered, those that asked last; and those of them whose counts may come out of order. */
export const MOST_RUNS = 10_000;
const MOST_WINDOWS = 1000;

/** Makes and checks codes. */
export class Proof {
  readonly #key: Uint8Array;
  readonly #windows = new Map<string, Window>();
  /** Of other runs: their last counts. */
  readonly #last = new Map<string, number>();

  /** @param secret that of the cluster */
  constructor(secret: Uint8Array) {
    this.#key = createHmac("sha256", secret).update("gong nodes").digest();
  }

  /** The code of a request. */
  ofAsk({ from, to, count, method, digest }: Ask): string {
    return this.#sign(["ask", from, to, String(count), method, digest]);
  }

  /** The code of the answer to a request, under the status that it has. */
  ofAnswer({ from, to, count }: Ask, status: number, digest: string): string {
    return this.#sign(["answer", from, to, String(count), String(status), digest]);
  }

  /** Whether the code is that of the request, which has not been made before. Asked once of each. */
  accepts(ask: Ask, code: string): boolean {
    return isSame(code, this.ofAsk(ask)) && this.#isNew(ask);
  }

  /** Whether the code is that of the answer. */
  isOfAnswer(code: string, ask: Ask, status: number, digest: string): boolean {
    return isSame(code, this.ofAnswer(ask, status, digest));
  }

  #isNew({ from, count }: Ask): boolean {
    const window = this.#windows.get(from) ?? new Window(this.#last.get(from));
    if (!window.take(count)) return false;
    this.#last.delete(from);
    remember(this.#windows, from, window, MOST_WINDOWS, ({ last }, run) => remember(this.#last, run, last, MOST_RUNS));
    return true;
  }

  /** No part has a line feed in it. */
  #sign(parts: readonly string[]): string {
    return createHmac("sha256", this.#key).update(parts.join("\n")).digest("base64url");
  }
}

/** Stands for a body. */
export function digestOf(body: string): string {
  return createHash("sha256").update(body).digest("base64url");
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
