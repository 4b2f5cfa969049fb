/**
 * A connection without a carrier: what goes out is kept, what comes in is said.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { createConnection, reopenConnection } from "../../lib/socketio/connection.ts";
import type {
  Ack,
  Argument,
  ConnectionLimits,
  ConnectionOptions,
  Handlers,
  PackedConnection,
  Rooms,
  ServerSocket,
} from "../../lib/socketio/engine.ts";
import type { Data } from "../../lib/types.ts";

export const LIMITS: ConnectionLimits = {
  maxMessage: 10_000,
  namespaces: 4,
  asked: 3,
  waiting: 3,
  waitingBytes: 10_000,
};

const NO_ROOMS: Rooms = {
  join: () => Promise.resolve(),
  leave: () => undefined,
  emit: () => Promise.resolve(),
};

/** How a {@linkcode Talk} differs from the usual one. */
export interface TalkOptions extends Partial<Omit<ConnectionOptions, "handlers">> {
  /** Goes on with this one. */
  readonly packed?: PackedConnection;
}

export class Talk {
  /** Everything that was written, and `close`. */
  readonly out: (Data | "close")[] = [];
  readonly connection;
  #ids = 0;

  constructor(handlers: Handlers = {}, { packed, ...options }: TalkOptions = {}) {
    const all: ConnectionOptions = {
      protocol: 4,
      handlers,
      rooms: NO_ROOMS,
      newId: () => `id${++this.#ids}`,
      write: (frames) => this.out.push(...frames),
      close: () => this.out.push("close"),
      limits: LIMITS,
      ...options,
    };
    this.connection = packed ? reopenConnection(all, packed) : createConnection(all);
  }

  say(...messages: Data[]): void {
    for (const data of messages) this.connection.received(data);
  }

  /** What was written since it was asked last has to be this. */
  heard(...frames: (Data | "close")[]): void {
    assertEquals(this.out.splice(0), frames);
  }

  socket(namespace = "/"): ServerSocket {
    return this.connection.sockets.get(namespace)!;
  }
}

/** Handlers that note what they are called with, one line each. */
export class Noted implements Handlers {
  readonly lines: string[] = [];

  onConnect(socket: ServerSocket): void | Promise<void> {
    this.lines.push(`connect ${socket.namespace} ${JSON.stringify(socket.auth)}`);
  }

  onEvent(socket: ServerSocket, event: string, args: readonly Argument[], ack: Ack | undefined): void | Promise<void> {
    this.lines.push(`${event} ${socket.namespace} ${JSON.stringify(args)}${ack ? " ack" : ""}`);
  }

  onAck(socket: ServerSocket, answered: string, args: readonly Argument[]): void {
    this.lines.push(`answer ${socket.namespace} ${answered} ${JSON.stringify(args)}`);
  }

  onDisconnect(socket: ServerSocket, reason: string): void {
    this.lines.push(`disconnect ${socket.namespace} ${reason}`);
  }

  /** What was noted since it was asked last has to be this. */
  saw(...lines: string[]): void {
    assertEquals(this.lines.splice(0), lines);
  }
}
