/**
 * The STOMP door: 1.0, 1.1 and 1.2. The clauses that comments name are those of the specification of 1.2.
 *
 * @module
 */
import { Budget } from "../budget.ts";
import { type StompFrame, StompReader, type StompVersion } from "../codecs/stomp.ts";
import { messageBody } from "../codecs/stomp/message.ts";
import type { Codec, Door, DoorSession, Ending } from "../door.ts";
import { GongError } from "../errors.ts";
import { queueOf } from "../reserved.ts";
import type { Data, Position, Signal } from "../types.ts";
import { VERSION } from "../version.ts";
import { agreeOnBeats, Beats, offerBeats } from "./stomp/beats.ts";
import { COMMANDS } from "./stomp/commands.ts";
import { chooseVersion, readCredentials } from "./stomp/connect.ts";
import { encodeError } from "./stomp/error.ts";
import { Conversation, type Headers } from "./stomp/conversation.ts";
import { REPLY, SIGNAL } from "./stomp/destinations.ts";
import { Pulse, type Ticking } from "./pulse.ts";

/** Headers of a frame, and bytes of each line, so that a token has room, and of all of them. */
const HEADERS = 64;
const LINE = 10_240;
const HEAD = 16_384;
/** Bytes that a message of the WebSocket may have beside a body: that of a frame, and a short one before and behind it. */
const OVERHEAD = 2 * HEAD;
/** What a frame that is held takes beside its bytes. */
const HELD = 512;
/** How long a client may take to say CONNECT, in milliseconds. */
const PATIENCE = 10_000;
/** A piece of a frame that is smaller counts as a message: otherwise one could be sent byte by byte. */
const PIECE = 1024;
/** Bytes of all transactions that are open. */
const TRANSACTIONS = 64 * 2 ** 20;

/** What all STOMP connections of an edge have in common. */
export class StompDoors {
  readonly pulse: Pulse;
  readonly budget = new Budget(TRANSACTIONS);
  /** How often a client is to be heard from, in milliseconds. */
  readonly ping: number;
  /** Bytes of a message's body. */
  readonly maxMessage: number;

  /** @param config `ping` in seconds */
  constructor({ ping, maxMessage }: { readonly ping: number; readonly maxMessage: number }, pulse = new Pulse()) {
    this.pulse = pulse;
    this.ping = ping * 1000;
    this.maxMessage = maxMessage;
  }

  /** For one connection. @param protocol the version that the handshake has chosen, if it has */
  open(protocol: StompVersion | undefined): Door {
    return new StompDoor(this, protocol);
  }
}

/** One connection. */
class StompDoor implements Door, Ticking {
  readonly name = "stomp";
  readonly overhead = OVERHEAD;
  readonly #doors: StompDoors;
  readonly #protocol: StompVersion | undefined;
  readonly #reader: StompReader;
  #session: DoorSession | undefined;
  /** From CONNECTED on. */
  #talk: Conversation | undefined;
  #beats: Beats | undefined;
  /** Until when it has to say CONNECT, by the clock of the pulse. */
  #latest = 0;
  /** What came while it is looked at who it is. */
  #held: StompFrame[] | undefined;
  #heldBytes = 0;
  /**
   * Its CONNECT came in a binary message: so do those of React Native, whose WebSockets end a text at its first NUL, and
   * with it whatever is joined behind a frame.
   */
  #isSplit = false;

  constructor(doors: StompDoors, protocol: StompVersion | undefined) {
    this.#doors = doors;
    this.#protocol = protocol;
    this.#reader = new StompReader({ headers: HEADERS, line: LINE, head: HEAD, body: doors.maxMessage });
  }

  get codec(): Codec {
    return this.#talk?.subscriptions.codec ?? SILENT;
  }

  opened(session: DoorSession): void {
    this.#session = session;
    this.#latest = this.#doors.pulse.now() + PATIENCE;
    this.#doors.pulse.add(this);
  }

