/**
 * A proxy of TCP whose connections can be cut, as a network does it.
 *
 * @module
 */

/** On a free port of the loopback, before a server there. */
export class TcpProxy implements AsyncDisposable {
  readonly #port: number;
  readonly #listener: Deno.TcpListener;
  readonly #open = new Set<Deno.TcpConn>();
  readonly #accepting: Promise<void>;
  /** Connections so far. */
  accepted = 0;

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

  async [Symbol.asyncDispose](): Promise<void> {
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

  async #join(conn: Deno.TcpConn): Promise<void> {
    this.#open.add(conn);
    try {
      const server = await Deno.connect({ hostname: "127.0.0.1", port: this.#port });
      // It was cut meanwhile.
      if (!this.#open.has(conn)) return close(server);
      this.#open.add(server);
      const ends = [conn.readable.pipeTo(server.writable), server.readable.pipeTo(conn.writable)];
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
