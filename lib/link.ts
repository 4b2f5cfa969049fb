/**
 * Typed requests over a worker port. A port loses nothing and keeps its order; what one turn brings leaves as one message.
 *
 * @module
 */
import { ERRORS, GongError } from "./errors.ts";
import { Turn } from "./turn.ts";
import type { Refusal } from "./types.ts";

/** The half of a `MessagePort` or `Worker` (of `node:worker_threads`) that a link needs. */
export interface Port {
  postMessage(message: unknown): void;
  on(event: "message", listener: (message: unknown) => void): unknown;
}

/** What one side offers: every method takes one value and returns one, now or later. */
// deno-lint-ignore no-explicit-any
export type Methods = { [name: string]: (payload: any) => unknown };

type Wire =
  | { readonly ask: number; readonly method: string; readonly payload: unknown }
  | { readonly tell: string; readonly payload: unknown }
  | { readonly answer: number; readonly value: unknown }
  | { readonly answer: number; readonly refusal: Refusal };

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** One end of a port, whose other end offers `Remote`. */
export class Link<Remote> {
  readonly #port: Port;
  readonly #local: Methods;
  readonly #onFault: (error: unknown, method: string) => void;
  readonly #turn: Turn;
  readonly #pending = new Map<number, Pending>();
  #queue: Wire[] = [];
  #asked = 0;
  #closed: GongError | undefined;

  /**
   * @param port one end, not used by anybody else
   * @param local what this side offers
   * @param onFault told of errors that are not refusals; the other side sees only `internal`
   * @param turn the isolate's, so that what one turn brings leaves at its end
   */
  constructor(
    port: Port,
    local: object,
    onFault: (error: unknown, method: string) => void = () => {},
    turn = new Turn(),
  ) {
    this.#port = port;
    this.#local = local as Methods;
    this.#onFault = onFault;
    this.#turn = turn;
    port.on("message", (message) => this.#receive(message as Wire[]));
  }

  /** Asks the other side; rejects with the {@linkcode GongError} it refused with, or when the link closes. */
  request<M extends keyof Remote & string>(
    method: M,
    // deno-lint-ignore no-explicit-any
    payload: Remote[M] extends (payload: infer P) => any ? P : never,
    // deno-lint-ignore no-explicit-any
  ): Promise<Remote[M] extends (...payload: any[]) => infer R ? Awaited<R> : never> {
    if (this.#closed) return Promise.reject(this.#closed);
    const ask = ++this.#asked;
    const answer = new Promise<unknown>((resolve, reject) => this.#pending.set(ask, { resolve, reject }));
    this.#post({ ask, method, payload });
    return answer as never;
  }

  /** Tells the other side and expects no answer. */
  notify<M extends keyof Remote & string>(
    method: M,
    // deno-lint-ignore no-explicit-any
    payload: Remote[M] extends (payload: infer P) => any ? P : never,
  ): void {
    if (!this.#closed) this.#post({ tell: method, payload });
  }

  /** The other side is gone: what is open, or asked later, is rejected with `restarting`; nothing it says counts. */
  close(): void {
    this.#closed ??= new GongError("restarting");
    for (const pending of this.#pending.values()) pending.reject(this.#closed);
    this.#pending.clear();
    this.#queue = [];
  }

  #post(wire: Wire): void {
    if (this.#queue.push(wire) === 1) this.#turn.leave(() => this.#flush());
  }

  #flush(): void {
    const queue = this.#queue;
    this.#queue = [];
    if (queue.length > 0 && !this.#closed) this.#port.postMessage(queue);
  }

  #receive(wires: readonly Wire[]): void {
    if (this.#closed) return;
    for (const wire of wires) {
      if ("ask" in wire) void this.#answer(wire.ask, wire.method, wire.payload);
      else if ("tell" in wire) {
        void this.#call(wire.tell, wire.payload).catch((error) => this.#onFault(error, wire.tell));
      } else this.#settle(wire);
    }
  }

  // deno-lint-ignore require-await -- so that a throw becomes a rejection
  async #call(method: string, payload: unknown): Promise<unknown> {
    const handler = Object.hasOwn(this.#local, method) ? this.#local[method] : undefined;
    if (!handler) throw new TypeError(`The other isolate has no method ${method}`);
    return handler.call(this.#local, payload);
  }

  async #answer(answer: number, method: string, payload: unknown): Promise<void> {
    try {
      this.#post({ answer, value: await this.#call(method, payload) });
    } catch (error) {
      if (!(error instanceof GongError)) this.#onFault(error, method);
      this.#post({ answer, refusal: GongError.from(error).toRefusal() });
    }
  }

  #settle(wire: Extract<Wire, { answer: number }>): void {
    const pending = this.#pending.get(wire.answer);
    this.#pending.delete(wire.answer);
    if ("refusal" in wire) pending?.reject(GongError.fromRefusal(wire.refusal));
    else pending?.resolve(wire.value);
  }
}

/** A promise that gives up: rejects with `overloaded` when `promise` is not settled within `seconds`. */
export async function within<T>(seconds: number, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new GongError("overloaded", ERRORS.overloaded.text)), seconds * 1000);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
