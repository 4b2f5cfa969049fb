/**
 * Types of what we use of npm `ws`. Its `@types/ws` would bring those of Node's globals to the whole program.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import type { Socket } from "node:net";

interface Events {
  message: [data: Buffer, isBinary: boolean];
  pong: [payload: Buffer];
  /** Follows an error, too. */
  close: [code: number, reason: Buffer];
  error: [error: Error];
}

export class WebSocket {
  /** With no address: the server's side of a connection, which is given its socket later. */
  constructor(
    address: null,
    protocols: undefined,
    options: {
      autoPong: boolean;
      maxPendingAutoPongs: number;
      /** Milliseconds. */
      closeTimeout: number;
    },
  );
  /** Not part of its documented interface: what its WebSocketServer calls after a handshake. */
  setSocket(
    socket: Socket,
    head: Buffer,
    options: {
      allowSynchronousEvents: boolean;
      maxPayload: number;
      maxBufferedChunks: number;
      maxFragments: number;
    },
  ): void;
  on<Name extends keyof Events>(event: Name, listener: (...args: Events[Name]) => void): this;
  /** Calls back when the frame was handed to the system, or with an error when it never will be. */
  send(text: string, done: (error?: Error) => void): void;
  ping(payload: string, mask: boolean, done: (error?: Error) => void): void;
  close(code: number): void;
  terminate(): void;
  pause(): void;
  resume(): void;
}
