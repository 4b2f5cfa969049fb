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
import { parseServerFrame, Prelude } from "./stomp_prelude.ts";
import { channelOf, openSocket, TIMEOUT, wholeMessages, type Wire } from "./wire.ts";

type Headers = readonly (readonly [name: string, value: string])[];

/** A frame to be said, and the command of the answer. */
interface Step {
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
    return converse(load, [connect(load), { say: subscribe, hear: "RECEIPT" }], onData);
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
    return converse(load, [connect(load)], read);
  },
};

function destinationOf(load: LoadOptions): string {
  return `/topic/${channelOf(load)}`;
}

function connect({ url }: LoadOptions): Step {
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

/**
 * Opens a WebSocket and takes these steps on it, one after the other; what comes behind the last answer is for `onData`.
 *
 * @throws {Error} with the message of the ERROR that came instead, or when the connection ended, or nothing came in time
 */
async function converse(load: LoadOptions, steps: readonly Step[], onData: OnData): Promise<Connection> {
  const prelude = new Prelude(steps.map(({ hear }) => hear), onData);
  const connection = await openSocket(load, new URL(load.url), prelude.onData, PROTOCOL);
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error("no answer in time")), TIMEOUT);
  const ended = connection.closed.then((reason) => {
    throw new Error(`closed before it was connected: ${reason}`);
  });
  // Once it is connected its end is for others to tell.
  ended.catch(() => {});
  try {
    for (const [index, { say }] of steps.entries()) {
      connection.write(say);
      await Promise.race([prelude.answers[index]!, ended, late]);
    }
    return connection;
  } catch (error) {
    await connection.close(Promise.resolve());
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
