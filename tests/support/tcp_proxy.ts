/**
 * A proxy of TCP whose connections can be cut, stand still and be slow, as a network does it.
 *
 * @module
 */
import { setTimeout as delay } from "node:timers/promises";

/** To the server, or to its clients. */
export type Direction = "up" | "down";

const DIRECTIONS: readonly Direction[] = ["up", "down"];

/** On a free port of the loopback, before a server there. */
export class TcpProxy implements AsyncDisposable {
  readonly #port: number;
  readonly #listener: Deno.TcpListener;
  readonly #open = new Set<Deno.TcpConn>();
  readonly #accepting: Promise<void>;
  /** What is held back waits for it. */
  readonly #held = new Map<Direction, PromiseWithResolvers<void>>();
  /** Connections so far. */
  accepted = 0;
  /** For how long each piece is on its way, in milliseconds; order is kept. */
  lag: () => number = () => 0;

  constructor(target: { readonly port: number }) {
    this.#port = target.port;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#accepting = this.#accept();
  }

  /** Origin, e.g. `http://127.0.0.1:40123`. */
  get url(): string {
    return `http://127.0.0.1:${this.#listener.addr.port}`;
  }

  /** Ends every connection there is. */
  cut(): void {
    for (const conn of [...this.#open]) close(conn);
    this.#open.clear();
  }

  /** Lets nothing through in these directions until it is released: new connections are taken, and are silent. */
  hold(directions: readonly Direction[] = DIRECTIONS): void {
    for (const direction of directions) {
      if (!this.#held.has(direction)) this.#held.set(direction, Promise.withResolvers());
    }
  }

  /** What was held back goes on, unless its connection was cut. */
  release(): void {
    for (const { resolve } of this.#held.values()) resolve();
    this.#held.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
    this.#listener.close();
    this.cut();
    await this.#accepting;
  }

  async #accept(): Promise<void> {
    const joined: Promise<void>[] = [];
    for await (const conn of this.#listener) {
      this.accepted++;
      joined.push(this.#join(conn));
    }
    await Promise.all(joined);
  }

  #carry(direction: Direction): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
    return new TransformStream({
      transform: async (piece, controller) => {
        const lag = this.lag();
        if (lag > 0) await delay(lag);
        while (this.#held.has(direction)) await this.#held.get(direction)!.promise;
        controller.enqueue(piece);
      },
    });
  }

  async #join(conn: Deno.TcpConn): Promise<void> {
    this.#open.add(conn);
    try {
      const server = await Deno.connect({ hostname: "127.0.0.1", port: this.#port });
      // It was cut meanwhile.
      if (!this.#open.has(conn)) return close(server);
      this.#open.add(server);
      const ends = [
        conn.readable.pipeThrough(this.#carry("up")).pipeTo(server.writable),
        server.readable.pipeThrough(this.#carry("down")).pipeTo(conn.writable),
      ];
      await Promise.allSettled(ends);
      this.#open.delete(server);
      close(server);
    } catch {
      // The server is away.
    }
    this.#open.delete(conn);
    close(conn);
  }
}

function close(conn: Deno.TcpConn): void {
  try {
    conn.close();
  } catch {
    // Closed before.
  }
}
