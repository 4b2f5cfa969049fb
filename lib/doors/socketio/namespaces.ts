/**
 * The namespaces of one connection, and what is done in them.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import { MAX_CURSOR, parsePosition } from "../../codecs/cursor.ts";
import { channelOf, encodePacket, placeOf } from "../../codecs/socketio.ts";
import type { Codec, DoorSession } from "../../door.ts";
import type { EngineProtocol } from "../../engineio/orders.ts";
import { GongError } from "../../errors.ts";
import { failurePacket } from "../../socketio/connecting.ts";
import type { Ack, Argument, ConnectAnswer, Connection, Handlers, Rooms, ServerSocket } from "../../socketio/engine.ts";
import type { Position, Start } from "../../types.ts";
import { Arrival } from "./arrival.ts";
import { type CodecKind, SILENT } from "./codec.ts";
import { roomChannel } from "./connect.ts";
import { enter, type Entered } from "./entrance.ts";
import { readAnswer, readEvent } from "./events.ts";
import { membershipOf } from "./membership.ts";
import type { Shared } from "./shared.ts";
import { encodeState } from "./state.ts";

/** What the sockets of a connection do with its session. */
export class Namespaces implements Handlers, Rooms, Entered {
  readonly shared: Shared;
  readonly protocol: EngineProtocol;
  session!: DoorSession;
  connection!: Connection;
  codec: Codec = SILENT;
  /** Subscriptions that are not let in yet. */
  #arrivals: Set<Arrival> | undefined;
  /** What is under way beside the handlers, and who waits for it. */
  #underway = 0;
  #idle: (() => void)[] | undefined;

  constructor(shared: Shared, protocol: EngineProtocol) {
    this.shared = shared;
    this.protocol = protocol;
  }

  /** The socket that gets what is of no namespace: of those that are connected, the one that was first. */
  get home(): ServerSocket | undefined {
    for (const socket of this.connection.sockets.values()) return socket;
    return undefined;
  }

  /** Whether clients are told where they stand, and may come back. */
  get remembers(): boolean {
    return this.protocol === 4 && this.shared.config.recovery > 0;
  }

  // What the engine calls.

  onConnect(socket: ServerSocket): Promise<ConnectAnswer> {
    return enter(this, socket);
  }

  onEvent(
    socket: ServerSocket,
    event: string,
    args: readonly Argument[],
    ack: Ack | undefined,
  ): void | Promise<void> {
    const { eventJoin, eventLeave, eventTo } = this.shared.config;
    try {
      // Without a name there is no such event.
      if (event !== "" && event === eventJoin) return this.#later(socket, ack, this.join(socket, args[0]));
      if (event !== "" && event === eventLeave) return this.#later(socket, ack, this.leave(socket, args[0]));
      if (event !== "" && event === eventTo) {
        const [room, name, ...rest] = args;
        this.#publish(socket, roomChannel(socket.namespace, room), name, rest, ack);
      } else this.#publish(socket, channelOf(socket.namespace)!, event, args, ack);
    } catch (error) {
      this.#refuse(socket, ack, error);
    }
  }

  async onAck(_socket: ServerSocket, reply: string, args: readonly Argument[]): Promise<void> {
    try {
      await this.session.answer(reply, readAnswer(args, this.session.maxMessage));
    } catch (error) {
      // Who answers is not told what has become of it.
      this.session.countRefusal(GongError.from(error).code);
    }
  }

