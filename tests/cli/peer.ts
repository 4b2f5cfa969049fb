/**
 * Servers by hand, for the command line tools to meet.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { encodeFrame, OPCODE } from "../support/frames.ts";
import { RawConnection } from "../support/raw.ts";

const FIXTURES = new URL("../fixtures/", import.meta.url).pathname;

/** Paths of certificates: see the README beside them. */
export const CERTIFICATES = {
  authority: `${FIXTURES}authority.pem`,
  none: `${FIXTURES}README.md`,
  localhost: { cert: `${FIXTURES}localhost.pem`, key: `${FIXTURES}localhost.key` },
  selfSigned: { cert: `${FIXTURES}self_signed.pem`, key: `${FIXTURES}self_signed.key` },
} as const;

/** One visit of a client, whose request has been read. */
export class Visit {
  /** Request line and header. */
  readonly request: string;
  readonly connection: RawConnection;

  constructor(request: string, connection: RawConnection) {
    this.request = request;
    this.connection = connection;
  }

  /** The value of a header field of the request. */
  header(name: string): string | undefined {
    const line = this.request.split("\r\n").find((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`));
    return line?.slice(name.length + 1).trim();
  }

  /** Consents to the upgrade, and sends `more` in the same write. */
  async accept(more: Uint8Array = new Uint8Array()): Promise<void> {
    const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    const accept = createHash("sha1").update(this.header("sec-websocket-key") + guid).digest("base64");
    const head = new TextEncoder().encode(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    await this.connection.write(Uint8Array.of(...head, ...more));
  }

  /**
   * Sends texts back, as Gong does, answers pings, then the close with the same code. Resolves to all frames of the
   * client, as texts.
   */
  async serveToClose(): Promise<{ opcode: number; text: string }[]> {
    const frames: { opcode: number; text: string }[] = [];
    for (;;) {
      const { opcode, payload } = await this.connection.readFrame();
      frames.push({ opcode, text: new TextDecoder().decode(payload) });
      if (opcode === OPCODE.text) await this.connection.write(serverFrame(OPCODE.text, payload));
      if (opcode === OPCODE.ping) await this.connection.write(serverFrame(OPCODE.pong, payload));
      if (opcode !== OPCODE.close) continue;
      await this.connection.write(serverFrame(OPCODE.close, payload));
      return frames;
    }
  }
}

/** A frame as a server sends it. */
export function serverFrame(opcode: number, payload: string | Uint8Array = ""): Uint8Array {
  const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  return encodeFrame(opcode, bytes, { masked: false });
}

/** A server's close frame. */
export function closeFrame(code: number, reason = ""): Uint8Array {
  return serverFrame(OPCODE.close, Uint8Array.of(code >> 8, code & 255, ...new TextEncoder().encode(reason)));
}

/** A server that treats every visit as it is told, and ends the connection after that. */
export class Peer implements AsyncDisposable {
  readonly port: number;
  readonly #listener: Deno.Listener;
  readonly #visits = new Set<Promise<void>>();
  readonly #accepting: Promise<void>;

  /** @param tls paths of certificate and key */
  constructor(serve: (visit: Visit) => Promise<void>, tls?: { cert: string; key: string }) {
    this.#listener = tls === undefined ? Deno.listen({ hostname: "127.0.0.1", port: 0 }) : Deno.listenTls({
      hostname: "127.0.0.1",
      port: 0,
      cert: Deno.readTextFileSync(tls.cert),
      key: Deno.readTextFileSync(tls.key),
    });
    this.port = (this.#listener.addr as Deno.NetAddr).port;
    this.#accepting = this.#accept(serve);
  }

  /** Waits for the visits to end. @throws what one of them threw */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#accepting;
    await Promise.all(this.#visits);
  }

  async #accept(serve: (visit: Visit) => Promise<void>): Promise<void> {
    for (;;) {
      let connection: Deno.Conn;
      try {
        connection = await this.#listener.accept();
      } catch (error) {
        if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) return;
        throw error;
      }
      this.#visits.add(this.#receive(connection, serve));
    }
  }

  async #receive(connection: Deno.Conn, serve: (visit: Visit) => Promise<void>): Promise<void> {
    try {
      const request = await readHead(connection);
      // What a TLS connection cannot do is not done here.
      const raw = new RawConnection(connection as Deno.TcpConn, 10_000);
      if (request !== undefined) await serve(new Visit(request, raw));
    } finally {
      closeQuietly(connection);
    }
  }
}

/** Up to the empty line; undefined when the client leaves first, as one that does not trust our certificate does. */
async function readHead(connection: Deno.Conn): Promise<string | undefined> {
  const chunk = new Uint8Array(4096);
  let text = "";
  while (!text.includes("\r\n\r\n")) {
    const count = await connection.read(chunk).catch(() => null);
    if (count === null) return undefined;
    text += new TextDecoder().decode(chunk.subarray(0, count));
  }
  return text;
}

function closeQuietly(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // Closed before.
  }
}
