/**
 * What the two client libraries of JavaScript have in common, so that one test is for both.
 *
 * @module
 */
import { until } from "../until.ts";

/** Headers as the libraries have them. */
export type Fields = Readonly<Record<string, string>>;

/** A MESSAGE. */
export interface Message {
  readonly headers: Fields;
  readonly body: string;
  /** Absent where the library knows only text. */
  readonly bytes?: Uint8Array;
  ack(headers?: Fields): void;
  nack(headers?: Fields): void;
}

/** A subscription, and what it has brought so far. */
export interface Subscription {
  readonly messages: Message[];
  unsubscribe(): void;
}

/** A connection. */
export interface LibraryClient extends AsyncDisposable {
  /** Headers of CONNECTED. */
  readonly connected: Fields;
  /** The headers of the ERROR, if there was one. */
  readonly error: Fields | undefined;
  /** Resolves when the WebSocket has ended, however. */
  readonly ended: Promise<{ readonly code: number; readonly reason: string }>;
  /** Messages of line ends alone. */
  readonly beats: { in: number; out: number };
  send(destination: string, body: string, headers?: Fields): void;
  subscribe(destination: string, headers?: Fields): Subscription;
  /** The headers of the RECEIPT, when it has come. */
  receipt(id: string): Promise<Fields>;
  begin(id: string): void;
  commit(id: string): void;
  abort(id: string): void;
  /** Says DISCONNECT, and resolves when the library calls itself disconnected. */
  disconnect(): Promise<void>;
}

/** How a connection is begun. */
export interface LibraryOptions {
  readonly version: string;
  /** Of its heart-beats and the server's, in milliseconds. Default 0. */
  readonly beats?: number;
  /** Heart-beats are promised, and not sent. */
  readonly isMute?: boolean;
  /** Characters of a text message, into which a larger frame is cut. */
  readonly cut?: number;
  /** More headers of CONNECT. */
  readonly headers?: Fields;
}

/** A library. */
export interface Library {
  readonly name: string;
  /** That it can be brought to speak with this server. */
  readonly versions: readonly string[];
  connect(gong: { readonly ws: string }, options: LibraryOptions): Promise<LibraryClient>;
}

/** Waits until so many messages have come, and gives their bodies. */
export async function bodies({ messages }: Subscription, count: number): Promise<string[]> {
  await until(
    () => messages.length >= count,
    () => `${messages.length} of ${count}: ${messages.map(({ body }) => body.slice(0, 100))}`,
  );
  return messages.map(({ body }) => body);
}

/** How the connection has ended. @throws when it does not */
export async function ended(client: LibraryClient): Promise<{ readonly code: number; readonly reason: string }> {
  let end: { readonly code: number; readonly reason: string } | undefined;
  void client.ended.then((how) => end = how);
  await until(() => end !== undefined, () => `still connected: ${JSON.stringify(client.beats)}`);
  return end!;
}

/** A WebSocket that counts heart-beats, and says none if it is `isMute`. */
export function countBeats(socket: WebSocket, beats: { in: number; out: number }, isMute = false): WebSocket {
  const send = socket.send.bind(socket);
  socket.send = (data) => {
    if (data !== "\n") return send(data);
    if (isMute) return;
    beats.out++;
    send(data);
  };
  socket.addEventListener("message", ({ data }) => {
    if (data === "\n") beats.in++;
  });
  return socket;
}

/** `v12.stomp` of `1.2`. */
export function protocolOf(version: string): string {
  return `v${version.replace(".", "")}.stomp`;
}
