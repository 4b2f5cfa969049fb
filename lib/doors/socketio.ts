/**
 * The Socket.IO door: the sockets of one connection share a session, whose channels are their namespaces and rooms.
 *
 * @module
 */
import { encodePacket } from "../codecs/socketio.ts";
import type { Codec, Door, DoorSession, Ending } from "../door.ts";
import type { EngineProtocol } from "../engineio/orders.ts";
import { GongError } from "../errors.ts";
import { refusalPacket } from "../socketio/connecting.ts";
import { createConnection, reopenConnection } from "../socketio/connection.ts";
import type { Connection, ConnectionLimits, ConnectionOptions, PackedConnection } from "../socketio/engine.ts";
import type { Data, Position, Signal } from "../types.ts";
import { Codecs } from "./socketio/codec.ts";
import { signalArgs } from "./socketio/events.ts";
import { membershipOf, packMemberships, unpackMemberships } from "./socketio/membership.ts";
import { Namespaces } from "./socketio/namespaces.ts";
import { Offsets } from "./socketio/offset.ts";
import type { Shared, SocketIoSettings } from "./socketio/shared.ts";
import { Pulse, type Ticking } from "./pulse.ts";

export type { SocketIoSettings } from "./socketio/shared.ts";

/** Bytes that a packet may have beside a message: a token, names of rooms, the name of an event. */
const OVERHEAD = 16_384;
/** Events that wait while a room is being joined or left. */
const WAITING = 256;
/** And their bytes, with those of CONNECTs that wait: as much as may wait for a client by default. */
const WAITING_BYTES = 2 ** 20;
/** Questions that a client may leave unanswered. */
const ASKED = 100;

/** What {@linkcode SocketIoDoors} are made of. */
export interface SocketIoOptions {
  /** A secret of all edges, which outlives them. */
  readonly seal: Uint8Array;
  readonly pulse?: Pulse;
}

/** All Socket.IO connections of an edge. */
export class SocketIoDoors {
  readonly #shared: Shared & { readonly limits: ConnectionLimits };

  /** @param config times in seconds */
  constructor(config: SocketIoSettings, { seal, pulse = new Pulse() }: SocketIoOptions) {
    const offsets = new Offsets(seal);
    const codecs = new Codecs((cursor) => offsets.sign(cursor));
    const limits = {
      maxMessage: config.maxMessage + OVERHEAD,
      namespaces: config.maxSubscriptions,
      asked: ASKED,
      waiting: WAITING,
      waitingBytes: WAITING_BYTES,
    };
    this.#shared = { config, offsets, codecs, pulse, limits };
  }

  /** For one connection. */
  open(protocol: EngineProtocol): Door {
    return new SocketIoDoor(this.#shared, protocol);
  }

  /** For one that comes from another edge. */
  reopen(protocol: EngineProtocol, packed: unknown): ReopenedDoor {
    return new SocketIoDoor(this.#shared, protocol, packed as PackedConnection);
  }
}

/** That of a connection that was on another edge. */
export interface ReopenedDoor extends Door {
  /** Its session goes on here; called in place of `opened`. */
  reopened(session: DoorSession): void;
}

/** One connection. */
class SocketIoDoor implements ReopenedDoor, Ticking, ConnectionOptions {
  readonly name = "socketio";
  readonly overhead = OVERHEAD;
  readonly subscribesInbox = true;
  readonly #shared: Shared & { readonly limits: ConnectionLimits };
  readonly #namespaces: Namespaces;
  readonly #connection: Connection;
  /** Until when it has to connect to a namespace, by the clock of the pulse. */
  #latest = 0;

  constructor(
    shared: Shared & { readonly limits: ConnectionLimits },
    protocol: EngineProtocol,
    packed?: PackedConnection,
  ) {
    this.#shared = shared;
    this.#namespaces = new Namespaces(shared, protocol);
    this.#connection = packed ? reopenConnection(this, unpackMemberships(packed)) : createConnection(this);
    this.#namespaces.connection = this.#connection;
    if (packed) this.#namespaces.restore();
  }

  // What the engine is made of.

  get protocol(): EngineProtocol {
    return this.#namespaces.protocol;
  }

  get handlers(): Namespaces {
    return this.#namespaces;
  }

  get rooms(): Namespaces {
    return this.#namespaces;
  }

  get limits(): ConnectionLimits {
    return this.#shared.limits;
  }

  newId(): string {
    return this.#namespaces.session.id;
  }

  write(frames: readonly Data[]): void {
    for (const frame of frames) this.#namespaces.session.write(frame);
  }

  close(): void {
    this.#namespaces.session.leave();
  }

  // What the session does with it.

  get codec(): Codec {
    return this.#namespaces.codec;
  }

  opened(session: DoorSession): void {
    this.#namespaces.session = session;
    this.#connection.begin();
    this.#watch();
  }

  reopened(session: DoorSession): void {
    this.#namespaces.session = session;
    if (this.#connection.sockets.size === 0) this.#watch();
  }

  received(session: DoorSession, data: Data): void {
    // What follows a packet as its bytes is of the same message.
    if (typeof data === "string") session.count();
    this.#connection.received(data);
  }

  subscribed(_session: DoorSession, channel: string, position: Position): void {
    this.#namespaces.subscribed(channel, position);
  }

  refused(_session: DoorSession, error: GongError): void {
    const { home } = this.#namespaces;
    if (home) this.#namespaces.complain(home, error);
  }

  lost(_session: DoorSession, channel: string, position: Position): void {
    this.#namespaces.lost(channel, position);
  }

  unsubscribed(_session: DoorSession, channel: string): void {
    this.#namespaces.unsubscribed(channel);
  }

  signal(_session: DoorSession, signal: Signal): void {
    const { home } = this.#namespaces;
    if (!home) return;
    const args = signalArgs(signal);
    if (signal.reply === undefined) this.#namespaces.say(home, "message", ...args);
    else home.ask("message", args, signal.reply);
  }

  farewell({ code, message, retry }: Ending): readonly Data[] | undefined {
    if (retry || code === "client" || code === "vanished") return undefined;
    const { sockets } = this.#connection;
    for (const socket of sockets.values()) {
      const { pid } = membershipOf(socket);
      if (pid !== undefined) this.#namespaces.session.forget(pid);
    }
    if (sockets.size > 0) return this.#connection.goodbye();
    // Without a socket of its own a client would come again and again.
    return encodePacket(refusalPacket("/", { code, message }), this.protocol);
  }

  left(): void {
    this.#shared.pulse.delete(this);
    this.#namespaces.close();
    // Its last words, which follow, name the namespaces that it was in.
    queueMicrotask(() => this.#connection.closed("transport close"));
  }

  async settled(): Promise<void> {
    await this.#namespaces.settled();
  }

  pack(): PackedConnection {
    this.#shared.pulse.delete(this);
    return packMemberships(this.#connection.pack());
  }

  tick(now: number): boolean {
    if (this.#connection.sockets.size > 0) return false;
    if (now < this.#latest) return true;
    const { connectTimeout } = this.#shared.config;
    this.#namespaces.session.close("timeout", `A client has to connect to a namespace within ${connectTimeout} s.`);
    return false;
  }

  #watch(): void {
    const { pulse, config } = this.#shared;
    this.#latest = pulse.now() + config.connectTimeout * 1000;
    pulse.add(this);
  }
}
