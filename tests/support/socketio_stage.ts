/**
 * A client of Socket.IO on the stage: no socket, and a clock that stands still.
 *
 * @module
 */
import { Decoder, Encoder, type Packet, PacketType } from "socket.io-parser";
import { SocketIoDoors } from "../../lib/doors/socketio.ts";
import type { EngineProtocol } from "../../lib/engineio/orders.ts";
import type { Data } from "../../lib/types.ts";
import { asMoved } from "./moving.ts";
import { type Client, type ConnectOptions, FakeSocket, type StageEdge } from "./stage.ts";
import { Clock } from "./stomp_stage.ts";

/** How long a packet may take, in milliseconds: without an end a test that misses one would never fail. */
const PATIENCE = 10_000;

/** The seal of all edges of a test. */
export const SEAL = new Uint8Array(32).fill(7);

/** How a peer comes. */
export interface PeerOptions extends ConnectOptions {
  readonly clock?: Clock;
  readonly protocol?: EngineProtocol;
}

/** What CONNECT is answered with. */
export interface Connected {
  readonly sid: string;
  readonly pid?: string;
  readonly recovered: boolean;
  readonly cursor: string;
}

/** What a client says with CONNECT. */
export type Auth = Readonly<Record<string, unknown>>;

/** One connection. */
export class SocketIoPeer {
  client: Client;
  /** Every packet that came so far. */
  readonly packets: Packet[] = [];
  readonly #protocol: EngineProtocol;
  readonly #doors: SocketIoDoors;
  #edge: StageEdge;
  readonly #decoder = new Decoder();
  /** Frames of the socket that are in `packets`. */
  #read = 0;
  readonly #taken = new Set<Packet>();
  #acks = 0;
  /** The last text of any event, by namespace, as a client keeps it. */
  readonly #offsets = new Map<string, string>();

