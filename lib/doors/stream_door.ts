/**
 * A door over an answer that does not end: its wire is told here once, and what is the same for all of them stands here.
 *
 * @module
 */
import { encodeSignal } from "../codecs/line.ts";
import type { Codec, Door, DoorSession } from "../door.ts";
import { close, type Line, subscribed, unsubscribed, welcome } from "./lines.ts";

/** How the lines look on one wire. */
export interface StreamWire {
  readonly name: string;
  readonly codec: Codec;
  /** A line that is no publication. `cursor` is where the client goes on from after it, if it says where. */
  encodeLine(type: string, json: string, cursor?: string): string;
  /** Where the wire itself says when to come back: that, in front of the last line. */
  encodeRetry?(seconds: number): string;
  /** What keeps proxies from taking silence for the end. */
  readonly heartbeat: string;
}

const encoder = new TextEncoder();

/** Frames as bytes: encoded once for all who get them. */
export function toBytes(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The door of a wire. */
export function createStreamDoor({ name, codec, encodeLine, encodeRetry, heartbeat }: StreamWire): Door {
  function encode(line: Line, cursor?: string): string {
    return encodeLine(line.type, JSON.stringify(line), cursor);
  }

  function write(session: DoorSession, line: Line, cursor?: string): void {
    session.write(encode(line, cursor));
  }

  return {
    name,
    codec,
    heartbeat: toBytes(heartbeat),
    opened: (session) => write(session, welcome(session)),
    subscribed(session, channel, position, recovered) {
      write(session, subscribed(channel, position, recovered), session.cursor);
    },
    lost(session, channel, position) {
      write(session, subscribed(channel, position, false), session.cursor);
    },
    signal: (session, signal) => session.write(encodeLine("signal", encodeSignal(signal))),
    unsubscribed: (session, channel) => write(session, unsubscribed(channel), session.cursor),
    // Its clients send nothing.
    refused: (session, error) => session.refuse(error),
    farewell(ending) {
      const retry = ending.retryAfter === undefined ? undefined : encodeRetry?.(ending.retryAfter);
      return (retry ?? "") + encode(close(ending), ending.cursor);
    },
  };
}
