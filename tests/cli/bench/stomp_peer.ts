/**
 * A server of STOMP that is made up: topics, receipts, and whatever else a test wants it to say.
 *
 * @module
 */

/** A frame as it came. */
export interface Said {
  readonly command: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A connection to it. */
export interface Client {
  /** Ids of its subscriptions, by destination. */
  readonly subscriptions: Map<string, string>;
  send(text: string): void;
  close(code: number): void;
}

/** What the server does with a frame instead of what it always does, if it returns true. */
export type Meddle = (frame: Said, client: Client, clients: ReadonlySet<Client>) => boolean;

export interface StompPeer extends AsyncDisposable {
  readonly url: string;
  /** All that was said to it. */
  readonly said: readonly Said[];
  /** Keys of the handshakes. */
  readonly keys: ReadonlySet<string | null>;
  /** What was asked for beside the path. */
  readonly queries: ReadonlySet<string>;
}

/** @param protocol the subprotocol that is answered, if any */
export function serveStomp(meddle: Meddle = () => false, protocol: string | null = "v12.stomp"): StompPeer {
  const clients = new Set<Client>();
  const said: Said[] = [];
  const keys = new Set<string | null>();
  const queries = new Set<string>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    if (request.headers.get("Sec-WebSocket-Protocol") !== "v12.stomp") return new Response("", { status: 400 });
    keys.add(request.headers.get("X-API-Key"));
    queries.add(new URL(request.url).search);
    const { socket, response } = Deno.upgradeWebSocket(request, protocol === null ? {} : { protocol });
    const client: Client = {
      subscriptions: new Map(),
      send: (text) => socket.readyState === WebSocket.OPEN && socket.send(text),
      close: (code) => socket.close(code),
    };
    socket.onopen = () => clients.add(client);
    socket.onclose = () => clients.delete(client);
    socket.onmessage = ({ data }) => {
      const frame = parse(data);
      said.push(frame);
      if (!meddle(frame, client, clients)) obey(frame, client, clients);
    };
    return response;
  });
  return {
    url: `ws://127.0.0.1:${server.addr.port}/push`,
    said,
    keys,
    queries,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** The frames of a publication for one who has subscribed, and nothing for others. */
export function messageFor({ subscriptions }: Client, { headers, body }: Said): string {
  const id = subscriptions.get(headers.destination!);
  if (id === undefined) return "";
  return `MESSAGE\nsubscription:${id}\ndestination:${headers.destination}\nmessage-id:k3f9\\c7\n\n${body}\0`;
}

function obey(frame: Said, client: Client, clients: ReadonlySet<Client>): void {
  const { command, headers } = frame;
  if (command === "CONNECT") {
    client.send("CONNECTED\nversion:1.2\n\n\0");
  } else if (command === "SUBSCRIBE") {
    client.subscriptions.set(headers.destination!, headers.id!);
    client.send(`RECEIPT\nreceipt-id:${headers.receipt}\n\n\0`);
  } else if (command === "SEND") {
    for (const each of clients) {
      const message = messageFor(each, frame);
      if (message !== "") each.send(message);
    }
  }
}

function parse(text: string): Said {
  const [head = "", body = ""] = text.split("\n\n");
  const [command = "", ...lines] = head.split("\n");
  const headers = Object.fromEntries(lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1)];
  }));
  return { command, headers, body: body.replace(/\0$/, "") };
}
