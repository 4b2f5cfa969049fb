/**
 * One client in one namespace.
 *
 * @module
 */
import { type Packet, PacketType } from "../codecs/socketio.ts";
import type { Data } from "../types.ts";
import type { Argument, Rooms, ServerSocket } from "./engine.ts";

/**
 * `connecting` until CONNECT is answered; `leaving`: the client has sent DISCONNECT, and events that it sent before are
 * still to be handled.
 */
export type Standing = "connecting" | "connected" | "leaving" | "gone";

/** A packet, and what it has in bytes, with its attachments. */
export interface Sized {
  readonly packet: Packet;
  readonly size: number;
}

/** What a socket needs of its connection. */
export interface SocketOwner {
  readonly rooms: Rooms;
  /** Sends the client a packet of the socket, in its time; nothing when either is gone. */
  send(socket: NamespaceSocket, packet: Packet): void;
  ask(socket: NamespaceSocket, data: readonly Argument[], answered: string): void;
  /** @param close the whole connection too */
  disconnect(socket: NamespaceSocket, close: boolean): void;
}

/** The {@linkcode ServerSocket}, and what its connection keeps of it. There are many: what few have is not there at first. */
export class NamespaceSocket implements ServerSocket {
  id: string;
  readonly namespace: string;
  auth: Readonly<Record<string, unknown>>;
  data: unknown;
  standing: Standing = "connecting";
  /** A handler is under way whose end is waited for. */
  isBusy = false;
  /** Events that came meanwhile. */
  waiting: Sized[] | undefined;
  /** What was sent before CONNECT is answered. */
  early: (readonly Data[])[] | undefined;
  /** Why it is gone, of one whose `onConnect` is under way. */
  reason: string | undefined;
  readonly #owner: SocketOwner;

  constructor(owner: SocketOwner, id: string, namespace: string, auth: Readonly<Record<string, unknown>>) {
    this.#owner = owner;
    this.id = id;
    this.namespace = namespace;
    this.auth = auth;
  }

  get isConnected(): boolean {
    return this.standing === "connected";
  }

  emit(event: string, ...args: readonly Argument[]): void {
    this.#owner.send(this, { type: PacketType.EVENT, nsp: this.namespace, data: [event, ...args] });
  }

  ask(event: string, args: readonly Argument[], answered: string): void {
    this.#owner.ask(this, [event, ...args], answered);
  }

  join(room: string): Promise<unknown> {
    return this.#owner.rooms.join(this, room);
  }

  leave(room: string): unknown {
    return this.#owner.rooms.leave(this, room);
  }

  to(room: string): { emit(event: string, ...args: readonly Argument[]): Promise<unknown> } {
    return { emit: (event, ...args) => this.#owner.rooms.emit(this, room, event, args) };
  }

  disconnect(close = false): void {
    this.#owner.disconnect(this, close);
  }
}