  received(session: DoorSession, data: Data): void {
    if (this.#talk?.isLeaving) return;
    this.#beats?.hear(this.#doors.pulse.now());
    let frames = 0;
    for (const frame of this.#reader.read(data)) {
      frames++;
      session.count();
      this.#receive(session, frame);
      if (session.hasLeft || this.#talk?.isLeaving) return;
    }
    // What lies between frames is not bounded by one.
    if (frames === 0 && (data.length < PIECE || !this.#reader.isWithin)) session.count();
  }

  subscribed(): void {}

  refused(session: DoorSession, error: GongError): void {
    session.refuse(error);
  }

  // No frame but ERROR has room for it.
  lost(session: DoorSession, channel: string, _position: Position): void {
    // What comes to a user anyway is nothing that the client waits for.
    if (channel !== session.inbox || this.#talk?.subscriptions.has(channel)) session.close("lost");
  }

  unsubscribed(session: DoorSession, channel: string): void {
    if (!this.#talk?.subscriptions.has(channel)) return;
    const queue = queueOf(channel);
    const what = queue === undefined ? `Listening to ${channel}` : `Consuming the queue ${queue}`;
    session.close("forbidden", `${what} is not allowed any more.`);
  }

  signal(_session: DoorSession, { data, contentType, from, user, reply }: Signal): void {
    const talk = this.#talk;
    if (!talk) return;
    const headers: Headers = [
      ["subscription", talk.subscriptions.signals ?? SIGNAL],
      ["destination", SIGNAL],
      ["message-id", `signal-${talk.nextSignal()}`],
      ["content-type", contentType],
      ...optional("from", from),
      ...optional("user", user),
      ...optional("reply-to", reply === undefined ? undefined : REPLY + reply),
    ];
    talk.write("MESSAGE", headers, messageBody({ data, contentType }));
  }

  farewell(ending: Ending): Data | undefined {
    if (ending.code === "client" || ending.code === "vanished") return undefined;
    return encodeError(ending, this.#talk ?? {});
  }

  left(): void {
    this.#doors.pulse.delete(this);
    this.#talk?.close();
    this.#held = undefined;
  }

  tick(now: number): boolean {
    const session = this.#session!;
    const [talk, beats] = [this.#talk, this.#beats];
    try {
      if (!talk || !beats) return this.#awaitConnect(now);
      if (beats.isSilent(now)) throw new GongError("timeout", "The heart-beats of the client have stopped.");
      talk.transactions.check();
      // Some clients lose what comes behind it in the same message.
      if (beats.isDue(now, session.sent)) session.beat("\n");
      return !beats.isIdle || talk.transactions.size > 0;
    } catch (error) {
      session.refuse(error);
      return false;
    }
  }

  /** @throws {GongError} `timeout` */
  #awaitConnect(now: number): boolean {
    // Once it has said so, it is the server that it waits for.
    if (now < this.#latest || this.#held) return true;
    throw new GongError("timeout", `A client has to say CONNECT within ${PATIENCE / 1000} s.`);
  }

  #receive(session: DoorSession, frame: StompFrame): void {
    if (this.#talk) return this.#obey(this.#talk, frame);
    if (this.#held) return this.#hold(frame, this.#held);
    if (frame.command !== "CONNECT" && frame.command !== "STOMP") {
      throw new GongError("bad_request", `The first frame has to be CONNECT, not ${frame.command}.`);
    }
    const version = chooseVersion(frame, this.#protocol);
    const beats = agreeOnBeats(frame.headers.get("heart-beat"), this.#doors.ping);
    const said = readCredentials(frame);
    this.#reader.version = version;
    this.#isSplit = !frame.isText;
    this.#held = [];
    session.identify(said)
      .then(() => this.#connect(session, version, new Beats(beats, this.#doors.pulse.now())))
      .catch((error) => session.refuse(error));
  }

  #hold(frame: StompFrame, held: StompFrame[]): void {
    this.#heldBytes += frame.body.length + HELD;
    for (const [name, value] of frame.headers) this.#heldBytes += name.length + value.length;
    if (this.#heldBytes > this.#doors.maxMessage + OVERHEAD) {
      throw new GongError("rate_limited", "That is too much before CONNECTED.");
    }
    held.push(frame);
  }

  #connect(session: DoorSession, version: StompVersion, beats: Beats): void {
    if (session.hasLeft) return;
    const { maxMessage, budget, ping, pulse } = this.#doors;
    const options = { maxMessage, budget, now: pulse.now, isSplit: this.#isSplit };
    const talk = this.#talk = new Conversation(session, version, options);
    this.#beats = beats;
    // What it hears without having asked is encoded another way from here on.
    session.recode();
    talk.write("CONNECTED", [
      ["version", version],
      ["session", session.id],
      ["server", `gong/${VERSION}`],
      ["heart-beat", offerBeats(ping)],
      ...optional("user-name", session.user),
    ]);
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const frame of held) {
      if (session.hasLeft || talk.isLeaving) return;
      this.#obey(talk, frame);
    }
  }

  #obey(talk: Conversation, frame: StompFrame): void {
    const { command } = frame;
    try {
      const act = Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : undefined;
      if (!act) throw new GongError("bad_request", `There is no command ${command} here.`);
      act(talk, frame);
      if (talk.transactions.size > 0 && !this.#session!.hasLeft) this.#doors.pulse.add(this);
    } catch (error) {
      talk.fail(error, frame);
    }
  }
}

/** Of a connection that has subscribed to nothing. */
const SILENT: Codec = { name: "stomp", separator: "", encode: () => "", address: () => [] };

function optional(name: string, value: string | undefined): Headers {
  return value === undefined ? [] : [[name, value]];
}
