/**
 * One session of Engine.IO, on whichever transport it is.
 *
 * @module
 */
import { byteLength } from "../bytes.ts";
import type { Carrier, CarrierEvents } from "../carrier.ts";
import { ENGINE_CODECS, type EngineCodec, type Packet } from "../codecs/engineio.ts";
import { type ErrorCode, ERRORS, GongError } from "../errors.ts";
import type { Outlet } from "../outbox.ts";
import type { Turn } from "../turn.ts";
import type { Data } from "../types.ts";
import { EngineFault, OK, refusalAnswer } from "./answers.ts";
import type { EngineSettings, EngineSocket, TransportName } from "./engine.ts";
import type { Beating, Heartbeat } from "./heartbeat.ts";
import type { EndedSession, EngineAnswer, EngineProtocol } from "./orders.ts";
import { CLOSE, NOOP, Polling, Release } from "./polling.ts";

/** How long the last word of a session waits for a GET, in milliseconds. */
const LINGER = 5000;
/** Milliseconds by which a ping may be late and its answer is due as if it were not. */
const PRECISION = 20;
/** Packets beside messages that a client may send in one interval; it needs one or two. */
const MOST_CONTROLS = 60;
/** Answers to pings that may be handed to a WebSocket that takes nothing. */
const MOST_UNREAD = 100;
/** Characters that a ping may have, as they are said back whatever waits: clients send none, or `probe`. */
const MOST_OF_PING = 128;
/** What an upgrade may take longer here than where its WebSocket is, in milliseconds. */
const UPGRADE_SLACK = 1000;

/** Close codes (RFC 6455 section 7.4.1): it has done what it was for; it is gone without a word. */
const NORMAL = 1000;
const GONE = 1006;

/** What sessions need of their server. */
export interface SessionContext {
  readonly settings: EngineSettings;
  readonly heartbeat: Heartbeat;
  readonly turn: Turn;
  /** It is over. */
  forget(session: EngineSession): void;
  /** Its client was refused something. */
  refused(code: ErrorCode): void;
}

/** How a session ends. */
interface Farewell {
  readonly code: number;
  readonly reason: string;
}

/** One session. It listens to its WebSocket itself. */
export class EngineSession implements EngineSocket, CarrierEvents, Beating {
  readonly sid: string;
  readonly protocol: EngineProtocol;
  due = Infinity;
  listed = Infinity;
  readonly #server: SessionContext;
  #events: CarrierEvents | undefined;
  #state: "opening" | "open" | "closing" | "closed" = "opening";
  #polling: Polling | undefined;
  #socket: Carrier | undefined;
  #farewell: Farewell | undefined;
  /** The WebSocket that is about to take over, and until when. */
  #probe: { readonly id: string; readonly until: number } | undefined;
  /** It is on its way to another edge. */
  #isMoving = false;
  /** A ping is out. */
  #isAwaiting = false;
  /** When it last said anything. */
  #heard: number;
  /** What it has sent beside messages since `#since`. */
  #controls = 0;
  #since: number;
  #unread = 0;

  constructor(server: SessionContext, sid: string, protocol: EngineProtocol) {
    this.#server = server;
    this.sid = sid;
    this.protocol = protocol;
    this.#heard = this.#since = server.heartbeat.now();
  }

  /** A session that polls. */
  static polling(server: SessionContext, sid: string, protocol: EngineProtocol, asText: boolean): EngineSession {
    const session = new EngineSession(server, sid, protocol);
    session.#polling = new Polling(session.codec, server.turn, asText);
    return session;
  }

  /** A session that comes from another edge, on a WebSocket that is open. */
  static moved(server: SessionContext, sid: string, protocol: EngineProtocol, socket: Carrier): EngineSession {
    const session = new EngineSession(server, sid, protocol);
    session.#state = "open";
    session.#socket = socket;
    session.#planFirst();
    return session;
  }

  get codec(): EngineCodec {
    return ENGINE_CODECS[this.protocol];
  }

