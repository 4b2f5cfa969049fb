/**
 * The client's opening handshake (RFC 6455 section 4.1), made by hand; the frames are the business of npm `ws`.
 *
 * `ws` would shake hands by `node:http`, which in Deno 2.6 cannot leave a certificate unchecked, does not notice a
 * server that hangs up, and ends the process when the body of a refusal is cut off.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash, randomBytes } from "node:crypto";
import type { Socket } from "node:net";
// @ts-types="./ws.d.ts"
import type { WebSocket } from "ws";
import { Answer, describeRefusal, encodeRequest, type Head } from "./http.ts";
import { ConnectError, dial, type DialOptions } from "./dial.ts";

/** Settings of {@linkcode openWebSocket}. */
export interface OpenOptions extends DialOptions {
  /** Further header fields, e.g. `Origin`. Their values have to be visible ASCII and blanks. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** The server answered, and not with 101. The message is made of its status and the first line of its body. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
}

/** Of the body of a refusal no more is read, and no longer waited for (milliseconds): it is told in one line. */
const LARGEST_BODY = 4 * 1024;
const BODY_PATIENCE = 1000;
/** Messages beyond the largest that `--max-message` of a server can allow are refused with 1009. */
const LARGEST_MESSAGE = 16 * 2 ** 20;
/** Milliseconds that the server has to end the connection once the close handshake is done. */
const CLOSE_PATIENCE = 2000;
/** RFC 6455 section 1.3. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/**
 * Opens a WebSocket, paused: nothing is read before its `resume()`, so that no listener comes too late.
 *
 * @throws {RefusedError} when the server answers with another status than 101
 * @throws {ConnectError} when there is no connection, or no proper answer in time
 */
export async function openWebSocket(url: URL, options: OpenOptions = {}): Promise<WebSocket> {
  // Loaded here, so that no other command waits for it.
  // @ts-types="./ws.d.ts"
  const { WebSocket } = await import("ws");
  return await dial(url, options, async (socket, signal) => {
    const rest = await shakeHands(socket, url, options.headers ?? {}, signal);
    return adopt(WebSocket, socket, rest);
  });
}

/** Asks for the upgrade. Resolves to what the server sent after its consent. */
async function shakeHands(
  socket: Socket,
  url: URL,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const key = randomBytes(16).toString("base64");
  const answer = new Answer(socket, url);
  socket.write(encodeRequest("GET", url, {
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Key": key,
    "Sec-WebSocket-Version": "13",
    ...headers,
  }));
  const head = await answer.head(signal);
  if (head.status !== 101) throw await readRefusal(answer, head, signal);
  checkConsent(head, key, url);
  return answer.bytes.subarray(head.length);
}

/** RFC 6455 section 4.1, what the client has to check. */
function checkConsent({ fields }: Head, key: string, url: URL): void {
  const accept = createHash("sha1").update(key + GUID).digest("base64");
  if (fields.get("upgrade")?.toLowerCase() !== "websocket" || fields.get("sec-websocket-accept") !== accept) {
    throw new ConnectError(`${url.host} answered 101, but not to the handshake that it was sent`);
  }
  for (const name of ["sec-websocket-extensions", "sec-websocket-protocol"]) {
    if (fields.has(name)) throw new ConnectError(`${url.host} answered with ${name}, though nothing was offered`);
  }
}

async function readRefusal(answer: Answer, head: Head, signal: AbortSignal): Promise<RefusedError> {
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), BODY_PATIENCE);
  // The status is known. A body that breaks off or does not come is no reason to withhold it.
  await answer.readBody(head, LARGEST_BODY, AbortSignal.any([signal, patience.signal])).catch(() => {});
  clearTimeout(timer);
  const [line = ""] = answer.body(head).trim().split(/\r?\n/);
  return new RefusedError(describeRefusal(head, line));
}

/** What the WebSocketServer of `ws` does with a socket after the handshake, but for the client's side. */
function adopt(Client: typeof WebSocket, socket: Socket, head: Uint8Array): WebSocket {
  const client = new Client(null, undefined, {
    autoPong: true,
    maxPendingAutoPongs: 60,
    closeTimeout: CLOSE_PATIENCE,
  });
  // A client masks its frames and refuses masked ones (RFC 6455 section 5.1). Nothing public says so to a socket of
  // ours: the version is pinned, and the tests look at the frames.
  Object.assign(client, { _isServer: false });
  client.setSocket(socket, Buffer.from(head), {
    allowSynchronousEvents: true,
    maxPayload: LARGEST_MESSAGE,
    maxBufferedChunks: 256 * 1024,
    maxFragments: 16 * 1024,
  });
  client.pause();
  return client;
}
