/**
 * The answer to a request that carries a session: bytes out, as long as both sides like.
 *
 * What this engine cannot do: end the connection of a peer that does not read (it stays until the isolate ends), and tell
 * how much of what Deno has taken is still on its way.
 *
 * @module
 */
import type { Carrier, CarrierEvents } from "./carrier.ts";
import type { Outlet } from "./outbox.ts";
import type { Data } from "./types.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const encoder = new TextEncoder();
const STRATEGY: QueuingStrategy<Bytes> = { highWaterMark: 0, size: (chunk) => chunk.length };

/** One answer. What is sent has to be bytes, or text that only this client gets. */
export class ResponseStream implements Carrier {
  readonly body: ReadableStream<Bytes>;
  #controller!: ReadableStreamDefaultController<Bytes>;
  #events: CarrierEvents | undefined;
  #closing: { code: number; reason: string } | undefined;
  #gone = false;

  constructor() {
    this.body = new ReadableStream<Bytes>({
      start: (controller) => {
        this.#controller = controller;
      },
      cancel: () => this.#end(),
    }, STRATEGY);
  }

  listen(events: CarrierEvents): void {
    this.#events = events;
  }

  /**
   * The answer is about to begin.
   *
   * @param preamble what comes before everything else
   * @param completed resolves or rejects when it was sent to its end, or cannot be
   */
  open(preamble: string, completed: Promise<void>): void {
    completed.then(() => this.#end(), () => this.#end());
    if (preamble !== "") this.send(preamble);
    this.#events?.opened();
  }

  /** Bytes that Deno has not taken. */
  get pending(): number {
    return this.#gone ? 0 : -(this.#controller.desiredSize ?? 0);
  }

  get outlet(): Outlet {
    return this;
  }

  get isOpen(): boolean {
    return this.#closing === undefined && !this.#gone;
  }

  send(data: Data): void {
    if (!this.isOpen) return;
    this.#controller.enqueue((typeof data === "string" ? encoder.encode(data) : data) as Bytes);
  }

  /** Ends the answer behind what was sent. Code and reason are for the log: a door writes its own last words. */
  close(code: number, reason: string): void {
    if (!this.isOpen) return;
    this.#closing = { code, reason };
    this.#controller.close();
  }

  /** Deno may find that the peer has gone while it is handed something, amid all others who are to get that too. */
  #end(): void {
    if (this.#gone) return;
    this.#gone = true;
    const { code, reason } = this.#closing ?? { code: 1006, reason: "" };
    queueMicrotask(() => this.#events?.closed(code, reason, this.#closing !== undefined));
  }
}
