/**
 * A balancer without any stickiness: each request, WebSockets too, goes to the next node.
 *
 * @module
 */
import { Buffer } from "node:buffer";

/** The end of the head of a request (RFC 9112 section 2.1). */
const END = "\r\n\r\n";

/** On a free port of the loopback, before nodes that may come and go. */
export class RoundRobin implements AsyncDisposable {
  readonly #listener: Deno.TcpListener;
  readonly #accepting: Promise<void>;
  readonly #open = new Set<Deno.TcpConn>();
  /** Where requests go. */
  nodes: readonly { readonly port: number }[];
  /** The place in `nodes` that the next request of this first line goes to. Default: the next one. */
  choose: ((line: string) => number | undefined) | undefined;
  #next = 0;

  constructor(nodes: readonly { readonly port: number }[]) {
    this.nodes = nodes;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#accepting = this.#accept();
  }

  /** Origin, e.g. `http://127.0.0.1:40123`. */
  get url(): string {
    return `http://127.0.0.1:${this.#listener.addr.port}`;
  }

  /** Ends every connection there is. */
  cut(): void {
    for (const conn of [...this.#open]) this.#close(conn);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.cut();
    await this.#accepting;
  }

  async #accept(): Promise<void> {
    const served: Promise<void>[] = [];
    for await (const conn of this.#listener) served.push(this.#serve(conn));
    await Promise.all(served);
  }

  /** One request a connection: what would come behind it is kept from coming. */
  async #serve(client: Deno.TcpConn): Promise<void> {
    this.#open.add(client);
    let node: Deno.TcpConn | undefined;
    try {
      const head = await readHead(client);
      node = await this.#connect(head);
      this.#open.add(node);
      const ends = [client.readable.pipeTo(node.writable), node.readable.pipeTo(client.writable)];
      // Whichever ends first ends the other: a client that leaves a poll, or a node that has answered.
      await Promise.race(ends.map((end) => end.catch(() => {})));
    } catch {
      // The client is gone, or no node is there.
    }
    this.#close(client);
    if (node) this.#close(node);
  }

  async #connect(head: string): Promise<Deno.TcpConn> {
    const chosen = this.choose?.(head.slice(0, head.indexOf("\r\n"))) ?? this.#next++;
    const { port } = this.nodes[chosen % this.nodes.length]!;
    const node = await Deno.connect({ hostname: "127.0.0.1", port });
    const said = isUpgrade(head)
      ? head
      : head.replace(/\r\nconnection:[^\r]*/i, "").replace("\r\n", "\r\nconnection: close\r\n");
    let bytes: Uint8Array = Buffer.from(said, "latin1");
    while (bytes.length > 0) bytes = bytes.subarray(await node.write(bytes));
    return node;
  }

  #close(conn: Deno.TcpConn): void {
    this.#open.delete(conn);
    try {
      conn.close();
    } catch {
      // Closed before.
    }
  }
}

function isUpgrade(head: string): boolean {
  return /\r\nupgrade:/i.test(head);
}

/** What comes up to the end of the head, perhaps with something of the body. */
async function readHead(conn: Deno.TcpConn): Promise<string> {
  let head = "";
  const buffer = new Uint8Array(16_384);
  while (!head.includes(END)) {
    const length = await conn.read(buffer);
    if (length === null) throw new Error("no request");
    head += Buffer.from(buffer.subarray(0, length)).toString("latin1");
  }
  return head;
}
