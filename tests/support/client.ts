/** How a connection ended. */
export interface Closed {
  code: number;
  reason: string;
}

/** What a client may set beyond the address. */
export interface ClientOptions {
  protocols?: string[];
  headers?: Record<string, string>;
}

/** A WebSocket whose messages and end are awaited. Text frames are strings, binary frames byte arrays. */
export class Client implements AsyncDisposable {
  /** Resolves when the connection has ended, however. */
  readonly closed: Promise<Closed>;
  readonly socket: WebSocket;
  #arrived: (string | Uint8Array)[] = [];
  #waiting: { resolve(message: string | Uint8Array): void; reject(error: Error): void }[] = [];
  #ended: Closed | undefined;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => {
      const message = typeof data === "string" ? data : new Uint8Array(data);
      const waiting = this.#waiting.shift();
      if (waiting) waiting.resolve(message);
      else this.#arrived.push(message);
    };
    this.closed = new Promise((resolve) => {
      socket.onclose = ({ code, reason }) => {
        this.#ended = { code, reason };
        for (const { reject } of this.#waiting.splice(0)) reject(this.#over());
        resolve(this.#ended);
      };
    });
  }

  /** Messages that came and were not asked for yet. */
  get buffered(): number {
    return this.#arrived.length;
  }

  /**
   * The next message, in the order of arrival.
   *
   * @throws when the connection ends first, or nothing comes within `within` milliseconds
   */
  next(within = 10_000): Promise<string | Uint8Array> {
    const message = this.#arrived.shift();
    if (message !== undefined) return Promise.resolve(message);
    if (this.#ended) return Promise.reject(this.#over());
    return new Promise((resolve, reject) => {
      const waiting = {
        resolve: (message: string | Uint8Array) => (clearTimeout(timer), resolve(message)),
        reject: (error: Error) => (clearTimeout(timer), reject(error)),
      };
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(new Error(`no message within ${within} ms`));
      }, within);
      this.#waiting.push(waiting);
    });
  }

  /** The next message as text. */
  async nextText(within?: number): Promise<string> {
    const message = await this.next(within);
    if (typeof message !== "string") throw new TypeError(`a binary frame of ${message.length} bytes, not text`);
    return message;
  }

  send(data: string | Uint8Array<ArrayBuffer>): void {
    this.socket.send(data);
  }

  /** The close handshake, to its end. */
  close(code?: number, reason?: string): Promise<Closed> {
    this.socket.close(code, reason);
    return this.closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #over(): Error {
    return new Error(`the connection ended with ${this.#ended?.code} ${this.#ended?.reason}`);
  }
}

/**
 * Connects, e.g. `await using client = await connect(`${gong.ws}/push?channel=news`)`.
 *
 * @throws when the handshake is refused
 */
export async function connect(url: string, options: ClientOptions = {}): Promise<Client> {
  const { protocols = [], headers } = options;
  const socket = headers ? new WebSocket(url, { protocols, headers }) : new WebSocket(url, protocols);
  const client = new Client(socket);
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onerror = (event) => reject(new Error(`no connection to ${url}: ${(event as ErrorEvent).message}`));
  });
  socket.onerror = null;
  return client;
}
