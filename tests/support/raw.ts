/**
 * HTTP and WebSocket by hand over TCP, to send what no well-behaved client does.
 *
 * @module
 */
import { encodeFrame, type Frame, type FrameOptions, OPCODE, parseFrame } from "./frames.ts";
import { type Fields, handshake } from "./requests.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A complete HTTP response. */
export interface RawResponse {
  status: number;
  headers: Headers;
  body: string;
}

/** One TCP connection. Every wait ends with an error after `patience` milliseconds. */
export class RawConnection implements Disposable {
  readonly #conn: Deno.TcpConn;
  readonly #patience: number;
  #bytes = new Uint8Array();
  #ended = false;

  constructor(conn: Deno.TcpConn, patience: number) {
    this.#conn = conn;
    this.#patience = patience;
  }

  static async open(port: number, { hostname = "127.0.0.1", patience = 10_000 } = {}): Promise<RawConnection> {
    const conn = await Deno.connect({ hostname, port });
    // What is written leaves, though what was written before is not acknowledged.
    conn.setNoDelay();
    return new RawConnection(conn, patience);
  }

  /** Sends all of `data`. */
  async write(data: string | Uint8Array): Promise<void> {
    let rest = typeof data === "string" ? encoder.encode(data) : data;
    while (rest.length > 0) rest = rest.subarray(await this.#conn.write(rest));
  }

  /** A client's frame: masked, unless told otherwise. */
  async sendFrame(opcode: number, payload: string | Uint8Array = "", options: FrameOptions = {}): Promise<void> {
    await this.write(encodeFrame(opcode, typeof payload === "string" ? encoder.encode(payload) : payload, options));
  }

  /** A close frame with `code`, or with an empty body. */
  async sendClose(code?: number, reason = ""): Promise<void> {
    const text = encoder.encode(reason);
    const payload = code === undefined ? new Uint8Array() : Uint8Array.of(code >> 8, code & 255, ...text);
    await this.sendFrame(OPCODE.close, payload);
  }

  /**
   * The next response, its body read by `Content-Length`, chunks, or up to the end of the connection.
   *
   * @param method of the request: the answer to HEAD has no body
   */
  async readResponse(method = "GET"): Promise<RawResponse> {
    const head = decoder.decode(await this.#readThrough("\r\n\r\n"));
    const [first = "", ...lines] = head.trimEnd().split("\r\n");
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(first)?.[1] ?? NaN);
    if (Number.isNaN(status)) throw new Error(`not an HTTP response: ${first}`);
    const headers = new Headers(lines.map((line): [string, string] => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    }));
    return { status, headers, body: decoder.decode(await this.#readBody(method, status, headers)) };
  }

  /** The next frame of the server. */
  async readFrame(): Promise<Frame> {
    for (;;) {
      const parsed = parseFrame(this.#bytes);
      if (parsed) {
        this.#bytes = this.#bytes.subarray(parsed.length);
        return parsed.frame;
      }
      await this.#more();
    }
  }

  /** The next frame that has this opcode; those before it are dropped. */
  async readFrameOf(opcode: number): Promise<Frame> {
    for (;;) {
      const frame = await this.readFrame();
      if (frame.opcode === opcode) return frame;
    }
  }

  /** The close code the server gives, 1005 when it gives none; undefined when it drops the connection without a word. */
  async readClose(): Promise<number | undefined> {
    try {
      const { payload: [high, low] } = await this.readFrameOf(OPCODE.close);
      return high === undefined || low === undefined ? 1005 : high << 8 | low;
    } catch (error) {
      if (this.#ended) return undefined;
      throw error;
    }
  }

  /** Sends nothing more; reading goes on. */
  async end(): Promise<void> {
    await this.#conn.closeWrite();
  }

  /** Waits until something comes, and leaves it to be read. */
  async readSome(): Promise<void> {
    if (this.#bytes.length === 0) await this.#more();
  }

  /** Whatever comes until the server ends the connection. */
  async readToEnd(): Promise<Uint8Array> {
    while (!this.#ended) await this.#more(false);
    return this.#take(this.#bytes.length);
  }

  close(): void {
    try {
      this.#conn.close();
    } catch {
      // Closed before.
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #readBody(method: string, status: number, headers: Headers): Promise<Uint8Array> {
    if (method === "HEAD" || status < 200 || status === 204 || status === 304) return new Uint8Array();
    const length = headers.get("content-length");
    if (length !== null) return await this.#readExactly(Number(length));
    if (headers.get("transfer-encoding") !== "chunked") return await this.readToEnd();
    const chunks: number[] = [];
    for (;;) {
      const size = Number.parseInt(decoder.decode(await this.#readThrough("\r\n")), 16);
      const chunk = await this.#readExactly(size + 2);
      if (size === 0) return Uint8Array.from(chunks);
      chunks.push(...chunk.subarray(0, size));
    }
  }

  async #readExactly(count: number): Promise<Uint8Array> {
    while (this.#bytes.length < count) await this.#more();
    return this.#take(count);
  }

  async #readThrough(mark: string): Promise<Uint8Array> {
    for (;;) {
      const at = latin1(this.#bytes).indexOf(mark);
      if (at >= 0) return this.#take(at + mark.length);
      await this.#more();
    }
  }

  #take(count: number): Uint8Array {
    const taken = this.#bytes.slice(0, count);
    this.#bytes = this.#bytes.subarray(count);
    return taken;
  }

  /** Reads once; the end of the connection is an error unless it is `expected`. */
  async #more(required = true): Promise<void> {
    const chunk = new Uint8Array(65_536);
    const count = await this.#read(chunk);
    if (count === null) {
      this.#ended = true;
      if (required) throw new Error(`the server ended the connection after ${JSON.stringify(latin1(this.#bytes))}`);
      return;
    }
    const joined = new Uint8Array(this.#bytes.length + count);
    joined.set(this.#bytes);
    joined.set(chunk.subarray(0, count), this.#bytes.length);
    this.#bytes = joined;
  }

  async #read(chunk: Uint8Array): Promise<number | null> {
    let impatient = false;
    const timer = setTimeout(() => {
      impatient = true;
      this.close();
    }, this.#patience);
    try {
      return await this.#conn.read(chunk);
    } catch (error) {
      if (impatient) {
        throw new Error(`nothing came within ${this.#patience} ms; before: ${JSON.stringify(latin1(this.#bytes))}`);
      }
      // A reset is an end too.
      if (error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe) return null;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Sends `bytes` on a connection of its own and reads one response. */
export async function rawRequest(port: number, bytes: string | Uint8Array): Promise<RawResponse> {
  using connection = await RawConnection.open(port);
  await connection.write(bytes);
  const method = typeof bytes === "string" ? bytes.slice(0, bytes.indexOf(" ")) : "GET";
  return await connection.readResponse(method);
}

/**
 * A WebSocket by hand.
 *
 * @throws when the server answers anything but 101
 */
export async function openWebSocket(
  port: number,
  target = "/push",
  fields: Fields = {},
): Promise<RawConnection> {
  const connection = await RawConnection.open(port);
  await connection.write(handshake(target, fields));
  const { status, body } = await connection.readResponse();
  if (status !== 101) {
    connection.close();
    throw new Error(`the handshake was refused with ${status}: ${body}`);
  }
  return connection;
}

function latin1(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}
