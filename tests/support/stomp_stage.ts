/**
 * A client of STOMP on the stage: no socket, and a clock that stands still.
 *
 * @module
 */
import type { StompVersion } from "../../lib/codecs/stomp.ts";
import { StompDoors } from "../../lib/doors/stomp.ts";
import { Pulse, TICK } from "../../lib/doors/pulse.ts";
import type { Data } from "../../lib/types.ts";
import { parseFrames, type ServerFrame } from "./doors/stomp.ts";
import type { Client, ConnectOptions, StageEdge } from "./stage.ts";

/** Headers of a frame. */
export type Headers = Readonly<Record<string, string>>;

/** The clock of all STOMP connections of a test. */
export class Clock {
  now = 1_000_000;
  readonly pulse = new Pulse({ now: () => this.now });

  /** Lets so many milliseconds go by, tick by tick. */
  pass(milliseconds: number): void {
    for (const end = this.now + milliseconds; this.now < end;) {
      this.now = Math.min(end, this.now + TICK);
      this.pulse.tick();
    }
  }
}

/** How long a frame may take, in milliseconds: without an end a test that misses one would never fail. */
const PATIENCE = 10_000;

/** How a peer comes. */
export interface PeerOptions extends ConnectOptions {
  readonly clock?: Clock;
  /** That the handshake has chosen. */
  readonly protocol?: StompVersion;
}

/** One client. */
export class StompPeer {
  readonly client: Client;
  /** As which it speaks. */
  version: StompVersion = "1.2";
  readonly #frames: ServerFrame[] = [];
  /** Messages of the socket that are in `#frames`. */
  #read = 0;
  #taken = 0;

  constructor(edge: StageEdge, { clock = new Clock(), protocol, ...options }: PeerOptions = {}) {
    const doors = new StompDoors({ ping: edge.config.ping, maxMessage: edge.config.maxMessage }, clock.pulse);
    this.client = edge.connect({ door: doors.open(protocol), ...options });
  }

  /** One that has said CONNECT, and was answered. */
  static async connect(edge: StageEdge, options: PeerOptions & { version?: StompVersion } = {}): Promise<StompPeer> {
    const { version = "1.2", ...rest } = options;
    const peer = new StompPeer(edge, rest);
    peer.version = version;
    peer.say("CONNECT", { "accept-version": version });
    await peer.next("CONNECTED");
    return peer;
  }

  /** A frame in a text message. */
  say(command: string, headers: Headers = {}, body = ""): void {
    this.sayRaw(frameOf(command, headers, body, this.version));
  }

  sayRaw(data: Data): void {
    this.client.socket.say(data);
  }

  /** Every frame that came so far. */
  get frames(): readonly ServerFrame[] {
    const { sent } = this.client.socket;
    while (this.#read < sent.length) this.#frames.push(...parseFrames(sent[this.#read++]!));
    return this.#frames;
  }

  /** The next frame. @throws when it is another one than this, or does not come */
  async next(command: string): Promise<ServerFrame> {
    const { socket } = this.client;
    await soon(command, socket.until(() => this.frames.length > this.#taken || !socket.isOpen));
    const frame = this.frames[this.#taken++];
    if (frame?.command === command) return frame;
    const { closed } = this.client.socket;
    throw new Error(`not ${command} but ${frame ? shown(frame) : JSON.stringify(closed)}`);
  }

  /** The next frame, a MESSAGE: its headers and its text. */
  async message(): Promise<{ headers: Headers; text: string }> {
    const { headers, body } = await this.next("MESSAGE");
    return { headers: Object.fromEntries(headers), text: new TextDecoder().decode(body) };
  }

  /** Subscribes, and waits until it is told so. */
  async subscribe(id: string, destination: string, headers: Headers = {}): Promise<Headers> {
    this.say("SUBSCRIBE", { id, destination, receipt: `sub ${id}`, ...headers });
    return Object.fromEntries((await this.next("RECEIPT")).headers);
  }

  /** Says a frame and waits for its receipt. */
  async obeyed(command: string, headers: Headers = {}, body = ""): Promise<Headers> {
    this.say(command, { receipt: "r", ...headers }, body);
    return Object.fromEntries((await this.next("RECEIPT")).headers);
  }

  /** How it ends: the headers of the ERROR, and the code of the close. */
  async end(): Promise<{ error: Headers | undefined; close: number }> {
    const { code } = await soon("the end", this.client.socket.end());
    const last = this.frames.at(-1);
    return { error: last?.command === "ERROR" ? Object.fromEntries(last.headers) : undefined, close: code };
  }
}

/** A frame of that version. */
export function frameOf(command: string, headers: Headers = {}, body = "", version: StompVersion = "1.2"): string {
  const isPlain = version === "1.0" || command === "CONNECT" || command === "STOMP";
  const escape = (text: string) => {
    if (isPlain) return text;
    return text.replaceAll("\\", "\\\\").replaceAll(":", "\\c").replaceAll("\n", "\\n");
  };
  const lines = Object.entries(headers).map(([name, value]) => `${escape(name)}:${escape(value)}\n`);
  return `${command}\n${lines.join("")}\n${body}\0`;
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

function shown({ command, headers, body }: ServerFrame): string {
  return JSON.stringify({ command, ...Object.fromEntries(headers), body: new TextDecoder().decode(body) });
}
