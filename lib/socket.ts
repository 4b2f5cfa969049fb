/**
 * The WebSocket engine: the only user of `Deno.upgradeWebSocket`. Doors and sessions see only this class.
 *
 * What this engine cannot do: `terminate` (a peer that does not read keeps its TCP connection after `close`, until the
 * isolate ends), compression, and a bound on a frame before it is whole (64 MiB is Deno's own).
 *
 * @module
 */
import type { Carrier, CarrierEvents } from "./carrier.ts";
import { GongError } from "./errors.ts";
import type { Outlet } from "./outbox.ts";
import type { Data } from "./types.ts";

/** Longest close reason (RFC 6455 section 5.5: 125 bytes with the code). */
const MAX_REASON = 123;

/**
 * Deno drops the connection without a close frame when it reads another message after `close()`. So while the peer has
 * just sent something, closing waits until nothing came for `QUIET`, for `LONGEST` at most; in milliseconds.
 */
const QUIET = 20;
const LONGEST = 1000;

/** How a handshake is answered. */
export interface UpgradeOptions {
  /** Seconds of silence before a ping; after as long again without an answer the connection is closed. 0: never. */
  readonly ping: number;
  /** The subprotocol, one that the client offers. Default: none. */
  readonly protocol?: string | undefined;
}

/** One WebSocket connection. It listens itself, so that none of its handlers is a closure of its own. */
export class Socket implements Carrier {
  readonly #ws: WebSocket;
  #events: CarrierEvents | undefined;
  #closing = false;
  /** When the last message came, by `performance.now()`. */
  #heard = 0;

  private constructor(ws: WebSocket) {
    this.#ws = ws;
    ws.binaryType = "arraybuffer";
    ws.addEventListener("open", this, { once: true });
    ws.addEventListener("message", this);
    ws.addEventListener("close", this);
  }

  /**
   * Answers a request that passed `checkUpgrade` of `handshake.ts`. {@linkcode listen} has to follow at once.
   *
   * @throws {GongError} `bad_request` for a handshake that is none
   */
  static upgrade(request: Request, { ping, protocol }: UpgradeOptions): { socket: Socket; response: Response } {
    const { socket, response } = upgrade(request, ping * 2);
    // Deno's own option `protocol` looks for it between ", " and throws where a list has no spaces (2.6.10, 2.9.6).
    if (protocol !== undefined) response.headers.set("sec-websocket-protocol", protocol);
    return { socket: new Socket(socket), response };
  }

  listen(events: CarrierEvents): void {
    this.#events = events;
  }

  /** Bytes handed over that the peer has not taken; 0 once closing. */
  get pending(): number {
    return this.#ws.bufferedAmount;
  }

  /** For many messages, as long as it is open and nobody has called {@linkcode close}. */
  get outlet(): Outlet {
    return this.#ws as Outlet;
  }

  /** False from the first close on, whoever began it, also when Deno gave up on a silent peer. */
  get isOpen(): boolean {
    return !this.#closing && this.#ws.readyState === WebSocket.OPEN;
  }

  /** Once closing, by either side, it does nothing. */
  send(data: Data): void {
    if (!this.#closing) this.#ws.send(data as string);
  }

  /** Begins the closing handshake. A reason of more than 123 bytes is cut between two characters. */
  close(code: number, reason: string): void {
    if (this.#closing) return;
    this.#closing = true;
    const asked = performance.now();
    if (asked - this.#heard > LONGEST) this.#ws.close(code, cut(reason));
    else this.#closeWhenQuiet(code, cut(reason), asked + LONGEST);
  }

  #closeWhenQuiet(code: number, reason: string, latest: number): void {
    const now = performance.now();
    const wait = Math.min(this.#heard + QUIET, latest) - now;
    if (wait <= 0) this.#ws.close(code, reason);
    else setTimeout(() => this.#closeWhenQuiet(code, reason, latest), wait);
  }

  handleEvent(event: Event): void {
    switch (event.type) {
      case "open":
        return this.#events?.opened();
      case "message": {
        this.#heard = performance.now();
        if (this.#closing) return;
        const { data } = event as MessageEvent<string | ArrayBuffer>;
        return this.#events?.received(typeof data === "string" ? data : new Uint8Array(data));
      }
      case "close": {
        const { code, reason, wasClean } = event as CloseEvent;
        return this.#events?.closed(code, reason, wasClean);
      }
    }
  }
}

function upgrade(request: Request, idleTimeout: number): Deno.WebSocketUpgrade {
  try {
    return Deno.upgradeWebSocket(request, { idleTimeout });
  } catch (cause) {
    throw new GongError("bad_request", "The handshake could not be completed.", { cause });
  }
}

function cut(reason: string): string {
  const bytes = new TextEncoder().encode(reason);
  if (bytes.length <= MAX_REASON) return reason;
  return new TextDecoder().decode(bytes.subarray(0, MAX_REASON), { stream: true });
}
