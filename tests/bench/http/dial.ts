/**
 * TCP to a server of this machine.
 *
 * @module
 */

/** Bytes that a socket is read into. */
const BUFFER = 64 * 1024;
const LARGEST_HEAD = 16 * 1024;

const latin1 = new TextDecoder("latin1");

/** One connection: what was read and is not taken yet stands in a buffer of its own. */
export class Tcp {
  /** Bytes that went either way. */
  sent = 0;
  received = 0;
  readonly #conn: Deno.TcpConn;
  #buffer = new Uint8Array(BUFFER);
  #start = 0;
  #end = 0;

  constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  /** @throws {Error} when nobody listens there */
  static async open({ hostname, port }: URL): Promise<Tcp> {
    const conn = await Deno.connect({ hostname, port: Number(port) });
    conn.setNoDelay(true);
    return new Tcp(conn);
  }

  /** What stands in the buffer; good until it is read on. */
  get held(): Uint8Array<ArrayBuffer> {
    return this.#buffer.subarray(this.#start, this.#end);
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
    this.sent += bytes.length;
  }

  /** Forgets the first bytes of what it holds. */
  take(count: number): void {
    this.#start += count;
  }

  /** Reads once, behind what it holds; false at the end. */
  async more(): Promise<boolean> {
    if (this.#start === this.#end) this.#start = this.#end = 0;
    if (this.#end === this.#buffer.length) this.#makeRoom();
    const count = await this.#conn.read(this.#buffer.subarray(this.#end));
    if (count === null) return false;
    this.#end += count;
    this.received += count;
    return true;
  }

  /**
   * Takes the head of an answer, without the empty line at its end.
   *
   * @throws {Error} when the server ends the connection, or it is too large
   */
  async head(): Promise<string> {
    for (;;) {
      const text = latin1.decode(this.held);
      const end = text.indexOf("\r\n\r\n");
      if (end >= 0) {
        this.take(end + 4);
        return text.slice(0, end);
      }
      if (text.length > LARGEST_HEAD) throw new Error("the head of an answer does not end");
      if (!await this.more()) throw new Error("the server hung up");
    }
  }

  close(): void {
    try {
      this.#conn.close();
    } catch {
      // Closed already.
    }
  }

  #makeRoom(): void {
    const held = this.held;
    const larger = held.length > this.#buffer.length / 2;
    const buffer = larger ? new Uint8Array(this.#buffer.length * 2) : this.#buffer;
    buffer.set(held);
    this.#buffer = buffer;
    this.#end = held.length;
    this.#start = 0;
  }
}

/** The status of an answer; NaN when it is none. */
export function statusOf(head: string): number {
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1]);
}

/** A field of an answer's head. */
export function fieldOf(head: string, name: string): string | undefined {
  return new RegExp(`^${name}:[ \t]*(.*?)[ \t\r]*$`, "im").exec(head)?.[1];
}