  constructor(edge: StageEdge, { clock = new Clock(), protocol = 4, ...options }: PeerOptions = {}) {
    this.#protocol = protocol;
    this.#edge = edge;
    this.#doors = new SocketIoDoors(edge.config, { seal: SEAL, pulse: clock.pulse });
    this.#decoder.on("decoded", (packet: Packet) => {
      this.packets.push(packet);
      this.#note(packet);
    });
    this.client = edge.connect({ door: this.#doors.open(protocol), ...options });
  }

  /** One that is in the namespace. */
  static async connect(edge: StageEdge, namespace = "/", auth?: Auth, options?: PeerOptions): Promise<SocketIoPeer> {
    const peer = new SocketIoPeer(edge, options);
    await peer.enter(namespace, auth);
    return peer;
  }

  /** What its client would give as its place there. */
  offset(namespace = "/"): string | undefined {
    return this.#offsets.get(namespace);
  }

  /** Forgets what has come and was not taken: the connection has dropped before that. */
  asTaken(): this {
    this.#offsets.clear();
    for (const packet of this.packets) if (this.#taken.has(packet)) this.#note(packet);
    return this;
  }

  /** Says CONNECT, and waits for its answer. @throws with the data of CONNECT_ERROR */
  async enter(namespace = "/", auth?: Auth): Promise<Connected> {
    this.say({ type: PacketType.CONNECT, nsp: namespace, data: auth });
    const { type, data } = await this.next(({ type, nsp }) => {
      return nsp === namespace && (type === PacketType.CONNECT || type === PacketType.CONNECT_ERROR);
    }, `the answer of ${namespace}`);
    if (type === PacketType.CONNECT_ERROR) throw new Refused(data.message, data.data.code);
    return data;
  }

  say(packet: Packet): void {
    for (const part of new Encoder().encode(packet)) this.sayRaw(typeof part === "string" ? `4${part}` : part);
  }

  /** A frame of Engine.IO: of a text the first letter is the type. */
  sayRaw(frame: Data): void {
    this.client.socket.say(typeof frame === "string" ? frame.slice(1) : frame);
  }

  /** Sends an event, in `/` unless it is named `namespace event`. */
  emit(event: string, ...args: readonly unknown[]): void {
    this.emitIn("/", event, ...args);
  }

  emitIn(namespace: string, event: string, ...args: readonly unknown[]): void {
    this.say({ type: PacketType.EVENT, nsp: namespace, data: [event, ...args] });
  }

  /** Sends an event, and waits until it is acknowledged. */
  // deno-lint-ignore no-explicit-any
  async ask(event: string, ...args: readonly unknown[]): Promise<any> {
    return await this.askIn("/", event, ...args);
  }

  // deno-lint-ignore no-explicit-any
  async askIn(namespace: string, event: string, ...args: readonly unknown[]): Promise<any> {
    const id = this.#acks++;
    this.say({ type: PacketType.EVENT, nsp: namespace, id, data: [event, ...args] });
    const ack = await this.next((packet) => packet.type === PacketType.ACK && packet.id === id, `ack of ${event}`);
    return ack.data[0];
  }

  /** The next event of the namespace, without its offset. */
  async event(namespace = "/"): Promise<readonly unknown[]> {
    const { data } = await this.next(({ type, nsp }) => type === PacketType.EVENT && nsp === namespace, "event");
    return this.#protocol === 4 && this.client.session.door.codec.stamp ? data.slice(0, -1) : data;
  }

  /** So many of the next events. */
  async events(count: number, namespace = "/"): Promise<(readonly unknown[])[]> {
    const events: (readonly unknown[])[] = [];
    while (events.length < count) events.push(await this.event(namespace));
    return events;
  }

  /** The next packet of the kind. @throws when it does not come */
  async next(isIt: (packet: Packet) => boolean, what = "packet"): Promise<Packet> {
    const { socket } = this.client;
    const find = () => {
      this.#readAll();
      return this.packets.find((packet) => !this.#taken.has(packet) && isIt(packet));
    };
    await soon(what, socket.until(() => find() !== undefined || !socket.isOpen));
    const packet = find();
    if (!packet) throw new Error(`no ${what} but ${JSON.stringify(socket.closed)} after ${this.shown}`);
    this.#taken.add(packet);
    return packet;
  }

  /** Packets that nobody has asked for. */
  get left(): Packet[] {
    this.#readAll();
    return this.packets.filter((packet) => !this.#taken.has(packet));
  }

  get shown(): string {
    this.#readAll();
    return this.packets.map((packet) => JSON.stringify(packet)).join("\n");
  }

  /** Goes on with a connection of that edge; while it does so, no other peer may. */
  async move(to: StageEdge): Promise<void> {
    const from = this.#edge;
    const [{ session, socket: old }, protocol] = [this.client, this.#protocol];
    from.edge.engine = {
      serve: () => Promise.reject(new Error("not asked for")),
      abandon: () => {},
      drain() {},
      give: async () => ({ engine: { sid: "sid", protocol, frames: [] }, ...await from.edge.give(session) }),
    };
    const moved = asMoved(await to.edge.whereabouts.take(from.number, "sid"));
    this.#readAll();
    const socket = new FakeSocket();
    const door = this.#doors.reopen(protocol, moved.door);
    const goesOn = to.edge.receive(moved.session, { door, carrier: socket });
    door.reopened(goesOn);
    this.#edge = to;
    this.client = { session: goesOn, socket, id: goesOn.id };
    this.#read = 0;
    old.vanish(true);
    socket.open();
  }

  /** The connection drops. */
  drop(): void {
    this.client.socket.vanish();
  }

  #note({ type, nsp, id, data }: Packet): void {
    const last = type === PacketType.EVENT && id === undefined ? data.at(-1) : undefined;
    if (typeof last === "string") this.#offsets.set(nsp, last);
  }

  #readAll(): void {
    const { sent } = this.client.socket;
    while (this.#read < sent.length) {
      const frame = sent[this.#read++]!;
      if (typeof frame === "string" && !frame.startsWith("4")) throw new Error(`no message: ${frame}`);
      if (typeof frame === "string") this.#decoder.add(frame.slice(1));
      else this.#decoder.add(this.#protocol === 4 ? frame : frame.subarray(1));
    }
  }
}

/** CONNECT was answered by an error. */
export class Refused extends Error {
  override readonly name = "Refused";

  constructor(message: string, readonly code: string) {
    super(message);
  }
}

/** @throws when it is not so in time */
async function soon<T>(what: string, awaited: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no ${what} within ${PATIENCE} ms`)), PATIENCE);
  try {
    return await Promise.race([awaited, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
