/**
 * One WebSocket of the generator, on a plain TCP or TLS socket.
 *
 * @module
 */

import { concat } from "../../bytes.ts";
import { encodeFrame, FrameReader, type OnData, OPCODES } from "./frames.ts";

/** The sample nonce of RFC 6455 section 1.3 and its answer: a measuring client needs no fresh one. */
const NONCE = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const LARGEST_HEAD = 16 * 1024;

/** What belongs to all connections of a run. */
export interface ConnectionOptions {
  readonly url: URL;
  /** Sent as `X-API-Key`; empty: none. */
  readonly apiKey: string;
  /** PEM texts of further authorities for `wss:`. */
  readonly caCerts: readonly string[];
  /** Milliseconds for connecting, handshake included. */
  readonly timeout: number;
  /** Bytes of the buffer that the socket is read into. */
  readonly buffer: number;
  /** The subprotocol that the server has to take; without: none is offered. */
  readonly protocol?: string;
}

/** The server answered the handshake with something else than 101. */
export class HandshakeError extends Error {
  override readonly name = "HandshakeError";
}

/** An open WebSocket. */
export class Connection {
  /** Resolves once it is over, to the close code, or to a word when there was none: `end`, `error`, `protocol`. */
  readonly closed: Promise<string>;
  readonly #socket: Deno.Conn;
  readonly #reader: FrameReader;
  #outgoing: Uint8Array<ArrayBuffer>[] = [];
  #writing: Promise<void> | undefined;
  #code: string | undefined;

  constructor(socket: Deno.Conn, rest: Uint8Array, onData: OnData, buffer: number) {
    this.#socket = socket;
    this.#reader = new FrameReader(onData, (opcode, payload) => this.#control(opcode, payload), buffer);
    this.closed = this.#read(rest);
  }

  /** Queues frames; resolves when the socket has taken them and all before. Never rejects: see `closed`. */
  write(frames: Uint8Array<ArrayBuffer>): Promise<void> {
    this.#outgoing.push(frames);
    return this.#writing ??= this.#flush();
  }

  /** Closes with 1000 and waits for the server to end the connection, until `limit` at most. */
  async close(limit: Promise<void>): Promise<void> {
    this.#code ??= "own";
    this.write(encodeFrame(OPCODES.close, Uint8Array.of(3, 232)));
    await Promise.race([this.closed, limit]);
    close(this.#socket);
    await this.closed;
  }

  async #flush(): Promise<void> {
    try {
      while (this.#outgoing.length > 0) {
        const bytes = this.#outgoing.length === 1 ? this.#outgoing[0]! : concat(this.#outgoing);
        this.#outgoing = [];
        for (let at = 0; at < bytes.length;) at += await this.#socket.write(bytes.subarray(at));
      }
    } catch {
      // The reading side finds the same end, and tells it.
      this.#outgoing = [];
    } finally {
      this.#writing = undefined;
    }
  }

  async #read(rest: Uint8Array): Promise<string> {
    try {
      this.#reader.push(rest);
      for (;;) {
        const count = await this.#socket.read(this.#reader.space);
        if (count === null) return this.#code ?? "end";
        this.#reader.take(count);
      }
    } catch (error) {
      return this.#code ?? (error instanceof SyntaxError ? "protocol" : "error");
    } finally {
      close(this.#socket);
    }
  }

  #control(opcode: number, payload: Uint8Array): void {
    if (opcode === OPCODES.ping) {
      this.write(encodeFrame(OPCODES.pong, payload));
    } else if (opcode === OPCODES.close) {
      if (this.#code !== undefined) return;
      this.#code = payload.length < 2 ? "1005" : String(payload[0]! << 8 | payload[1]!);
      this.write(encodeFrame(OPCODES.close, payload.subarray(0, 2)));
    }
  }
}

/**
 * Connects and shakes hands.
 *
 * @throws {HandshakeError} when the server refuses, e.g. `429 Too Many Requests`
 * @throws {Error} when there is no such server, or it does not answer in time
 */
export async function openConnection(options: ConnectionOptions, onData: OnData): Promise<Connection> {
  const { url } = options;
  const address = { hostname: url.hostname.replace(/^\[|\]$/g, ""), port: portOf(url) };
  const socket = url.protocol === "wss:"
    ? await Deno.connectTls({ ...address, caCerts: [...options.caCerts] })
    : await Deno.connect(address);
  const timer = setTimeout(() => close(socket), options.timeout);
  try {
    if ("setNoDelay" in socket) socket.setNoDelay(true);
    const rest = await shakeHands(socket, options);
    return new Connection(socket, rest, onData, options.buffer);
  } catch (error) {
    close(socket);
    throw error instanceof HandshakeError ? error : new Error("no answer to the handshake", { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

function portOf(url: URL): number {
  return url.port === "" ? (url.protocol === "wss:" ? 443 : 80) : Number(url.port);
}

async function shakeHands(socket: Deno.Conn, { url, apiKey, protocol }: ConnectionOptions): Promise<Uint8Array> {
  const lines = [
    `GET ${url.pathname}${url.search} HTTP/1.1`,
    `Host: ${url.host}`,
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Key: ${NONCE}`,
    "Sec-WebSocket-Version: 13",
    "User-Agent: gong-bench",
  ];
  if (apiKey !== "") lines.push(`X-API-Key: ${apiKey}`);
  if (protocol !== undefined) lines.push(`Sec-WebSocket-Protocol: ${protocol}`);
  const request = new TextEncoder().encode(lines.join("\r\n") + "\r\n\r\n");
  for (let at = 0; at < request.length;) at += await socket.write(request.subarray(at));

  // Text of Latin-1 has one character a byte, so that what follows the head is cut at the right place.
  const bytes = new Uint8Array(LARGEST_HEAD);
  let length = 0;
  for (;;) {
    const count = await socket.read(bytes.subarray(length));
    if (count === null) throw new Error("the server hung up");
    length += count;
    const head = new TextDecoder("latin1").decode(bytes.subarray(0, length));
    const end = head.indexOf("\r\n\r\n");
    if (end < 0 && length < LARGEST_HEAD) continue;
    const status = /^HTTP\/1\.1 (\d{3}[^\r\n]*)/.exec(head)?.[1] ?? "no HTTP/1.1";
    if (!status.startsWith("101")) throw new HandshakeError(status.trim());
    if (!head.includes(ACCEPT)) throw new HandshakeError("101 with a wrong Sec-WebSocket-Accept");
    if (protocol !== undefined && !hasChosen(head.slice(0, end), protocol)) {
      throw new HandshakeError(`101 without the subprotocol ${protocol}`);
    }
    return bytes.slice(end + 4, length);
  }
}

/** RFC 6455 section 4.1: the subprotocol in use is the one in the answer, and none when there is none. */
function hasChosen(head: string, protocol: string): boolean {
  return /^Sec-WebSocket-Protocol:[ \t]*(\S+)[ \t]*$/im.exec(head)?.[1] === protocol;
}

function close(socket: Deno.Conn): void {
  try {
    socket.close();
  } catch {
    // Closed already.
  }
}