  get transport(): TransportName {
    return this.#polling ? "polling" : "websocket";
  }

  /** The first packet that its client gets. */
  get handshake(): string {
    const { sid, transport } = this;
    const { pingInterval, pingTimeout, maxPayload } = this.#server.settings;
    const upgrades = transport === "polling" ? ["websocket"] : [];
    return `0${JSON.stringify({ sid, upgrades, pingInterval, pingTimeout, maxPayload })}`;
  }

  // What its owner does with it.

  listen(events: CarrierEvents): void {
    this.#events = events;
  }

  get outlet(): Outlet {
    return this.#polling ?? this.#socket?.outlet ?? NOWHERE;
  }

  get pending(): number {
    return (this.#polling ?? this.#socket)?.pending ?? 0;
  }

  get isOpen(): boolean {
    return this.#state === "open" && (this.#polling !== undefined || this.#socket!.isOpen);
  }

  send(data: Data): void {
    if (this.#state === "open") (this.#polling ?? this.#socket)!.send(data);
  }

  close(code: number, reason: string): void {
    if (this.#state !== "open" && this.#state !== "opening") return;
    const isOpen = this.#state === "open";
    this.#state = "closing";
    this.#farewell = { code, reason };
    if (isOpen) this.#sayFarewell(this.#farewell);
  }

  // What its client does.

  /** It goes on with this WebSocket, which may have to open yet. */
  attach(socket: Carrier): void {
    this.#socket = socket;
    socket.listen(this);
  }

  /** Its transport is there. */
  opened(): void {
    if (this.#farewell) return this.#sayFarewell(this.#farewell);
    this.#state = "open";
    // The answer to the first GET has it already.
    if (this.#socket) this.#socket.send(this.handshake);
    this.#planFirst();
    this.#events?.opened();
  }

  /** A frame of its WebSocket. */
  received(frame: Data): void {
    if (this.#state !== "open") return;
    try {
      if (isLarger(frame, this.#server.settings.maxPayload)) throw new GongError("too_large");
      this.#take(this.codec.decodeFrame(frame));
    } catch (caught) {
      const error = GongError.from(caught);
      this.#server.refused(error.code);
      this.fail(error, "parse error");
    }
  }

  /** Its WebSocket is gone. */
  closed(code: number, reason: string, clean: boolean): void {
    this.#finish(code, this.#farewell?.reason ?? (reason || "transport close"), clean);
  }

  /**
   * A GET: answered as soon as there is something to say.
   *
   * @param asText bytes are to be base64
   * @throws {EngineFault} when it does not poll, or another GET waits, which ends it
   */
  poll(asText: boolean): Promise<EngineAnswer> {
    const polling = this.#checkPolls();
    if (polling.isPolled) {
      const fault = new EngineFault("request");
      this.fail(fault);
      throw fault;
    }
    const answer = polling.poll(asText);
    if (this.#farewell) this.#closePolling(polling, this.#farewell);
    else if (polling.isPolled && this.#isProbed) new Release(polling, this.#server.heartbeat);
    return answer;
  }

  /**
   * A POST: what its client says, in order.
   *
   * @throws {GongError} for what it may not say, which ends it
   */
  say(payload: Data): EngineAnswer {
    this.#checkPolls();
    try {
      if (this.#state === "open") {
        this.codec.decodePayload(payload, (packet) => {
          this.#take(packet);
          return this.#isSaying;
        });
      }
      return OK;
    } catch (caught) {
      const error = GongError.from(caught);
      this.fail(error, "parse error");
      throw error;
    }
  }

  /** What its client is still to get, of one that was closed before it has left this edge; nothing is left of it then. */
  lastWords(): EndedSession | undefined {
    const ended = this.#farewell;
    if (!this.#polling || !ended || this.#state !== "closing") return undefined;
    const { sid, protocol } = this;
    const frames = this.#polling.take();
    this.#finish(ended.code, ended.reason, true);
    return { engine: { sid, protocol, frames }, ended };
  }

  /** Who polls is to do so by another way. */
  release(): void {
    if (!this.#isMoving) this.#polling?.letGo(NOOP);
  }

  /** Who polled is gone. */
  abandoned(): void {
    if (this.#polling && !this.#isMoving) this.#finish(GONE, "transport error", false);
  }

  /** It has come to nothing, by no fault of its client. */
  lost(): void {
    this.#finish(GONE, "transport error", false);
  }

  /**
   * It ends since its client has done what it must not; a GET that waits is told, and so is a WebSocket. It is counted by
   * whoever answers the client.
   */
  fail(error: GongError, reason = "transport error"): void {
    if (this.#isMoving || this.#state === "closing" || this.#state === "closed") return;
    this.#drop(error.closeCode, reason, error.message);
  }

  // How it gets to a WebSocket.

  /** A WebSocket wants to go on with it. @throws {EngineFault} when that cannot be, or another one is about to */
  probe(id: string): void {
    const polling = this.#checkPolls();
    if (this.#state !== "open" || this.#isProbed && this.#probe!.id !== id) throw new EngineFault("request");
    const { heartbeat, settings: { upgradeTimeout } } = this.#server;
    this.#probe = { id, until: heartbeat.now() + upgradeTimeout + UPGRADE_SLACK };
    // Clients of 3 get it by whichever way they take next.
    if (this.protocol === 3) polling.send(NOOP);
    else if (polling.isPolled) new Release(polling, heartbeat);
  }

  /** That one does not any more. */
  unprobe(id: string): void {
    if (this.#probe?.id === id) this.#probe = undefined;
  }

  /** Goes on with this WebSocket, to which it listens from now on. @returns whether it does */
  upgrade(socket: Carrier): boolean {
    const polling = this.#polling;
    if (!polling || this.#isMoving || this.#state === "closed") return false;
    this.#polling = this.#probe = undefined;
    this.attach(socket);
    // A client that has come so far waits for no answer.
    polling.refuse(refusalAnswer(new EngineFault("request")));
    for (const frame of polling.take()) socket.send(frame);
    if (this.#farewell) this.#sayFarewell(this.#farewell);
    else {
      this.#planFirst();
      this.#events?.changed?.();
    }
    return true;
  }

  /** It is about to go to another edge: it hears nothing from now on. @returns whether it may */
  beginMove(): boolean {
    if (!this.#polling || this.#isMoving || this.#state !== "open") return false;
    this.#isMoving = true;
    this.#server.heartbeat.cancel(this);
    this.#polling.letGo(NOOP);
    return true;
  }

  /** It is gone from here, and nobody is told. @returns what no GET has taken; undefined when it has ended meanwhile */
  endMove(): readonly Data[] | undefined {
    if (this.#state !== "open") return undefined;
    this.#state = "closed";
    this.#server.forget(this);
    return this.#polling!.take();
  }

  // What time does.

  beat(now: number, due: number): void {
    const { heartbeat, settings: { pingInterval, pingTimeout } } = this.#server;
    if (this.#farewell) return this.#finish(this.#farewell.code, this.#farewell.reason, false);
    if (this.protocol === 4 && !this.#isAwaiting) {
      this.#isAwaiting = true;
      this.send("2");
      return heartbeat.plan(this, (now - due > PRECISION ? now : due) + pingTimeout);
    }
    // Whoever says something is there, even if what he should say is behind it.
    const latest = this.#heard + (this.protocol === 4 ? pingTimeout : pingInterval + pingTimeout);
    if (latest > now) return heartbeat.plan(this, latest);
    this.#drop(ERRORS.stalled.close, "ping timeout", "ping timeout");
  }

  /** Whether what its client says counts: a packet before may have ended it. */
  get #isSaying(): boolean {
    return this.#state === "open";
  }

  get #isProbed(): boolean {
    return this.#probe !== undefined && this.#server.heartbeat.now() < this.#probe.until;
  }

  #checkPolls(): Polling {
    if (!this.#polling || this.#isMoving || this.#state === "closed") throw new EngineFault("request");
    return this.#polling;
  }

  /** @throws {GongError} for what a client does not send */
  #take({ type, data }: Packet): void {
    const { heartbeat, settings: { pingInterval } } = this.#server;
    const now = this.#heard = heartbeat.now();
    if (type === "message") return this.#events?.received(data ?? "");
    if (type === "close") return this.#leave();
    this.#countControl(now);
    if (type === "ping") {
      if (this.protocol === 4) throw new GongError("bad_request", "Pings are the server's.");
      this.#answerPing(typeof data === "string" ? data : "");
    } else if (type === "pong") {
      if (this.protocol === 3) throw new GongError("bad_request", "Pings are the client's.");
      this.#isAwaiting = false;
      heartbeat.plan(this, now + pingInterval);
    }
  }

  #answerPing(data: string): void {
    if (data.length > MOST_OF_PING) throw new GongError("too_large", "That is too much for a ping.");
    const { pending } = this;
    if (pending === 0) this.#unread = 0;
    else if (++this.#unread > MOST_UNREAD) throw new GongError("slow");
    this.send(`3${data}`);
  }

  #countControl(now: number): void {
    if (now - this.#since > this.#server.settings.pingInterval) {
      this.#since = now;
      this.#controls = 0;
    }
    if (++this.#controls > MOST_CONTROLS) throw new GongError("rate_limited");
  }

  #planFirst(): void {
    const { heartbeat, settings: { pingInterval, pingTimeout } } = this.#server;
    this.#isAwaiting = false;
    heartbeat.plan(this, heartbeat.now() + pingInterval + (this.protocol === 4 ? 0 : pingTimeout));
  }

  /** The client has ended it. */
  #leave(): void {
    if (this.#polling) {
      this.#polling.letGo(NOOP);
      this.#finish(NORMAL, "transport close", true);
    } else {
      this.close(NORMAL, "transport close");
    }
  }

  #sayFarewell({ code, reason }: Farewell): void {
    const { heartbeat } = this.#server;
    heartbeat.cancel(this);
    if (!this.#polling) return this.#socket!.close(code, reason);
    this.#polling.flush();
    if (!this.#polling.isPolled) heartbeat.plan(this, heartbeat.now() + LINGER);
    this.#closePolling(this.#polling, { code, reason });
  }

  /** Ends it with a GET that has nothing else to get: clients act on `1` before what is in the same payload. */
  #closePolling(polling: Polling, { code, reason }: Farewell): void {
    if (!polling.isPolled) return;
    polling.letGo(CLOSE);
    this.#finish(code, reason, true);
  }

  /** Ends it without waiting for anybody. */
  #drop(code: number, reason: string, message: string): void {
    this.#farewell = { code, reason };
    if (this.#polling) {
      this.#polling.letGo(CLOSE);
      this.#finish(code, reason, false);
    } else {
      this.#state = "closing";
      this.#server.heartbeat.cancel(this);
      this.#socket?.close(code, message);
    }
  }

  /** Nothing is left of it. Its owner hears of it later, since it may be sending something. */
  #finish(code: number, reason: string, clean: boolean): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#server.heartbeat.cancel(this);
    this.#server.forget(this);
    // Nobody waits any more but one whose connection is gone.
    this.#polling?.letGo(CLOSE);
    this.#polling?.take();
    queueMicrotask(() => this.#events?.closed(code, reason, clean));
  }
}

/** Of a WebSocket that is not there yet. */
const NOWHERE: Outlet = Object.freeze({ send() {} });

function isLarger(frame: Data, most: number): boolean {
  // A character is at most three bytes of UTF-8 for one UTF-16 unit.
  return frame.length > most || frame.length * 3 > most && byteLength(frame) > most;
}
