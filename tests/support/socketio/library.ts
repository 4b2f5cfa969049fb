/**
 * The real clients of Socket.IO, three versions with what is common to them.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { Manager as Manager4 } from "socket.io-client";
import legacy from "socket.io-client-2";
import { Manager as Manager3 } from "socket.io-client-3";

// deno-lint-ignore no-explicit-any
type Any = any;

/** What is used of a connection, in all versions. */
export interface LibraryManager {
  /** Whether it connects again by itself. */
  reconnection(comesBack: boolean): unknown;
  readonly engine: LibraryEngine;
  socket(namespace: string, options?: object): LibrarySocket;
  on(event: string, listener: (...args: Any[]) => void): void;
}

/** What is used of Engine.IO's client. */
export interface LibraryEngine {
  readonly id: string;
  readonly transport: { readonly name: string };
  readonly upgrading: boolean;
  readonly readyState: string;
  on(event: string, listener: (...args: Any[]) => void): void;
  close(): void;
}

/** What is used of a socket, in all versions. */
export interface LibrarySocket {
  readonly id: string;
  readonly connected: boolean;
  readonly io: LibraryManager;
  /** Version 4 alone. */
  readonly recovered?: boolean;
  readonly volatile: LibrarySocket;
  on(event: string, listener: (...args: Any[]) => void): void;
  emit(event: string, ...args: Any[]): void;
  connect(): void;
  disconnect(): void;
}

/** A version of the client. */
export interface Library {
  readonly name: string;
  /** Of Engine.IO; 3 takes `--eio3`. */
  readonly protocol: 3 | 4;
  /** Whether it comes back to where it was. */
  readonly recovers: boolean;
  /** Bytes in a shape that it knows. */
  toBytes(bytes: Uint8Array): Uint8Array;
  open(url: string, options: object): LibraryManager;
  /** Calls for every event, with its arguments, and last of them its acknowledgement if one is wanted. */
  onAny(socket: LibrarySocket, listener: (event: string, ...args: Any[]) => void): void;
}

export const LIBRARY_4: Library = {
  name: "socket.io-client 4.8.4",
  protocol: 4,
  recovers: true,
  toBytes: (bytes) => bytes,
  open: (url, options) => new Manager4(url, options) as unknown as LibraryManager,
  onAny: (socket, listener) => (socket as Any).onAny(listener),
};

export const LIBRARY_3: Library = {
  name: "socket.io-client 3.1.3",
  protocol: 4,
  recovers: false,
  toBytes: (bytes) => bytes,
  open: (url, options) => new Manager3(url, options) as unknown as LibraryManager,
  onAny: (socket, listener) => (socket as Any).onAny(listener),
};

export const LIBRARY_2: Library = {
  name: "socket.io-client 2.5.0",
  protocol: 3,
  recovers: false,
  // It takes anything else for an object.
  toBytes: (bytes) => Buffer.from(bytes),
  open: (url, options) => (legacy as Any).Manager(url, options),
  // It has nothing of the kind: what came is looked at on its way.
  onAny(socket, listener) {
    const hidden = socket as Any;
    const handle = hidden.onevent.bind(socket);
    hidden.onevent = (packet: Any) => {
      listener(...packet.data as [string], ...(packet.id === undefined ? [] : [hidden.ack(packet.id)]));
      handle(packet);
    };
  },
};

export const LIBRARIES: readonly Library[] = [LIBRARY_4, LIBRARY_3, LIBRARY_2];

/** The ways to a server. */
export const WAYS = [
  { way: "by polling only", transports: ["polling"], last: "polling" },
  { way: "by WebSocket only", transports: ["websocket"], last: "websocket" },
  { way: "upgrading", transports: ["polling", "websocket"], last: "websocket" },
] as const;

/** Each version by each way. */
export const SPEAKERS = LIBRARIES.flatMap((library) =>
  WAYS.map((way) => ({ library, ...way, name: `${library.name}, ${way.way},` }))
);
