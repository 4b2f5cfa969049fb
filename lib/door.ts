/**
 * What a door is: it turns what its clients send into commands, and what they get into its wire.
 *
 * @module
 */
import type { Session } from "./session.ts";
import type { Data, Position, Publication } from "./types.ts";

/** How publications look on one wire. Encoded once for all sessions that share it. */
export interface Codec {
  /** Unique; sessions with the same codec share what was encoded. */
  readonly name: string;
  /** Joins several publications into one frame; without it each has a frame of its own. */
  readonly separator?: string;
  encode(publication: Publication): Data;
}

/** A door whose sessions hold a WebSocket. */
export interface SocketDoor {
  /** For metrics and the log. */
  readonly name: string;
  readonly codec: Codec;
  /** The socket is open; nothing was sent yet. */
  opened(session: Session): void;
  /** A frame from the client, within its size; the door counts the messages in it. A thrown `GongError` closes the session with its code. */
  received(session: Session, data: Data): void;
  /** The session hears the channel from the position on. */
  subscribed(session: Session, channel: string, position: Position, recovered: boolean): void;
  /** What lies between the session's position and this one is gone for good; it hears the channel from here on. */
  lost(session: Session, channel: string, position: Position): void;
  /** A message to this session alone, unnumbered. */
  signal(session: Session, data: Data, contentType: string): void;
}
