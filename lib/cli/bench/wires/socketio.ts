/**
 * Socket.IO 5 over Engine.IO 4, WebSocket only. Measured beside it can be any server of Socket.IO that sends an event
 * `message` to everybody in its namespace.
 *
 * @see https://socket.io/docs/v4/socket-io-protocol/
 * @module
 */
import type { Connection } from "../connection.ts";
import { encodeFrame, type OnData, OPCODES } from "../frames.ts";
import type { LoadOptions } from "../options.ts";
import { converse } from "./converse.ts";
import { SocketioReader } from "./socketio_reader.ts";
import { channelOf, DEFAULT_CHANNEL, openSocket, wholeMessages, type Wire } from "./wire.ts";

/** A refusal of an event that nobody is to acknowledge. */
const REFUSAL = /^42(?:\/[^,]*,)?\["\$error",\{"code":"([a-z_]+)"/;
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const PONG = toFrame("3");

/** `message` in the namespace of the channel. */
export const SOCKETIO: Wire = {
  listen: ({ load }, onData) => open(load, onData),
  envelope: (load) => ({ before: `42${namespaceOf(load)}["message","`, after: '"]' }),
  encode: (message) => encodeFrame(OPCODES.text, message),
  // It hears what it publishes, as every client of a namespace does.
  open: ({ load }, onRefused) =>
    open(
      load,
      wholeMessages((message) => {
        const code = REFUSAL.exec(decoder.decode(message))?.[1];
        if (code !== undefined) onRefused(code);
      }),
    ),
};

/** As packets have it: nothing for `/`, which is the default channel, else `/name,`. */
function namespaceOf(load: LoadOptions): string {
  const channel = channelOf(load);
  return channel === DEFAULT_CHANNEL ? "" : `/${channel},`;
}

async function open(load: LoadOptions, onData: OnData): Promise<Connection> {
  const url = new URL(load.url);
  url.searchParams.set("EIO", "4");
  url.searchParams.set("transport", "websocket");
  const namespace = namespaceOf(load);
  const reader = new SocketioReader(onData, () => void opened.then((connection) => connection.write(PONG)));
  const opened = openSocket(load, url, reader.onData);
  return converse(await opened, [
    { answer: reader.opened },
    { say: toFrame(`40${namespace}`), answer: reader.connected },
  ]);
}

function toFrame(packet: string): Uint8Array<ArrayBuffer> {
  return encodeFrame(OPCODES.text, encoder.encode(packet));
}
