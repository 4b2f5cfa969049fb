/**
 * What the Engine.IO server asks of whoever uses it.
 *
 * @module
 */
import type { Carrier } from "../carrier.ts";
import type { EndedSession, EngineAnswer, EngineOrder, EngineProtocol, MovedEngine, MovedSession } from "./orders.ts";

export type TransportName = "polling" | "websocket";

/** Times in milliseconds, sizes in bytes. */
export interface EngineSettings {
  /** From one ping of the server to the next (Engine.IO 3: how often the client pings). */
  readonly pingInterval: number;
  /** How long a ping may go unanswered. */
  readonly pingTimeout: number;
  /** How long a WebSocket may take from its handshake to its upgrade. */
  readonly upgradeTimeout: number;
  /** What a POST or a frame may have; told in the handshake. */
  readonly maxPayload: number;
  /** Whether Engine.IO 3 is spoken too. */
  readonly allowEio3: boolean;
}

/** A handshake: a request without a session id. */
export interface Visit {
  readonly request: Request;
  /** Without what says who one is, once {@linkcode EngineHost.identify} has read that. */
  readonly url: URL;
  readonly address: string;
  readonly protocol: EngineProtocol;
  readonly transport: TransportName;
}

/**
 * One session of Engine.IO: a carrier whose frames are packets as a WebSocket has them, texts (`4...`) or bytes (of 3 with
 * a 4 before them), whichever the transport is. `received` brings the data of messages. The handshake, heartbeats and the
 * way from polling to a WebSocket are its own business.
 */
export interface EngineSocket extends Carrier {
  readonly sid: string;
  readonly protocol: EngineProtocol;
  readonly transport: TransportName;
}

/** Who uses the server; `W` is what it knows of a client. */
export interface EngineHost<W> {
  /** Asked before anything is answered, of every request, polls too. @throws {GongError} `forbidden` and the like */
  checkOrigin(request: Request, url: URL): void;
  /** The origin whose pages may read the answer, refusals too; absent, nobody's may, and no answer says anything of that. */
  cors?(request: Request, url: URL): string | undefined;
  /** Who comes. Called for handshakes, before anything is answered. @throws {GongError} refusals */
  identify(visit: Visit): W | Promise<W>;
  /**
   * A session begins: it has to be listened to at once. Its carrier opens later; of a WebSocket for whom it is not known
   * yet who comes, `who` is a promise, and the host says nothing to it before that is settled.
   *
   * @throws {GongError} refusals; nothing was answered then
   */
  connect(socket: EngineSocket, visit: Visit, who: W | Promise<W>): void;
  /**
   * Hands over what it knows of a session that goes to another isolate, and forgets it: it hears nothing of it any more.
   * What it sends until then goes along. Where this fails, the session is closed.
   */
  give(socket: EngineSocket): Promise<Omit<MovedSession, "engine">>;
  /**
   * Goes on with a session that comes from another isolate; it has to be listened to at once. It is open already, which
   * nobody tells, and what its old transport had not sent is on its way.
   */
  receive(socket: EngineSocket, moved: MovedSession): void;
  /** A WebSocket that is no session's was told to close; it may be there until it is {@linkcode gone}. */
  closing?(leftover: Leftover): void;
  gone?(leftover: Leftover): void;
}

/** A WebSocket that is no session's. */
export interface Leftover {
  /** Whether something is to be said to it yet. */
  readonly lingers: boolean;
  /** Bytes that it holds. */
  readonly held: number;
}

/** Where sessions are: here or with others. */
export interface Whereabouts {
  /** A new id of a session that is here: 128 bits that nobody guesses, whose it is, and a signature. */
  newSid(): string;
  /** Number of the edge that owns the session, `here`, or undefined when nobody here has made the id. In constant time. */
  ownerOf(sid: string): number | "here" | undefined;
  /** Whether the edge is another node's: its sessions do not come here. */
  isFar(edge: number): boolean;
  /** Has another edge answer. @throws {GongError} `not_found`: the edge is gone; `overloaded` */
  ask(edge: number, order: EngineOrder): Promise<EngineAnswer>;
  /** Tells another edge that a client which polls a session of its is gone. */
  abandon(edge: number, sid: string): void;
  /** Takes a session over. @throws {GongError} `not_found` */
  take(edge: number, sid: string): Promise<MovedSession | EndedSession>;
}

/** What an Engine.IO server offers to the isolate that it is in. */
export interface EngineServer {
  /** Answers a request on the path of Engine.IO. Never throws. */
  handle(request: Request, url: URL, peer: EnginePeer): Response | Promise<Response>;
  /** Answers another edge. */
  serve(order: EngineOrder): Promise<EngineAnswer>;
  /** Who polled this session by another edge is gone. */
  abandon(sid: string): void;
  /** Hands a session over, which was probed. @throws {GongError} `not_found` */
  give(sid: string): Promise<MovedSession | EndedSession>;
  /** Sessions that are here. */
  readonly size: number;
  /** This edge is about to end: who polls sessions of other nodes by it is let go, to do so by another one. */
  drain(): void;
  close(): void;
}

/** Who asks, and how it will go. */
export interface EnginePeer {
  readonly address: string;
  /** Settled when the answer was handed over to be sent, or cannot be. */
  completed(): Promise<void>;
}

export type { MovedEngine };
