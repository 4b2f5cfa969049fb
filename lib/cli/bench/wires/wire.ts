/**
 * How a server is spoken to in one format; the files beside this one are one a format.
 *
 * @module
 */
import { type Connection, openConnection } from "../connection.ts";
import { BUFFER_BYTES, type OnData } from "../frames.ts";
import type { Envelope } from "../mark.ts";
import type { LoadOptions } from "../options.ts";
import type { Line, PartOptions } from "../part.ts";

/** A connection that publishes. */
export interface SpeakingLine extends Line {
  /** Queues bytes; resolves when the socket has taken them and all before. Never rejects: see `closed`. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
}

/** Opens a connection that listens: whatever is published once it has resolved is owed to it. */
export type OpenListening = (options: PartOptions, onData: OnData) => Promise<Line>;

/** How messages are published on one wire. */
export interface PublishingWire {
  /** What stands around each message. */
  envelope(load: LoadOptions): Envelope;
  /** What is written for a message in its envelope, which is good until the next one only. */
  encode(message: Uint8Array): Uint8Array<ArrayBuffer>;
  /** @param onRefused told the server's code of a message that it did not take */
  open(options: PartOptions, onRefused: (code: string) => void): Promise<SpeakingLine>;
}

/** Both sides of a load in one format. */
export interface Wire extends PublishingWire {
  readonly listen: OpenListening;
}

/** Milliseconds for connecting, with all that a wire has to say before messages may come. */
export const TIMEOUT = 30_000;

/** The channel that a server means when none is named. */
export const DEFAULT_CHANNEL = "broadcast";

/** The channel published to, for formats that have to name it. */
export function channelOf({ channel }: Pick<LoadOptions, "channel">): string {
  return channel === "" ? DEFAULT_CHANNEL : channel;
}

/** Opens a WebSocket there, as the load has it. Its buffer is small when nobody publishes. */
export function openSocket(load: LoadOptions, url: URL, onData: OnData, protocol?: string): Promise<Connection> {
  const { apiKey, caCerts, publishers } = load;
  const buffer = publishers === 0 ? BUFFER_BYTES.idle : BUFFER_BYTES.busy;
  const options = { url, apiKey, caCerts, timeout: TIMEOUT, buffer };
  return openConnection(protocol === undefined ? options : { ...options, protocol }, onData);
}

/** Reads whole messages, one at a time. */
export function wholeMessages(onMessage: (message: Uint8Array) => void): OnData {
  return (bytes, start, end, last) => {
    if (last) onMessage(bytes.subarray(start, end));
    return start;
  };
}
