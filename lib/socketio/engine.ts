/**
 * A small engine of Socket.IO with handlers: what a server that is made with it sees of one connection. It knows neither
 * transports nor channels; frames go out by {@linkcode ConnectionOptions.write} and come in by
 * {@linkcode Connection.received}.
 *
 * @module
 */
import type { EngineProtocol } from "../engineio/orders.ts";
import type { ReadonlyFewMap } from "../few_map.ts";
import type { Data } from "../types.ts";

/** An argument of an event: JSON, with bytes (`Uint8Array`) anywhere in it. */
export type Argument = unknown;

/** Answers an event, once; later calls do nothing. */
export type Ack = (...args: readonly Argument[]) => void;

/** One client in one namespace. */
export interface ServerSocket {
  /** Its public id. */
  readonly id: string;
  /** E.g. `/chat1`. */
  readonly namespace: string;
  /**
   * What the client has said with CONNECT; an empty object when nothing. Never merged into anything. It stays as long as the
   * socket, and moves with it: whoever has read it may put an empty one there.
   */
  auth: Readonly<Record<string, unknown>>;
  /** Kept by whoever uses the engine; plain values, as it moves with the connection. */
  data: unknown;
  /** Whether it is connected: CONNECT is answered, and neither side has ended it. */
  readonly isConnected: boolean;
  /** Sends it an event. */
  emit(event: string, ...args: readonly Argument[]): void;
  /** Sends it an event that it acknowledges; `answered` is called with what it said, at most once. */
  ask(event: string, args: readonly Argument[], answered: string): void;
  join(room: string): Promise<unknown>;
  leave(room: string): unknown;
  /** Sends an event to all in the room; resolves to what the room's keeper says of it. */
  to(room: string): { emit(event: string, ...args: readonly Argument[]): Promise<unknown> };
  /** Ends it with DISCONNECT; with `close` the whole connection. */
  disconnect(close?: boolean): void;
}

/**
 * What a server does. Of one socket, a handler that returns a promise is waited for before the next event is handled; who
 * acknowledges later than it returns has to return one, as a connection moves when none is under way.
 */
export interface Handlers {
  /** Whether there is such a namespace; else CONNECT is answered `Invalid namespace`. Default: there is any. */
  hasNamespace?(namespace: string): boolean;
  /**
   * A client connects to a namespace. Resolves to what CONNECT is answered with beside `sid`; `sid` too, where it is to be
   * another. What is emitted before goes out behind that answer. Each that resolves has its `onDisconnect`, also where the
   * client is gone meanwhile and nothing was answered.
   *
   * @throws {GongError} refuses it: CONNECT_ERROR with its message, and `data: {code}`
   */
  onConnect?(socket: ServerSocket): ConnectAnswer | Promise<ConnectAnswer>;
  /** @throws {GongError} it is told by the acknowledgement, if there is one, or as the event `$error` */
  onEvent?(socket: ServerSocket, event: string, args: readonly Argument[], ack: Ack | undefined): void | Promise<void>;
  /** What {@linkcode ServerSocket.ask} asked was acknowledged; `answered` is what was given there. It waits for nothing. */
  onAck?(socket: ServerSocket, answered: string, args: readonly Argument[]): void | Promise<void>;
  /** Once, for each that was connected. @param reason `client namespace disconnect`, `server namespace disconnect`, or how the connection ended */
  onDisconnect?(socket: ServerSocket, reason: string): void;
}

export type ConnectAnswer = Readonly<Record<string, unknown>> | undefined | void;

/** Who keeps rooms. */
export interface Rooms {
  join(socket: ServerSocket, room: string): Promise<unknown>;
  leave(socket: ServerSocket, room: string): unknown;
  emit(socket: ServerSocket, room: string, event: string, args: readonly Argument[]): Promise<unknown>;
}

/** What a {@linkcode Connection} is made of: as there are many, it is an object with methods, which are called as such. */
export interface ConnectionOptions {
  /** 3 is that of Socket.IO 2: its clients are in `/` from the start. */
  readonly protocol: EngineProtocol;
  readonly handlers: Handlers;
  readonly rooms: Rooms;
  /** Public id of a socket that connects. */
  newId(): string;
  /** Packets for the client: frames of one packet, the text first, then its attachments. */
  write(frames: readonly Data[]): void;
  /** Ends the connection, with everything that was written before. */
  close(): void;
  readonly limits: ConnectionLimits;
}

/** Bounds of what one client makes a server hold. */
export interface ConnectionLimits {
  /** Bytes of one packet with its attachments. */
  readonly maxMessage: number;
  /** Namespaces, those that are being connected to too. */
  readonly namespaces: number;
  /** Acknowledgements that it owes. Past it the oldest is forgotten. */
  readonly asked: number;
  /** Events that wait until one before them is handled. */
  readonly waiting: number;
  /** Bytes of all packets that wait so, or until they may connect; of one alone there may be more. */
  readonly waitingBytes: number;
}

/** One connection of a client: its namespaces, and what is under way in them. */
export interface Connection {
  /** The client's sockets by namespace, in the order of their connecting, only those that are connected. */
  readonly sockets: ReadonlyFewMap<string, ServerSocket>;
  /** A new connection of Socket.IO 2 begins: `/` connects without a word of the client. Of the others nothing happens. */
  begin(): void;
  /**
   * A message of the client.
   *
   * @throws {GongError} `bad_request` for what is no packet, `too_large`, `too_many` namespaces, `rate_limited` past what
   * may wait: the connection is to be closed
   */
  received(data: Data): void;
  /** It is gone, for whatever reason: `transport close`, `ping timeout`, `server shutting down` ... */
  closed(reason: string): void;
  /** DISCONNECT of every namespace, as frames: last words. Changes nothing. */
  goodbye(): readonly Data[];
  /** Resolves when no handler is under way and nothing waits. */
  settled(): Promise<void>;
  /** Everything that has to be remembered, as it crosses isolates; it does nothing more from here on. */
  pack(): PackedConnection;
}

/** A connection on its way. Begun binary packets too. */
export interface PackedConnection {
  readonly sockets: readonly {
    readonly id: string;
    readonly namespace: string;
    readonly auth: Readonly<Record<string, unknown>>;
    readonly data: unknown;
  }[];
  /** Acknowledgements that the client owes: number, namespace, and what was asked. */
  readonly asked: readonly (readonly [number: number, namespace: string, answered: string])[];
  /** The number of the next one. */
  readonly next: number;
  /** Messages of a packet that has begun and lacks attachments. */
  readonly begun: readonly Data[];
}
