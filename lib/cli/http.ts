/**
 * HTTP/1.1 by hand, for what neither `fetch` nor `node:http` of every Deno can do: an upgrade, and TLS without a check
 * of the certificate.
 *
 * @module
 */

import type { Socket } from "node:net";
import { ConnectError, explain } from "./dial.ts";

/** Status line and header of a response, and where in the bytes its body begins. */
export interface Head {
  readonly status: number;
  /** The words after the status. */
  readonly reason: string;
  /** By lower-case name; of several fields of one name, the last. */
  readonly fields: ReadonlyMap<string, string>;
  readonly length: number;
}

const LARGEST_HEAD = 16 * 1024;

const latin1 = new TextDecoder("latin1");

/** A request with its header. What `headers` holds has to be visible ASCII and blanks. */
export function encodeRequest(method: string, url: URL, headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries({ Host: url.host, ...headers }).map(([name, value]) => `${name}: ${value}`);
  return [`${method} ${url.pathname}${url.search} HTTP/1.1`, ...lines, "", ""].join("\r\n");
}

/** What a socket has sent so far. */
export class Answer {
  bytes: Uint8Array = new Uint8Array();
  /** Whether the server has ended the connection. */
  ended = false;
  readonly #socket: Socket;
  readonly #url: URL;

  /** @param url what the socket leads to, to be named in errors */
  constructor(socket: Socket, url: URL) {
    this.#socket = socket;
    this.#url = url;
  }

  /** Every byte so far, as one character each. */
  get text(): string {
    return latin1.decode(this.bytes);
  }

  /**
   * Reads until `done` or the end of the connection, and then no further: what comes later waits in the socket.
   *
   * @param done is given {@linkcode text}
   * @throws {ConnectError} when the connection breaks
   * @throws the reason of the signal
   */
  until(done: (text: string) => boolean, signal: AbortSignal): Promise<void> {
    const socket = this.#socket;
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void) => {
        socket.pause();
        socket.off("data", onData).off("end", onEnd).off("close", onEnd).off("error", onError);
        signal.removeEventListener("abort", onAbort);
        settle();
      };
      const onData = (chunk: Uint8Array) => {
        const joined = new Uint8Array(this.bytes.length + chunk.length);
        joined.set(this.bytes);
        joined.set(chunk, this.bytes.length);
        this.bytes = joined;
        if (done(this.text)) finish(resolve);
      };
      const onEnd = () => {
        this.ended = true;
        finish(resolve);
      };
      const onError = (error: Error) => finish(() => reject(explain(error, this.#url)));
      const onAbort = () => finish(() => reject(signal.reason));
      if (signal.aborted) return reject(signal.reason);
      if (socket.errored) return reject(explain(socket.errored, this.#url));
      if (this.ended || done(this.text)) return resolve();
      socket.on("data", onData).on("end", onEnd).on("close", onEnd).on("error", onError);
      signal.addEventListener("abort", onAbort);
      socket.resume();
    });
  }

  /** Reads status line and header. @throws {ConnectError} also when this is no HTTP/1 (RFC 9112 section 4) */
  async head(signal: AbortSignal): Promise<Head> {
    await this.until((text) => text.includes("\r\n\r\n") || text.length > LARGEST_HEAD, signal);
    const end = this.text.indexOf("\r\n\r\n");
    const [first = "", ...lines] = this.text.slice(0, Math.max(end, 0)).split("\r\n");
    const match = /^HTTP\/1\.[01] (\d{3})(?: (.*))?$/.exec(first);
    if (match === null) {
      const cut = this.ended && "HTTP/1.".startsWith(this.text.slice(0, 7));
      throw new ConnectError(`${this.#url.host} ${cut ? "hung up without an answer" : "does not speak HTTP/1.1"}`);
    }
    const fields = new Map(lines.map((line): [string, string] => {
      const colon = line.indexOf(":");
      return [line.slice(0, Math.max(colon, 0)).toLowerCase(), line.slice(colon + 1).trim()];
    }));
    return { status: Number(match[1]), reason: match[2] ?? "", fields, length: end + 4 };
  }

  /**
   * Reads the body up to its end, or to `most` bytes.
   *
   * @throws {ConnectError} when the server hangs up before
   */
  async readBody(head: Head, most: number, signal: AbortSignal): Promise<void> {
    const { fields } = head;
    const length = isChunked(head) ? most : Math.min(Number(fields.get("content-length") ?? most), most);
    const complete = () => {
      const size = this.bytes.length - head.length;
      return size >= length || isChunked(head) && this.text.endsWith("\r\n0\r\n\r\n");
    };
    await this.until(complete, signal);
    // Without a length the end of the connection is that of the body (RFC 9112 section 6.3).
    if ((isChunked(head) || fields.has("content-length")) && !complete()) {
      throw new ConnectError(`${this.#url.host} hung up within its answer`);
    }
  }

  /** What there is of the body, as UTF-8. */
  body(head: Head): string {
    const bytes = this.bytes.subarray(head.length);
    return new TextDecoder().decode(isChunked(head) ? joinChunks(bytes) : bytes);
  }
}

/** A refusal in one line: its status, the words given, and what the header says about what to do next. */
export function describeRefusal({ status, reason, fields }: Head, ...words: readonly string[]): string {
  const location = fields.get("location");
  const wait = fields.get("retry-after");
  return [
    `${status} ${reason}`.trim(),
    ...words,
    location === undefined ? "" : `it points to ${location}, which is not followed`,
    wait === undefined ? "" : `try again ${/^\d+$/.test(wait) ? `in ${wait} s` : `after ${wait}`}`,
  ].filter((part) => part !== "").join("; ");
}

function isChunked({ fields }: Head): boolean {
  return fields.get("transfer-encoding")?.toLowerCase() === "chunked";
}

/** RFC 9112 section 7.1. What is cut off or malformed ends it. */
function joinChunks(bytes: Uint8Array): Uint8Array {
  const joined: number[] = [];
  for (let at = 0;;) {
    const end = bytes.indexOf(10, at);
    const size = Number.parseInt(latin1.decode(bytes.subarray(at, Math.max(end, at))), 16);
    if (!(size > 0)) return Uint8Array.from(joined);
    joined.push(...bytes.subarray(end + 1, end + 1 + size));
    at = end + 1 + size + 2;
  }
}
