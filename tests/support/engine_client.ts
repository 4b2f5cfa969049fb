/**
 * A client of Engine.IO by hand: requests and WebSockets, with nothing between a test and the wire.
 *
 * @module
 */

/** What the first packet says. */
export interface Handshake {
  readonly sid: string;
  readonly upgrades: readonly string[];
  readonly pingInterval: number;
  readonly pingTimeout: number;
  readonly maxPayload: number;
}

/** An answer, read to its end. */
export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

/** Asks with these parameters of the query. */
export async function ask(url: string, query: Record<string, string>, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(`${url}?${new URLSearchParams(query)}`, init);
  return { status: response.status, text: await response.text(), headers: response.headers };
}

/** A session that polls. */
export class Poller {
  readonly url: string;
  readonly handshake: Handshake;
  readonly query: Record<string, string>;

  private constructor(url: string, handshake: Handshake, query: Record<string, string>) {
    this.url = url;
    this.handshake = handshake;
    this.query = query;
  }

  static async open(url: string, protocol: 3 | 4 = 4, more: Record<string, string> = {}): Promise<Poller> {
    const query = { EIO: String(protocol), transport: "polling", ...more };
    const { status, text } = await ask(url, query);
    if (status !== 200) throw new Error(`${status} ${text}`);
    const packet = protocol === 3 ? text.slice(text.indexOf(":") + 1) : text;
    if (packet[0] !== "0") throw new Error(text);
    const handshake: Handshake = JSON.parse(packet.slice(1));
    return new Poller(url, handshake, { ...query, sid: handshake.sid });
  }

  get sid(): string {
    return this.handshake.sid;
  }

  poll(init: RequestInit = {}): Promise<Answer> {
    return ask(this.url, this.query, init);
  }

  post(body: BodyInit, headers: Record<string, string> = {}): Promise<Answer> {
    return ask(this.url, this.query, { method: "POST", body, headers });
  }

  /** A WebSocket that wants to go on with it. */
  upgrade(): Promise<Wire> {
    return Wire.open(this.url, { ...this.query, transport: "websocket" });
  }
}

/** A WebSocket whose messages are read one by one. */
export class Wire {
  readonly ws: WebSocket;
  readonly #messages: (string | Uint8Array)[] = [];
  #wake: (() => void) | undefined;
  /** How it ended. */
  closed: { readonly code: number; readonly reason: string } | undefined;
  isOpen = false;

  private constructor(ws: WebSocket) {
    this.ws = ws;
    ws.binaryType = "arraybuffer";
    ws.onopen = () => this.#change(() => this.isOpen = true);
    ws.onmessage = ({ data }) => {
      this.#change(() => this.#messages.push(typeof data === "string" ? data : new Uint8Array(data)));
    };
    ws.onclose = ({ code, reason }) => this.#change(() => this.closed = { code, reason });
  }

  /** Resolves when it is open, or was refused. */
  static async open(url: string, query: Record<string, string>): Promise<Wire> {
    const ws = new WebSocket(`${url.replace("http", "ws")}?${new URLSearchParams(query)}`);
    const wire = new Wire(ws);
    while (!wire.isOpen && !wire.closed) await wire.#changed();
    return wire;
  }

  /** A session that has a WebSocket from the start. */
  static async begin(url: string, protocol: 3 | 4 = 4): Promise<{ wire: Wire; handshake: Handshake }> {
    const wire = await Wire.open(url, { EIO: String(protocol), transport: "websocket" });
    const text = await wire.next();
    if (typeof text !== "string" || text[0] !== "0") throw new Error(`no handshake: ${text}`);
    return { wire, handshake: JSON.parse(text.slice(1)) };
  }

  send(data: string | Uint8Array<ArrayBuffer>): void {
    this.ws.send(data);
  }

  /** The next message. @throws when it ends before */
  async next(): Promise<string | Uint8Array> {
    while (this.#messages.length === 0) {
      if (this.closed) throw new Error(`closed with ${this.closed.code} ${this.closed.reason}`);
      await this.#changed();
    }
    return this.#messages.shift()!;
  }

  async end(): Promise<{ readonly code: number; readonly reason: string }> {
    while (!this.closed) await this.#changed();
    return this.closed;
  }

  async close(): Promise<void> {
    this.ws.close();
    await this.end();
  }

  #changed(): Promise<void> {
    return new Promise((resolve) => this.#wake = resolve);
  }

  #change(change: () => unknown): void {
    change();
    this.#wake?.();
    this.#wake = undefined;
  }
}
