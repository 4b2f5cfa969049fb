/**
 * `@stomp/stompjs`.
 *
 * @module
 */
import { Client, type IFrame, Versions } from "@stomp/stompjs";
import { until } from "../until.ts";
import {
  countBeats,
  type Fields,
  type Library,
  type LibraryClient,
  type LibraryOptions,
  protocolOf,
  type Subscription,
} from "./library.ts";

export const modern: Library = { name: "@stomp/stompjs", versions: ["1.0", "1.1", "1.2"], connect };

async function connect(gong: { readonly ws: string }, options: LibraryOptions): Promise<LibraryClient> {
  const { version, beats: interval = 0, isMute, cut, headers = {} } = options;
  const beats = { in: 0, out: 0 };
  const receipts = new Map<string, Fields>();
  const end = Promise.withResolvers<{ code: number; reason: string }>();
  const begin = Promise.withResolvers<Fields>();
  const disconnected = Promise.withResolvers<void>();
  let error: Fields | undefined;
  const client = new Client({
    webSocketFactory: () => countBeats(new WebSocket(`${gong.ws}/ws`, protocolOf(version)), beats, isMute),
    stompVersions: new Versions([version]),
    connectHeaders: { ...headers },
    reconnectDelay: 0,
    heartbeatIncoming: interval,
    heartbeatOutgoing: interval,
    ...(cut === undefined ? {} : { splitLargeFrames: true, maxWebSocketChunkSize: cut }),
    onConnect: ({ headers }: IFrame) => begin.resolve(headers),
    onDisconnect: () => disconnected.resolve(),
    onUnhandledReceipt: ({ headers }: IFrame) => void receipts.set(headers["receipt-id"]!, headers),
    onStompError: ({ headers }: IFrame) => void (error = headers),
    onWebSocketClose: (event: { code: number; reason: string }) => {
      begin.reject(new Error(`no CONNECTED: ${event.code} ${event.reason}`));
      end.resolve({ code: event.code, reason: event.reason });
    },
  });
  client.activate();
  const connected = await begin.promise;
  return {
    connected,
    get error() {
      return error;
    },
    ended: end.promise,
    beats,
    send: (destination, body, headers = {}) => client.publish({ destination, body, headers: { ...headers } }),
    subscribe(destination, headers = {}): Subscription {
      const messages: Subscription["messages"] = [];
      const { unsubscribe } = client.subscribe(destination, (message) => {
        const { headers, body, binaryBody: bytes } = message;
        const settle = (headers?: Fields) => headers && { ...headers };
        messages.push({
          ...{ headers, body, bytes },
          ack: (headers) => message.ack(settle(headers)),
          nack: (headers) => message.nack(settle(headers)),
        });
      }, { ...headers });
      return { messages, unsubscribe: () => unsubscribe() };
    },
    async receipt(id) {
      await until(
        () => receipts.has(id),
        () => `no receipt ${id}, but ${[...receipts.keys()]} ${JSON.stringify(error)}`,
      );
      return receipts.get(id)!;
    },
    begin: (id) => void client.begin(id),
    commit: (id) => client.commit(id),
    abort: (id) => client.abort(id),
    async disconnect() {
      await client.deactivate();
      await disconnected.promise;
    },
    [Symbol.asyncDispose]: () => client.deactivate(),
  };
}
