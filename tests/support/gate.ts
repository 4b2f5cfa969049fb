/**
 * A proxy between clients and a server that can be told to let some paths not through.
 *
 * @module
 */

/** What happens to a path: `refuse` answers with 502, `swallow` opens and brings nothing. */
export type Barrier = "refuse" | "swallow";

/** The proxy, on a free port of the loopback. */
export class Gate implements AsyncDisposable {
  /** By path, e.g. `/push`. */
  readonly barriers = new Map<string, Barrier>();
  /** Paths that were asked for, barred ones too. */
  readonly asked: string[] = [];
  /** Where it leads. */
  target: string;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #open = new Map<AbortController, string>();

  /** @param target origin of the server, e.g. `http://127.0.0.1:8998` */
  constructor(target: string) {
    this.target = target;
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => this.#pass(request));
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** Lets the path not through any more, and cuts what is open of it. */
  bar(path: string, barrier: Barrier = "refuse"): void {
    this.barriers.set(path, barrier);
    this.cut(path);
  }

  /** Ends what is open of the path, or of every path. */
  cut(path?: string): void {
    for (const [controller, opened] of this.#open) if (path === undefined || path === opened) controller.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await this.#server.shutdown();
  }

  async #pass(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const path = url.pathname;
    this.asked.push(path);
    const barrier = this.barriers.get(path);
    if (barrier === "refuse") return new Response("barred", { status: 502 });
    const controller = new AbortController();
    this.#open.set(controller, path);
    const { signal } = controller;
    const done = () => void this.#open.delete(controller);
    signal.addEventListener("abort", done);
    const isUpgrade = request.headers.has("upgrade");
    if (barrier === "swallow") return isUpgrade ? silentSocket(request, signal) : silentStream(signal);
    // The server is to see itself as the origin, as it would without the proxy.
    const headers = new Headers(request.headers);
    headers.delete("host");
    if (headers.has("origin")) headers.set("origin", this.target);
    const target = new URL(path + url.search, this.target);
    if (isUpgrade) return join(request, target, headers.get("origin"), signal);
    request.signal.addEventListener("abort", () => controller.abort());
    try {
      const { body, status, headers: answered } = await fetch(target, {
        method: request.method,
        headers,
        body: request.method === "POST" ? await request.bytes() : null,
        signal,
      });
      return new Response(body && carryBody(body, signal, done), { status, headers: answered });
    } catch {
      done();
      return new Response("nobody there", { status: 502 });
    }
  }
}

/**
 * The body until the signal is aborted. The signal of a `fetch` does not do: Deno 2.9.6 forgets it when the `Response` has
 * been collected, though its body is still read.
 */
function carryBody(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
  done: () => void,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let isGone = false;
  return new ReadableStream({
    start(controller) {
      signal.addEventListener("abort", () => {
        if (!isGone) controller.close();
        reader.cancel().catch(() => {});
      });
    },
    async pull(controller) {
      const { value, done: isOver } = await reader.read();
      if (value) controller.enqueue(value);
      if (!isOver) return;
      done();
      isGone = true;
      if (!signal.aborted) controller.close();
    },
    cancel: () => {
      isGone = true;
      return reader.cancel();
    },
  });
}

function silentSocket(request: Request, signal: AbortSignal): Response {
  const { socket, response } = Deno.upgradeWebSocket(request);
  signal.addEventListener("abort", () => socket.close());
  return response;
}

function silentStream(signal: AbortSignal): Response {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      signal.addEventListener("abort", () => controller.error(new Error("cut")));
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

/** Both ends of a WebSocket; what comes before the other is open waits for it. */
function join(request: Request, target: URL, origin: string | null, signal: AbortSignal): Response {
  const { socket, response } = Deno.upgradeWebSocket(request);
  const url = target.href.replace("http", "ws");
  const other = origin === null ? new WebSocket(url) : new WebSocket(url, { headers: { origin } });
  other.onerror = () => {};
  carry(socket, other);
  carry(other, socket);
  signal.addEventListener("abort", () => {
    other.close();
    socket.close();
  });
  return response;
}

function carry(from: WebSocket, to: WebSocket): void {
  const opened = new Promise((resolve) => to.addEventListener("open", resolve));
  from.onmessage = async ({ data }) => {
    if (to.readyState === WebSocket.CONNECTING) await opened;
    if (to.readyState === WebSocket.OPEN) to.send(data);
  };
  from.onclose = ({ code, reason }) => {
    // 1005 and 1006 say that there was no code.
    if (code === 1000 || code > 3000) to.close(code, reason);
    else to.close();
  };
}
