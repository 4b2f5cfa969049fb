/**
 * Who connects to namespaces: one after the other, in the order of their packets.
 *
 * @module
 */
import type { Packet } from "../codecs/socketio.ts";
import { GongError } from "../errors.ts";
import { invalidNamespace, refusalPacket } from "./connecting.ts";
import type { ConnectAnswer, Handlers } from "./engine.ts";
import type { NamespaceSocket } from "./socket.ts";

/** What they need of their connection. */
export interface ConnectsOwner {
  /** Whether nobody can connect there, as it is still that of a socket that has left. */
  isHeld(namespace: string): boolean;
  connected(socket: NamespaceSocket, answer: ConnectAnswer): void;
  /** @param packet what the client is told */
  refused(socket: NamespaceSocket, packet: Packet): void;
  /** Less is under way than before. */
  eased(): void;
}

/** The sockets of one connection that connect. */
export class Connects {
  readonly #handlers: Handlers;
  readonly #owner: ConnectsOwner;
  /** The first may be under way: it is busy then. */
  readonly #queue: NamespaceSocket[] = [];
  /** Bytes of their packets. */
  readonly #sizes = new Map<NamespaceSocket, number>();
  #bytes = 0;

  constructor(handlers: Handlers, owner: ConnectsOwner) {
    this.#handlers = handlers;
    this.#owner = owner;
  }

  get size(): number {
    return this.#queue.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The one that connects to the namespace, and that nobody has given up. */
  find(namespace: string): NamespaceSocket | undefined {
    return this.#queue.find((socket) => socket.namespace === namespace && socket.standing === "connecting");
  }

  /** @param size of its packet, in bytes */
  add(socket: NamespaceSocket, size: number): void {
    this.#queue.push(socket);
    this.#sizes.set(socket, size);
    this.#bytes += size;
    this.proceed();
  }

  /** The socket is not to be connected any more: nothing is said of it. What has begun ends as it would. */
  cancel(socket: NamespaceSocket, reason: string): void {
    socket.standing = "gone";
    socket.reason = reason;
    if (!socket.isBusy) {
      this.#queue.splice(this.#queue.indexOf(socket), 1);
      this.#release(socket);
    }
    this.#owner.eased();
  }

  /** As {@linkcode cancel}, of all. */
  cancelAll(reason: string): void {
    for (const socket of [...this.#queue]) if (socket.standing === "connecting") this.cancel(socket, reason);
  }

  /** Goes on with the first, if nothing is in its way. */
  proceed(): void {
    let socket: NamespaceSocket | undefined;
    while ((socket = this.#queue[0]) && !socket.isBusy && !this.#owner.isHeld(socket.namespace)) this.#open(socket);
  }

  #open(socket: NamespaceSocket): void {
    if (this.#handlers.hasNamespace?.(socket.namespace) === false) {
      return this.#refused(socket, invalidNamespace(socket.namespace));
    }
    const refuse = (error: unknown) => this.#refused(socket, refusalPacket(socket.namespace, GongError.from(error)));
    socket.isBusy = true;
    let answer: ConnectAnswer | Promise<ConnectAnswer>;
    try {
      answer = this.#handlers.onConnect?.(socket);
    } catch (error) {
      return refuse(error);
    }
    if (!(answer instanceof Promise)) return this.#opened(socket, answer);
    answer.then((value) => this.#opened(socket, value), refuse).then(() => this.proceed());
  }

  #opened(socket: NamespaceSocket, answer: ConnectAnswer): void {
    this.#shift(socket);
    // Whoever has let it in is told that it is gone.
    if (socket.standing === "gone") this.#handlers.onDisconnect?.(socket, socket.reason!);
    else this.#owner.connected(socket, answer);
    this.#owner.eased();
  }

  #refused(socket: NamespaceSocket, packet: Packet): void {
    this.#shift(socket);
    if (socket.standing !== "gone") this.#owner.refused(socket, packet);
    this.#owner.eased();
  }

  #shift(socket: NamespaceSocket): void {
    socket.isBusy = false;
    this.#queue.shift();
    this.#release(socket);
  }

  #release(socket: NamespaceSocket): void {
    this.#bytes -= this.#sizes.get(socket)!;
    this.#sizes.delete(socket);
  }
}
