/**
 * An open WebSocket and the person or the pipe that uses it.
 *
 * @module
 */

// @ts-types="./ws.d.ts"
import type { WebSocket } from "ws";

/** How a conversation ended. */
export interface Ending {
  /** RFC 6455 section 7.1.5: 1005 when the server gave none, 1006 when it gave no close frame at all. */
  readonly code: number;
  readonly reason: string;
  /** What broke it, when something did. */
  readonly error?: Error;
}

/** What comes in: text, or bytes. */
export type OnMessage = (message: string | Uint8Array) => void;

/** Sends, measures, closes; its owner hears every message and awaits the end. */
export class Conversation {
  /** Resolves when the connection is over; never rejects. */
  readonly ended: Promise<Ending>;
  readonly #socket: WebSocket;
  readonly #pings = new Map<string, () => void>();
  readonly #sending = new Set<() => void>();
  #error: Error | undefined;
  #count = 0;
  /** The last text sent, until it comes back. */
  #unheard: string | undefined;
  #heard = () => {};
  #over = false;

  /** @param onMessage must not throw */
  constructor(socket: WebSocket, onMessage: OnMessage) {
    this.#socket = socket;
    socket.on("message", (data, isBinary) => {
      const message = isBinary ? data : data.toString();
      onMessage(message);
      if (message === this.#unheard) this.#hear();
    });
    socket.on("pong", (payload) => this.#pings.get(payload.toString())?.());
    socket.on("error", (error) => this.#error ??= error);
    this.ended = new Promise((resolve) => {
      socket.on("close", (code, reason) => {
        this.#over = true;
        for (const resolve of this.#sending) resolve();
        this.#hear();
        const ending = { code, reason: reason.toString() };
        resolve(this.#error === undefined ? ending : { ...ending, error: this.#error });
      });
    });
    socket.resume();
  }

  /** Whether the connection is over. */
  get over(): boolean {
    return this.#over;
  }

  /** Sends a text frame; resolves when the system has taken it, or the connection is over. */
  send(text: string): Promise<void> {
    this.#unheard = text;
    return new Promise((resolve) => {
      this.#sending.add(resolve);
      this.#socket.send(text, () => {
        this.#sending.delete(resolve);
        resolve();
      });
    });
  }

  /**
   * Sends a ping frame (RFC 6455 section 5.5.2).
   *
   * @returns milliseconds until its pong; undefined when none came within `timeout` seconds or the connection is over
   */
  async ping(timeout: number): Promise<number | undefined> {
    const payload = `gong ${++this.#count}`;
    const { promise, resolve } = Promise.withResolvers<number | undefined>();
    const timer = setTimeout(() => resolve(undefined), timeout * 1000);
    const start = performance.now();
    this.#pings.set(payload, () => resolve(performance.now() - start));
    // When it fails the connection is about to be over.
    this.#socket.ping(payload, true, () => {});
    try {
      return await Promise.race([promise, this.ended.then(() => undefined)]);
    } finally {
      clearTimeout(timer);
      this.#pings.delete(payload);
    }
  }

  /** Resolves when the last text sent has come back, the connection is over, or `within` milliseconds have passed. */
  async echo(within: number): Promise<void> {
    if (this.#unheard === undefined || this.#over) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, within);
    this.#heard = resolve;
    await promise;
    clearTimeout(timer);
  }

  /** Begins the close handshake, or ends the connection when the server does not answer it within two seconds. */
  close(): Promise<Ending> {
    this.#socket.close(1000);
    return this.ended;
  }

  /** Ends the connection at once. */
  abort(): void {
    this.#socket.terminate();
  }

  #hear(): void {
    this.#unheard = undefined;
    this.#heard();
  }
}
