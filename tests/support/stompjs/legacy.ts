/**
 * `stompjs` 2.3.3, which knows STOMP 1.0 and 1.1 and text alone, and escapes nothing.
 *
 * @module
 */
import Stomp from "stompjs";
import { until } from "../until.ts";
import {
  countBeats,
  type Fields,
  type Library,
  type LibraryClient,
  type LibraryOptions,
  type Message,
  protocolOf,
  type Subscription,
} from "./library.ts";

/** What is used of it; it has no types. */
interface Client {
  debug: unknown;
  heartbeat: { outgoing: number; incoming: number };
  maxWebSocketFrameSize: number;
  onreceipt: (frame: { headers: Fields }) => void;
  connect(headers: Fields, connected: (frame: { headers: Fields }) => void, failed: (what: unknown) => void): void;
  disconnect(done: () => void): void;
  send(destination: string, headers: Fields, body: string): void;
  subscribe(destination: string, heard: (message: Message) => void, headers: Fields): { unsubscribe(): void };
  ack(message: string, subscription: string, headers: Fields): void;
  nack(message: string, subscription: string, headers: Fields): void;
  begin(id: string): void;
  commit(id: string): void;
  abort(id: string): void;
}

export const legacy: Library = { name: "stompjs 2.3.3", versions: ["1.0", "1.1"], connect };

async function connect(gong: { readonly ws: string }, options: LibraryOptions): Promise<LibraryClient> {
  const { version, beats: interval = 0, isMute, cut, headers = {} } = options;
  const beats = { in: 0, out: 0 };
  const receipts = new Map<string, Fields>();
  // It always accepts 1.1 and 1.0: the subprotocol is what chooses.
  const socket = countBeats(new WebSocket(`${gong.ws}/ws`, protocolOf(version)), beats, isMute);
  const ended = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.addEventListener("close", ({ code, reason }) => resolve({ code, reason }));
  });
  const client = Stomp.over(socket) as unknown as Client;
  client.debug = null;
  client.heartbeat = { outgoing: interval, incoming: interval };
  if (cut !== undefined) client.maxWebSocketFrameSize = cut;
  client.onreceipt = ({ headers }) => void receipts.set(headers["receipt-id"]!, headers);
  let error: Fields | undefined;
  const connected = await new Promise<Fields>((resolve, reject) => {
    client.connect({ ...headers }, ({ headers }) => resolve(headers), (what) => {
      // A text when the connection is lost, or else the ERROR.
      if (typeof what !== "string") error = (what as { headers: Fields }).headers;
      reject(new Error(`no CONNECTED: ${what}`));
    });
  });
  return {
    connected,
    get error() {
      return error;
    },
    ended,
    beats,
    send: (destination, body, headers = {}) => client.send(destination, { ...headers }, body),
    subscribe(destination, headers = {}): Subscription {
      const messages: Message[] = [];
      const heard = ({ headers, body }: Message) => {
        const [id, of] = [headers["message-id"]!, headers.subscription!];
        messages.push({
          ...{ headers, body },
          // Of several frames in one message, its own `message.ack()` is always that of the last.
          ack: (more = {}) => client.ack(id, of, { ...more }),
          nack: (more = {}) => client.nack(id, of, { ...more }),
        });
      };
      const { unsubscribe } = client.subscribe(destination, heard, { ...headers });
      return { messages, unsubscribe };
    },
    async receipt(id) {
      await until(() => receipts.has(id), () => `no receipt ${id}, but ${[...receipts.keys()]}`);
      return receipts.get(id)!;
    },
    begin: (id) => client.begin(id),
    commit: (id) => client.commit(id),
    abort: (id) => client.abort(id),
    disconnect: () => new Promise((resolve) => client.disconnect(resolve)),
    async [Symbol.asyncDispose]() {
      if (socket.readyState === WebSocket.OPEN) client.disconnect(() => {});
      await ended;
    },
  };
}
