import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { fieldOf, statusOf, Tcp } from "./dial.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A whole answer. */
export interface Answer {
  readonly status: number;
  readonly head: string;
  /** Without its content coding. */
  readonly body: Uint8Array;
}

/** Requests and answers over one connection that is kept, one after the other. */
export class Exchange {
  readonly tcp: Tcp;

  constructor(tcp: Tcp) {
    this.tcp = tcp;
  }

  static async open(url: URL): Promise<Exchange> {
    return new Exchange(await Tcp.open(url));
  }

  /** @throws {Error} when the server ends the connection, or its answer is no HTTP */
  async ask(request: string | Uint8Array): Promise<Answer> {
    await this.tcp.write(typeof request === "string" ? encoder.encode(request) : request);
    const head = await this.tcp.head();
    const status = statusOf(head);
    if (Number.isNaN(status)) throw new Error(`no HTTP: ${head.slice(0, 80)}`);
    return { status, head, body: decompress(await this.#body(status, head), fieldOf(head, "content-encoding")) };
  }

  async #body(status: number, head: string): Promise<Uint8Array> {
    if (status === 204 || status === 304) return new Uint8Array();
    const length = fieldOf(head, "content-length");
    if (length !== undefined) return await this.#exactly(Number(length));
    if (fieldOf(head, "transfer-encoding") !== "chunked") throw new Error("an answer without a length");
    const chunks: Uint8Array[] = [];
    for (;;) {
      const size = Number.parseInt(await this.#line(), 16);
      const chunk = await this.#exactly(size + 2);
      if (size === 0) return new Uint8Array(await new Blob(chunks.map((part) => part.slice())).arrayBuffer());
      chunks.push(chunk.subarray(0, size));
    }
  }

  async #line(): Promise<string> {
    for (;;) {
      const end = this.tcp.held.indexOf(10);
      if (end >= 0) {
        const line = decoder.decode(this.tcp.held.subarray(0, end));
        this.tcp.take(end + 1);
        return line;
      }
      await this.#more();
    }
  }

  async #exactly(count: number): Promise<Uint8Array> {
    while (this.tcp.held.length < count) await this.#more();
    const bytes = this.tcp.held.slice(0, count);
    this.tcp.take(count);
    return bytes;
  }

  async #more(): Promise<void> {
    if (!await this.tcp.more()) throw new Error("the server hung up");
  }
}

function decompress(body: Uint8Array, coding: string | undefined): Uint8Array {
  if (coding === undefined || body.length === 0) return body;
  if (coding === "br") return brotliDecompressSync(body);
  if (coding === "gzip") return gunzipSync(body);
  throw new Error(`an answer in ${coding}`);
}
