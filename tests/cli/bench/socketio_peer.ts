/**
 * A server of Socket.IO that is made up: WebSocket only, one namespace a connection, and whatever else a test wants it to
 * say.
 *
 * @module
 */

/** A connection to it. */
export interface Client {
  /** As packets have it, e.g. `/chat1,`; undefined until it is connected to one. */
  namespace: string | undefined;
  send(packet: string): void;
  close(code: number): void;
}

/** What the server does with a packet instead of what it always does, if it returns true. */
export type Meddle = (packet: string, client: Client, clients: ReadonlySet<Client>) => boolean;

export interface SocketioPeer extends AsyncDisposable {
  readonly url: string;
  /** All that was said to it. */
  readonly said: readonly string[];
  /** Keys of the handshakes. */
  readonly keys: ReadonlySet<string | null>;
  /** What was asked for beside the path. */
  readonly queries: ReadonlySet<string>;
}

/** @param begin what a connection is told at first */
export function serveSocketio(
  meddle: Meddle = () => false,
  begin = (client: Client) => client.send('0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000}'),
): SocketioPeer {
  const clients = new Set<Client>();
  const said: string[] = [];
  const keys = new Set<string | null>();
  const queries = new Set<string>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    keys.add(request.headers.get("X-API-Key"));
    queries.add(new URL(request.url).search);
    const { socket, response } = Deno.upgradeWebSocket(request);
    const client: Client = {
      namespace: undefined,
      send: (packet) => socket.readyState === WebSocket.OPEN && socket.send(packet),
      close: (code) => socket.close(code),
    };
    socket.onopen = () => {
      clients.add(client);
      begin(client);
    };
    socket.onclose = () => clients.delete(client);
    socket.onmessage = ({ data }) => {
      said.push(data);
      if (!meddle(data, client, clients)) obey(data, client, clients);
    };
    return response;
  });
  return {
    url: `ws://127.0.0.1:${server.addr.port}/socket.io/`,
    said,
    keys,
    queries,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

function obey(packet: string, client: Client, clients: ReadonlySet<Client>): void {
  const [, type, namespace = ""] = /^4([02])(\/[^,]*,)?/.exec(packet) ?? [];
  if (type === "0") {
    client.namespace = namespace;
    client.send(`40${namespace}{"sid":"b"}`);
  } else if (type === "2") {
    for (const each of clients) if (each.namespace === namespace) each.send(packet);
  }
}
