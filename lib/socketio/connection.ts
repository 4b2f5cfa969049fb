/**
 * One connection of a client of Socket.IO.
 *
 * @module
 */
import { encodePacket, type Packet, PacketReader, PacketType } from "../codecs/socketio.ts";
import { GongError } from "../errors.ts";
import { FewMap, type ReadonlyFewMap } from "../few_map.ts";
import type { Data } from "../types.ts";
import { Asked } from "./asked.ts";
import { authOf, connectPacket, namespaceOf, NO_AUTH } from "./connecting.ts";
import { Connects, type ConnectsOwner } from "./connects.ts";
import type {
  Argument,
  ConnectAnswer,
  Connection,
  ConnectionOptions,
  PackedConnection,
  Rooms,
  ServerSocket,
} from "./engine.ts";
import { Events, type EventsOwner } from "./events.ts";
import { NamespaceSocket } from "./socket.ts";

/** A connection that has just begun. */
export function createConnection(options: ConnectionOptions): Connection {
  return new SocketConnection(options);
}

/** Goes on with a connection that was packed: nothing is said, and no handler called. */
export function reopenConnection(options: ConnectionOptions, packed: PackedConnection): Connection {
  const connection = new SocketConnection(options);
  connection.unpack(packed);
  return connection;
}

const CLIENT_LEFT = "client namespace disconnect";
const SERVER_ENDED = "server namespace disconnect";

