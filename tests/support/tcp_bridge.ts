/**
 * A door of TCP before a WebSocket, for clients of STOMP that know no WebSocket: bytes become binary messages, and the
 * messages of the server bytes.
 *
 * @module
 */

const encoder = new TextEncoder();

/** The bridge, on a free port of the loopback. */
export class TcpBridge implements AsyncDisposable {
  readonly #target: string;
  readonly #protocols: readonly string[];
  readonly #listener: Deno.TcpListener;
  readonly #open = new Set<Disposable>();
  readonly #accepting: Promise<void>;

  /** @param target URL of the WebSocket, e.g. `ws://127.0.0.1:8998/ws` @param protocols that it is asked for */
  constructor(target: string, protocols: readonly string[] = []) {
    this.#target = target;
    this.#protocols = protocols;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#accepting = this.#accept();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  /** Ends every connection, without a word of STOMP. */
  cut(): void {
    for (const joined of [...this.#open]) joined[Symbol.dispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.cut();
    await this.#accepting;
  }

  async #accept(): Promise<void> {
    const joined: Promise<void>[] = [];
    try {
      for await (const conn of this.#listener) joined.push(this.#join(conn));
    } finally {
      await Promise.all(joined);
    }
  }

  /** Until both have ended: an end of either is one of the other. */
  async #join(conn: Deno.TcpConn): Promise<void> {
    const socket = new WebSocket(this.#target, [...this.#protocols]);
    socket.binaryType = "arraybuffer";
    const end = {
      [Symbol.dispose]: () => {
        socket.close();
        close(conn);
      },
    };
    this.#open.add(end);
    let writing = Promise.resolve();
    socket.onmessage = ({ data }) => {
      const bytes = typeof data === "string" ? encoder.encode(data) : new Uint8Array(data);
      writing = writing.then(() => writeAll(conn, bytes)).catch(() => socket.close());
    };
    const closed = new Promise<void>((resolve) => socket.onclose = () => resolve());
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.onopen = () => resolve(true);
      socket.onerror = () => resolve(false);
      void closed.then(() => resolve(false));
    });
    // What the server said last still goes to the client.
    const ended = closed.then(() => writing).then(() => close(conn));
    if (isOpen) await carry(conn, socket);
    socket.close();
    await ended;
    this.#open.delete(end);
  }
}

/** From the client to the server, until the client ends. */
async function carry(conn: Deno.TcpConn, socket: WebSocket): Promise<void> {
  const chunk = new Uint8Array(65_536);
  try {
    for (let count = await conn.read(chunk); count !== null; count = await conn.read(chunk)) {
      if (socket.readyState !== WebSocket.OPEN) return;
      socket.send(chunk.slice(0, count));
    }
  } catch {
    // Reset, or closed by us.
  }
}

async function writeAll(conn: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await conn.write(rest));
}

function close(conn: Deno.TcpConn): void {
  try {
    conn.close();
  } catch {
    // Closed before.
  }
}