  onDisconnect(socket: ServerSocket, reason: string): void {
    const { session } = this;
    if (session.hasLeft) return;
    const { pid, since } = membershipOf(socket);
    if (pid !== undefined && reason.endsWith("namespace disconnect")) session.forget(pid);
    const inbox = session.inbox;
    const position = inbox === undefined ? undefined : since.get(inbox);
    const heir = [...this.connection.sockets.values()].find((other) => other !== socket);
    for (const channel of since.keys()) if (channel !== inbox || !heir) session.unsubscribe(channel);
    if (heir && inbox !== undefined && position) {
      membershipOf(heir).since.set(inbox, this.#positionIn(inbox) ?? position);
      this.remember(heir);
    }
    this.recode();
  }

  async join(socket: ServerSocket, room: unknown): Promise<object> {
    const channel = roomChannel(socket.namespace, room);
    const arrival = this.arrive(new Map([[channel, undefined]]));
    const { position } = (await arrival.begun).get(channel)!;
    const { since } = membershipOf(socket);
    // Whoever is there already may not have got everything up to here.
    if (!since.has(channel)) {
      since.set(channel, position);
      await this.remember(socket);
      arrival.check();
    }
    this.recode();
    arrival.open();
    return { channel, ...position };
  }

  async leave(socket: ServerSocket, room: unknown): Promise<object> {
    const channel = roomChannel(socket.namespace, room);
    if (!membershipOf(socket).since.delete(channel)) return {};
    this.session.unsubscribe(channel);
    this.recode();
    await this.remember(socket);
    return {};
  }

  emit(socket: ServerSocket, room: string, event: string, args: readonly Argument[]): Promise<unknown> {
    const channel = roomChannel(socket.namespace, room);
    return this.session.publish(readEvent(channel, event, args, this.session.maxMessage));
  }

  // What is done with them.

  /** Subscribes, and holds back what comes until it is opened. */
  arrive(starts: ReadonlyMap<string, Start | undefined>): Arrival {
    const arrival = new Arrival(this.session, starts);
    const arrivals = this.#arrivals ??= new Set();
    arrivals.add(arrival);
    arrival.over.then(() => {
      arrivals.delete(arrival);
      if (arrivals.size === 0) this.#arrivals = undefined;
    });
    return arrival;
  }

  /** As soon as the client has been told that it is connected, it gets what comes. */
  admit(socket: ServerSocket, arrival: Arrival): void {
    setImmediate(() => {
      // One that is gone has been unsubscribed.
      if (!socket.isConnected || this.session.hasLeft) return arrival.undo();
      this.recode();
      arrival.open();
    });
  }

  /** Keeps what the socket can be gone on with. Where that cannot be stored it cannot come back. */
  async remember(socket: ServerSocket): Promise<void> {
    const membership = membershipOf(socket);
    const { pid, since } = membership;
    if (pid === undefined) return;
    try {
      const { namespace } = socket;
      await this.session.remember(pid, encodeState({ namespace, user: this.session.user, since }));
    } catch (error) {
      // One that is no more has no say: its client may be back already.
      if (this.session.hasLeft) return;
      this.session.countRefusal(GongError.from(error).code);
      membership.pid = undefined;
      this.session.forget(pid);
    }
  }

  /** The session hears the channel: by an order of the operator, if nobody here has asked for it. */
  subscribed(channel: string, position: Position): void {
    const socket = this.#socketOf(channel);
    if (!socket || membershipOf(socket).since.has(channel)) return;
    for (const arrival of this.#arrivals ?? []) if (arrival.has(channel)) return;
    membershipOf(socket).since.set(channel, position);
    void this.remember(socket);
    this.recode();
  }

  /** The session does not hear the channel any more. */
  unsubscribed(channel: string): void {
    for (const arrival of this.#arrivals ?? []) {
      if (arrival.has(channel)) arrival.fail(new GongError("forbidden", `Listening to ${channel} is not allowed.`));
    }
    const socket = this.#socketOf(channel);
    if (!socket?.isConnected || !membershipOf(socket).since.delete(channel)) return;
    const room = placeOf(channel)?.room;
    if (room === undefined) return socket.disconnect();
    void this.remember(socket);
    this.recode();
    this.say(socket, "$unsubscribed", room);
  }

  /** What lies before the position is gone for good. */
  lost(channel: string, position: Position): void {
    const socket = this.#socketOf(channel) ?? this.home;
    if (!socket) return;
    const { since } = membershipOf(socket);
    if (since.has(channel)) since.set(channel, position);
    this.say(socket, "$lost", channel);
  }

  /** Sends an event of the server, which ends as all of them do. */
  say(socket: ServerSocket, event: string, ...args: readonly Argument[]): void {
    const { offsets } = this.#kind();
    if (offsets === "none") return socket.emit(event, ...args);
    socket.emit(event, ...args, offsets === "signed" ? this.shared.offsets.sign(this.session.cursor) : "");
  }

  /** Looks how publications are to be encoded now. */
  recode(): void {
    const codec = this.shared.codecs.get(this.#kind());
    if (codec === this.codec) return;
    this.codec = codec;
    this.session.recode();
  }

  /** The connection was one elsewhere. */
  restore(): void {
    this.codec = this.shared.codecs.get(this.#kind());
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    for (;;) {
      await this.connection.settled();
      if (this.#underway > 0) await new Promise<void>((resolve) => (this.#idle ??= []).push(resolve));
      else if (this.#arrivals) await Promise.all(Array.from(this.#arrivals, ({ over }) => over));
      else return;
    }
  }

  /** Nobody is there any more. */
  close(): void {
    for (const arrival of this.#arrivals ?? []) arrival.fail(new GongError("going_away"));
  }

  #publish(
    socket: ServerSocket,
    channel: string,
    event: unknown,
    args: readonly Argument[],
    ack: Ack | undefined,
  ): void {
    const { session } = this;
    const draft = readEvent(channel, event, args, session.maxMessage);
    if (!ack) return session.post(draft);
    const published = session.publish(draft).then(({ epoch, offset }) => ({ channel, epoch, offset }));
    // The next event need not wait: they are published in order anyway.
    void this.#later(socket, ack, published);
  }

  /** Acknowledges as soon as it is known what comes of it. */
  async #later(socket: ServerSocket, ack: Ack | undefined, outcome: Promise<object>): Promise<void> {
    this.#underway++;
    try {
      const value = await outcome;
      ack?.(value);
    } catch (error) {
      this.#refuse(socket, ack, error);
    }
    if (--this.#underway === 0) { for (const resolve of this.#idle?.splice(0) ?? []) resolve(); }
  }

  #refuse(socket: ServerSocket, ack: Ack | undefined, cause: unknown): void {
    if (this.session.hasLeft) return;
    const error = GongError.from(cause);
    const { code, message } = error;
    this.session.countRefusal(code);
    if (ack) ack({ error: { code, message } });
    else this.complain(socket, error);
  }

  /** Tells that something was not done. */
  complain(socket: ServerSocket, error: GongError): void {
    const { code, message } = error;
    if (this.protocol === 4) return this.say(socket, "$error", { code, message });
    const packet = failurePacket(socket.namespace, error, this.protocol);
    for (const frame of encodePacket(packet, this.protocol)) this.session.write(frame);
  }

  /** Where the session stands in a channel that it hears. */
  #positionIn(channel: string): Position | undefined {
    const prefix = `${channel}@`;
    const part = this.session.cursor.split(",").find((part) => part.startsWith(prefix));
    return part === undefined ? undefined : parsePosition(part.slice(prefix.length));
  }

  #kind(): CodecKind {
    const { protocol, connection: { sockets } } = this;
    let channels = 0;
    for (const socket of sockets.values()) channels += membershipOf(socket).since.size;
    const offsets = !this.remembers ? "none" : channels > MAX_CURSOR ? "empty" : "signed";
    return { protocol, offsets, namespaces: [...sockets.keys()] };
  }

  /** Whose channel it is: of its namespace, or of its user. */
  #socketOf(channel: string): ServerSocket | undefined {
    for (const socket of this.connection.sockets.values()) if (membershipOf(socket).since.has(channel)) return socket;
    const place = placeOf(channel);
    return place && this.connection.sockets.get(place.namespace);
  }
}