/** There are many of them, most of them idle in one namespace: what few have is not there at first. */
class SocketConnection implements Connection, ConnectsOwner, EventsOwner {
  readonly #options: ConnectionOptions;
  readonly #reader: PacketReader;
  readonly #sockets = new FewMap<string, NamespaceSocket>();
  /** As long as anybody connects. */
  #connects: Connects | undefined;
  /** Those that have left, and whose events wait. */
  #leaving: Map<string, NamespaceSocket> | undefined;
  /** Namespaces that were ended from here: what their clients said before they knew it is passed over. */
  #ended: Set<string> | undefined;
  #asked: Asked | undefined;
  /** Number of the next packet that wants an acknowledgement. */
  #next = 0;
  #events: Events | undefined;
  #idle: (() => void)[] | undefined;
  /** Closed or packed. */
  #isOver = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#reader = new PacketReader(options.limits);
  }

  get sockets(): ReadonlyFewMap<string, ServerSocket> {
    return this.#sockets;
  }

  get rooms(): Rooms {
    return this.#options.rooms;
  }

  begin(): void {
    if (this.#options.protocol === 3) this.#connect("/", NO_AUTH, 0);
  }

  received(data: Data): void {
    if (this.#isOver) return;
    const packet = this.#reader.read(data);
    if (!packet) return;
    const { protocol } = this.#options;
    const namespace = namespaceOf(packet, protocol);
    if (packet.type === PacketType.CONNECT) {
      return this.#connect(namespace, authOf(packet, protocol), this.#reader.size);
    }
    const socket = this.#sockets.get(namespace);
    if (!socket) return this.#passOver(namespace, packet);
    switch (packet.type) {
      case PacketType.EVENT:
        return (this.#events ??= new Events(this.#options, this)).take(socket, packet, this.#reader.size);
      case PacketType.ACK:
        return this.#answered(socket, packet);
      case PacketType.DISCONNECT:
        return socket.isBusy ? this.#hold(socket) : this.#end(socket, CLIENT_LEFT);
      default:
        throw new GongError("bad_request", "Only a server refuses.");
    }
  }

  closed(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#connects?.cancelAll(reason);
    for (const socket of this.#leaving?.values() ?? []) this.#end(socket, CLIENT_LEFT);
    for (const socket of this.#sockets.values()) this.#end(socket, reason);
    this.eased();
  }

  goodbye(): readonly Data[] {
    return Array.from(this.#sockets.keys(), (namespace) => this.#encode(disconnectPacket(namespace))).flat();
  }

  settled(): Promise<void> {
    if (this.#isIdle) return Promise.resolve();
    return new Promise((resolve) => (this.#idle ??= []).push(resolve));
  }

  pack(): PackedConnection {
    this.#isOver = true;
    const sockets = Array.from(this.#sockets.values(), (socket) => {
      const { id, namespace, auth, data } = socket;
      socket.standing = "gone";
      this.#events?.drop(socket);
      return { id, namespace, auth, data };
    });
    return { sockets, asked: this.#asked?.pack() ?? [], next: this.#next, begun: this.#reader.begun };
  }

  unpack({ sockets, asked, next, begun }: PackedConnection): void {
    for (const { id, namespace, auth, data } of sockets) {
      const socket = new NamespaceSocket(this, id, namespace, auth);
      socket.data = data;
      this.#admit(socket);
    }
    for (const owed of asked) (this.#asked ??= new Asked()).add(owed, this.#options.limits.asked);
    this.#next = next;
    for (const data of begun) this.#reader.read(data);
  }

  send(socket: NamespaceSocket, packet: Packet): void {
    if (this.#isOver) return;
    if (socket.standing === "connected") this.#options.write(this.#encode(packet));
    else if (socket.standing === "connecting") (socket.early ??= []).push(this.#encode(packet));
  }

  ask(socket: NamespaceSocket, data: readonly Argument[], answered: string): void {
    if (this.#isOver || socket.standing !== "connected" && socket.standing !== "connecting") return;
    const id = this.#next++;
    (this.#asked ??= new Asked()).add([id, socket.namespace, answered], this.#options.limits.asked);
    this.send(socket, { type: PacketType.EVENT, nsp: socket.namespace, id, data });
  }

  disconnect(socket: NamespaceSocket, close: boolean): void {
    if (this.#isOver || !socket.isConnected) return;
    for (const each of close ? [...this.#sockets.values()] : [socket]) {
      this.send(each, disconnectPacket(each.namespace));
      this.#remember(each.namespace);
      this.#end(each, SERVER_ENDED);
    }
    if (close) {
      this.#connects?.cancelAll(SERVER_ENDED);
      this.#options.close();
    }
    this.eased();
  }

  isHeld(namespace: string): boolean {
    return this.#isOver || (this.#leaving?.has(namespace) ?? false);
  }

  connected(socket: NamespaceSocket, answer: ConnectAnswer): void {
    if (this.#isOver) return;
    if (typeof answer?.sid === "string") socket.id = answer.sid;
    this.#ended?.delete(socket.namespace);
    this.#admit(socket);
    this.send(socket, connectPacket(socket, answer, this.#options.protocol));
    for (const frames of socket.early ?? []) this.#options.write(frames);
    socket.early = undefined;
  }

  refused(socket: NamespaceSocket, packet: Packet): void {
    socket.standing = "gone";
    this.#asked?.forget(socket.namespace);
    if (!this.#isOver) this.#options.write(this.#encode(packet));
  }

  drained(socket: NamespaceSocket): void {
    if (socket.standing !== "leaving") return;
    this.#end(socket, CLIENT_LEFT);
    this.#connects?.proceed();
  }

  eased(): void {
    if (this.#connects?.size === 0) this.#connects = undefined;
    if (!this.#idle || !this.#isIdle) return;
    const resolvers = this.#idle;
    this.#idle = undefined;
    for (const resolve of resolvers) resolve();
  }

  get #isIdle(): boolean {
    return (this.#events?.isIdle ?? true) && this.#connects === undefined;
  }

  #encode(packet: Packet): readonly Data[] {
    return encodePacket(packet, this.#options.protocol);
  }

  checkRoom(size: number): void {
    const bytes = (this.#events?.bytes ?? 0) + (this.#connects?.bytes ?? 0);
    if (bytes > 0 && bytes + size > this.#options.limits.waitingBytes) throw new GongError("rate_limited");
  }

  /** @throws {GongError} `bad_request` when it is connected there; `too_many`; `rate_limited` */
  #connect(namespace: string, auth: Readonly<Record<string, unknown>>, size: number): void {
    const { protocol, handlers, limits } = this.#options;
    const pending = this.#connects?.find(namespace);
    const isConnected = this.#sockets.has(namespace);
    // Some clients of version 2 say so, although they need not.
    if (protocol === 3 && namespace === "/" && (pending || isConnected)) return;
    if (isConnected) throw new GongError("bad_request", "The namespace is connected already.");
    // A client that has given up its CONNECT says nothing of that, and begins anew.
    if (pending) this.#connects!.cancel(pending, CLIENT_LEFT);
    const count = this.#sockets.size + (this.#leaving?.size ?? 0) + (this.#connects?.size ?? 0);
    if (count >= limits.namespaces) {
      throw new GongError("too_many", "There are too many namespaces on this connection.");
    }
    this.checkRoom(size);
    const socket = new NamespaceSocket(this, this.#options.newId(), namespace, auth);
    (this.#connects ??= new Connects(handlers, this)).add(socket, size);
  }

  #admit(socket: NamespaceSocket): void {
    socket.standing = "connected";
    this.#sockets.set(socket.namespace, socket);
  }

  /** @throws {GongError} `bad_request` for what nobody says who knows where it is connected */
  #passOver(namespace: string, { type }: Packet): void {
    if (type === PacketType.DISCONNECT) {
      const pending = this.#connects?.find(namespace);
      if (pending) this.#connects!.cancel(pending, CLIENT_LEFT);
    } else if (!this.#ended?.has(namespace)) {
      throw new GongError("bad_request", "The namespace is not connected.");
    }
  }

  #remember(namespace: string): void {
    const ended = this.#ended ??= new Set();
    ended.add(namespace);
    if (ended.size > this.#options.limits.namespaces) ended.delete(ended.keys().next().value!);
  }

  /** One that nobody asked for is passed over. */
  #answered(socket: NamespaceSocket, { id, data }: Packet): void {
    const answered = this.#asked?.take(id!, socket.namespace);
    if (answered === undefined) return;
    (this.#events ??= new Events(this.#options, this)).acknowledged(socket, answered, data);
  }

  /** The client has left, and what it said before is still to be handled. */
  #hold(socket: NamespaceSocket): void {
    this.#sockets.delete(socket.namespace);
    this.#asked?.forget(socket.namespace);
    socket.standing = "leaving";
    (this.#leaving ??= new Map()).set(socket.namespace, socket);
  }

  #end(socket: NamespaceSocket, reason: string): void {
    const { namespace } = socket;
    if (socket.standing === "leaving") this.#leaving!.delete(namespace);
    else {
      this.#sockets.delete(namespace);
      this.#asked?.forget(namespace);
    }
    socket.standing = "gone";
    this.#events?.drop(socket);
    this.#options.handlers.onDisconnect?.(socket, reason);
  }
}

function disconnectPacket(namespace: string): Packet {
  return { type: PacketType.DISCONNECT, nsp: namespace };
}
