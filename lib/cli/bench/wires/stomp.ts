/**
 * STOMP 1.2 over WebSocket.
 *
 * @see https://stomp.github.io/stomp-specification-1.2.html
 * @module
 */
import { encodeStompFrame } from "../../../codecs/stomp.ts";
import type { Connection } from "../connection.ts";
import { encodeFrame, type OnData, OPCODES } from "../frames.ts";
import type { LoadOptions } from "../options.ts";
import { converse } from "./converse.ts";
import { parseServerFrame, Prelude } from "./stomp_prelude.ts";
import { channelOf, openSocket, wholeMessages, type Wire } from "./wire.ts";

type Headers = readonly (readonly [name: string, value: string])[];

/** A frame to be said, and the command of the answer. */
interface Exchange {
  readonly say: Uint8Array<ArrayBuffer>;
  readonly hear: string;
}

const PROTOCOL = "v12.stomp";
/** What client libraries count from: all subscribers that have one subscription have the same. */
const SUBSCRIPTION = "sub-0";
const encoder = new TextEncoder();

/** `/topic/CHANNEL`, published and subscribed to. */
export const STOMP: Wire = {
  listen({ load }, onData) {
    const id = load.distinctIds ? `sub-${crypto.randomUUID().slice(0, 8)}` : SUBSCRIPTION;
    const subscribe = toFrame("SUBSCRIBE", [["id", id], ["destination", destinationOf(load)], ["receipt", id]]);
    return open(load, [connect(load), { say: subscribe, hear: "RECEIPT" }], onData);
  },
  envelope(load) {
    const frame = encodeText("SEND", [["destination", destinationOf(load)], ["content-type", "text/plain"]]);
    return { before: frame.slice(0, -1), after: "\0" };
  },
  encode: (message) => encodeFrame(OPCODES.text, message),
  // Nothing answers a SEND that wants no receipt but the ERROR that refuses it.
  open({ load }, onRefused) {
    const read = wholeMessages((message) => {
      const { command, headers } = parseServerFrame(message);
      if (command === "ERROR") onRefused(headers.get("code") ?? headers.get("message") ?? "ERROR");
    });
    return open(load, [connect(load)], read);
  },
};

function destinationOf(load: LoadOptions): string {
  return `/topic/${channelOf(load)}`;
}

function connect({ url }: LoadOptions): Exchange {
  return {
    say: toFrame("CONNECT", [["accept-version", "1.2"], ["host", new URL(url).hostname]]),
    hear: "CONNECTED",
  };
}

function encodeText(command: string, headers: Headers): string {
  return encodeStompFrame("1.2", command, headers) as string;
}

function toFrame(command: string, headers: Headers): Uint8Array<ArrayBuffer> {
  return encodeFrame(OPCODES.text, encoder.encode(encodeText(command, headers)));
}

/** Opens a WebSocket and has these exchanges on it; what comes behind the last answer is for `onData`. */
async function open(load: LoadOptions, exchanges: readonly Exchange[], onData: OnData): Promise<Connection> {
  const prelude = new Prelude(exchanges.map(({ hear }) => hear), onData);
  const connection = await openSocket(load, new URL(load.url), prelude.onData, PROTOCOL);
  return converse(connection, exchanges.map(({ say }, index) => ({ say, answer: prelude.answers[index]! })));
}
