/**
 * The Engine.IO server of an edge: requests in, sessions out.
 *
 * @module
 */
import type { Carrier } from "../carrier.ts";
import { type ErrorCode, GongError } from "../errors.ts";
import type { ByteBudget } from "../http/body.ts";
import { allowOrigin } from "../http/cors.ts";
import { Departure } from "../http/departure.ts";
import { checkUpgrade } from "../http/handshake.ts";
import { Lately } from "../lately.ts";
import { Socket } from "../socket.ts";
import { Turn } from "../turn.ts";
import {
  EngineFault,
  faultOf,
  OK,
  payloadAnswer,
  refusalAnswer,
  toPreflight,
  toRefusal,
  toResponse,
  unrefused,
} from "./answers.ts";
import { LocalClaim, RemoteClaim } from "./claims.ts";
import { Probers } from "./probers.ts";
import type { EngineHost, EnginePeer, EngineServer, EngineSettings, Leftover, Visit, Whereabouts } from "./engine.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { EndedSession, EngineAnswer, EngineOrder, EngineProtocol, MovedSession } from "./orders.ts";
import { isText } from "./payload.ts";
import { Posts } from "./posts.ts";
import { EngineSession, type SessionContext } from "./session.ts";
import { type Claim, Prober, Turned } from "./upgrade.ts";

/** What {@linkcode createEngineServer} needs. */
export interface EngineOptions<W> {
  readonly settings: EngineSettings;
  readonly host: EngineHost<W>;
  readonly whereabouts: Whereabouts;
  /** A client was refused something; of what a session was refused, nobody says from where it came. */
  readonly refused?: (error: GongError, address?: string) => void;
  /** How long a body may take, in seconds. Default 10. */
  readonly bodyTimeout?: number;
  /** What all bodies that are being read may hold. Default: no bound. */
  readonly bodyBudget?: ByteBudget;
  /** Default: a clock of its own. */
  readonly heartbeat?: Heartbeat;
  /** What says when turns end. Default: one of its own. */
  readonly turn?: Turn;
}

/** A server of Engine.IO 4, and 3 where that is allowed. */
export function createEngineServer<W>(options: EngineOptions<W>): EngineServer {
  return new Server(options);
}

class Server<W> implements EngineServer, SessionContext {
  readonly settings: EngineSettings;
  readonly heartbeat: Heartbeat;
  readonly turn: Turn;
  readonly #host: EngineHost<W>;
  readonly #whereabouts: Whereabouts;
  readonly #refused: (error: GongError, address?: string) => void;
  readonly #posts: Posts;
  readonly #sessions = new Map<string, EngineSession>();
  /** WebSockets that are not a session's yet, by its id. */
  readonly #probers = new Probers();
  /** Sessions that have gone to another edge: clients that have upgraded do not come back here. */
  readonly #moved: Lately<string, true>;
  /** What ids of POSTs and WebSockets begin with. */
  readonly #name = crypto.randomUUID();
  #count = 0;
  /** Sessions of other nodes that are polled here now, and their edges. */
  readonly #far = new Map<string, number>();
  #isDraining = false;
  #releasing: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  constructor(options: EngineOptions<W>) {
    const { settings, host, whereabouts, bodyTimeout, bodyBudget } = options;
    this.settings = settings;
    this.#host = host;
    this.#whereabouts = whereabouts;
    this.#refused = options.refused ?? (() => {});
    this.heartbeat = options.heartbeat ?? new Heartbeat();
    this.turn = options.turn ?? new Turn();
    this.#moved = new Lately(this.heartbeat.now);
    this.#posts = new Posts({
      bodies: { limit: settings.maxPayload, timeout: bodyTimeout, budget: bodyBudget },
      newId: () => this.#newId(),
      ask: (edge, order) => this.#ask(edge, order),
    });
  }

  get size(): number {
    return this.#sessions.size;
  }

  handle(request: Request, url: URL, peer: EnginePeer): Response | Promise<Response> {
    try {
      const response = this.#answer(request, url, peer);
      if (!(response instanceof Promise)) return this.#finish(request, url, response);
      return response.then(
        (response) => this.#finish(request, url, response),
        (error) => this.#refuse(request, url, error, peer),
      );
    } catch (error) {
      return this.#refuse(request, url, error, peer);
    }
  }

  async serve(order: EngineOrder): Promise<EngineAnswer> {
    try {
      const session = this.#find(order.sid);
      switch (order.kind) {
        case "poll":
          return await session.poll(order.asText);
        case "post":
          return this.#posts.say(session, order);
        case "posting":
          this.#posts.expect(session, order);
          return OK;
        case "probe":
          if (order.off) session.unprobe(order.id);
          else session.probe(order.id);
          return OK;
        case "release":
          session.release();
          return OK;
        case "fail":
          if (session.transport === "polling") session.fail(faultOf(order.refusal));
          return OK;
      }
    } catch (error) {
      return refusalAnswer(GongError.from(error));
    }
  }

  abandon(sid: string): void {
    this.#sessions.get(sid)?.abandoned();
  }

  async give(sid: string): Promise<MovedSession | EndedSession> {
    const session = this.#sessions.get(sid);
    const ended = session?.lastWords();
    if (ended) return ended;
    if (!session?.beginMove()) throw new GongError("not_found");
    try {
      const rest = await this.#host.give(session);
      const frames = session.endMove();
      if (frames === undefined) throw new GongError("not_found");
      this.#moved.set(sid, true);
      return { engine: { sid, protocol: session.protocol, frames }, ...rest };
    } catch (error) {
      const ended = session.lastWords();
      if (ended) return ended;
      session.lost();
      throw error;
    }
  }

  drain(): void {
    this.#isDraining = true;
    this.#release();
    // One of them may have been overtaken by that.
    this.#releasing = setTimeout(() => this.#release(), OVERTAKEN);
  }

  #release(): void {
    for (const [sid, edge] of this.#far) this.#whereabouts.ask(edge, { kind: "release", sid }).catch(() => {});
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#releasing);
    for (const prober of this.#probers.all()) prober.close(GOING_AWAY, "server shutting down");
    for (const session of [...this.#sessions.values()]) session.close(GOING_AWAY, "server shutting down");
    this.#stopIfEmpty();
  }

  // What sessions need.

  forget(session: EngineSession): void {
    const { sid } = session;
    this.#sessions.delete(sid);
    this.#posts.forget(sid);
    this.#probers.get(sid)?.close(NORMAL, "");
    this.#stopIfEmpty();
  }

  refused(code: ErrorCode): void {
    this.#refused(new GongError(code));
  }

  closing(leftover: Leftover): void {
    this.#host.closing?.(leftover);
  }

  gone(leftover: Leftover): void {
    this.#host.gone?.(leftover);
  }

  // Requests.

  /** The checks, in the order of the protocol's own server. */
  #answer(request: Request, url: URL, peer: EnginePeer): Response | Promise<Response> {
    const { method } = request;
    this.#host.checkOrigin(request, url);
    if (method === "OPTIONS") return toPreflight();
    const query = url.searchParams;
    const transport = query.get("transport");
    if (transport !== "polling" && transport !== "websocket") throw new EngineFault("transport");
    const isUpgrade = transport === "websocket" && request.headers.has("upgrade");
    const sid = query.get("sid");
    if (sid) return isUpgrade ? this.#goOn(request, sid, peer) : this.#talk(request, url, sid, peer);
    if (method !== "GET") throw new EngineFault("method");
    if (transport === "websocket" && !isUpgrade) throw new EngineFault("request");
    const protocol = this.#readVersion(query.get("EIO"));
    if (this.#isClosed) throw new GongError("going_away");
    if (isUpgrade) checkUpgrade(request);
    const visit: Visit = { request, url, address: peer.address, protocol, transport };
    return transport === "polling" ? this.#beginPolling(visit) : this.#beginSocket(visit);
  }

  #readVersion(version: string | null): EngineProtocol {
    if (version === "4") return 4;
    if (version === "3" && this.settings.allowEio3) return 3;
    throw new EngineFault("version");
  }

  #beginPolling(visit: Visit): Response | Promise<Response> {
    const asText = isText(visit.url.searchParams);
    // Deno tells of an abort from when it was first asked for it.
    const { signal } = visit.request;
    const who = this.#host.identify(visit);
    if (!(who instanceof Promise)) return this.#openPolling(visit, who, asText);
    return who.then((known) => {
      // Whoever left while it was found out who he is gets no session.
      if (signal.aborted) throw new GongError("bad_request");
      return this.#openPolling(visit, known, asText);
    });
  }

  #openPolling(visit: Visit, who: W, asText: boolean): Response {
    const session = EngineSession.polling(this, this.#whereabouts.newSid(), visit.protocol, asText);
    this.#host.connect(session, visit, who);
    this.#sessions.set(session.sid, session);
    const body = session.codec.encodePayload([session.handshake], asText);
    session.opened();
    return toResponse(payloadAnswer(body));
  }

  #beginSocket(visit: Visit): Response {
    const who = this.#host.identify(visit);
    const session = new EngineSession(this, this.#whereabouts.newSid(), visit.protocol);
    // Whoever has no room for it says so before anything is answered.
    this.#host.connect(session, visit, who);
    try {
      const { socket, response } = Socket.upgrade(visit.request, { ping: NO_PING });
      this.#sessions.set(session.sid, session);
      session.attach(socket);
      return response;
    } catch (error) {
      session.lost();
      throw error;
    }
  }

  /** A WebSocket for a session that there is. */
  #goOn(request: Request, sid: string, { address }: EnginePeer): Response {
    const owner = this.#whereabouts.ownerOf(sid);
    const session = this.#sessions.get(sid);
    if (typeof owner === "number" && this.#whereabouts.isFar(owner)) throw new EngineFault("node");
    const isHere = session !== undefined || owner === "here";
    if (owner === undefined || isHere && session === undefined && !this.#moved.has(sid)) throw new EngineFault("sid");
    checkUpgrade(request);
    const isTaken = isHere && session?.transport !== "polling" || this.#probers.has(sid);
    if (!isTaken) this.#probers.check(address);
    const { socket, response } = Socket.upgrade(request, { ping: NO_PING });
    if (isTaken) new Turned(this, socket);
    else {
      const claim = session ? new LocalClaim(session) : this.#claimOf(owner as number, sid);
      const over = () => this.#probers.delete(sid, address);
      this.#probers.add(sid, address, new Prober(this, this.#newId(), socket, claim, over));
    }
    return response;
  }

  #claimOf(edge: number, sid: string): Claim {
    const receive = (moved: MovedSession, socket: Carrier) => this.#receive(moved, socket);
    return new RemoteClaim({ edge, sid, whereabouts: this.#whereabouts, receive });
  }

  #receive(moved: MovedSession, socket: Carrier): EngineSession {
    const { sid, protocol, frames } = moved.engine;
    const session = EngineSession.moved(this, sid, protocol, socket);
    this.#sessions.set(sid, session);
    for (const frame of frames) socket.send(frame);
    session.attach(socket);
    try {
      this.#host.receive(session, moved);
    } catch (caught) {
      const error = GongError.from(caught);
      this.refused(error.code);
      session.fail(error);
    }
    if (this.#isClosed) session.close(GOING_AWAY, "server shutting down");
    return session;
  }

  /** A GET or POST of a session. */
  #talk(request: Request, { searchParams: query }: URL, sid: string, peer: EnginePeer): Promise<Response> {
    const { method } = request;
    const owner = this.#whereabouts.ownerOf(sid);
    if (owner === undefined) throw new EngineFault("sid");
    const edge = this.#sessions.has(sid) ? "here" : owner;
    const session = edge === "here" ? this.#find(sid) : undefined;
    if (query.get("transport") !== "polling" || session && session.transport !== "polling") {
      throw new EngineFault("request");
    }
    if (method === "POST") return this.#posts.answer(request, sid, session ?? edge as number).then(toResponse);
    if (method !== "GET") throw new EngineFault("request");
    const asText = isText(query);
    if (session) {
      return this.#poll(request, peer, async () => unrefused(await session.poll(asText)), () => session.abandoned());
    }
    const ask = () => this.#pollOther(edge as number, sid, asText);
    return this.#poll(request, peer, ask, () => this.#whereabouts.abandon(edge as number, sid));
  }

  /** Calls `leave` when its client is gone before the whole answer was handed to its connection: it is not sent again. */
  async #poll(
    { signal }: Request,
    peer: EnginePeer,
    ask: () => Promise<EngineAnswer>,
    leave: () => void,
  ): Promise<Response> {
    const departure = new Departure({ signal, completed: () => peer.completed() }, leave);
    try {
      const answer = await ask();
      departure.answered(true);
      return toResponse(answer);
    } catch (error) {
      departure.answered(false);
      throw error;
    }
  }

  /** @throws {GongError} what the session's edge refuses; `going_away`, and nothing was asked */
  async #pollOther(edge: number, sid: string, asText: boolean): Promise<EngineAnswer> {
    const order = { kind: "poll", sid, asText } as const;
    if (!this.#whereabouts.isFar(edge)) return await this.#ask(edge, order);
    if (this.#isDraining) throw new GongError("going_away");
    this.#far.set(sid, edge);
    try {
      return await this.#ask(edge, order);
    } finally {
      this.#far.delete(sid);
    }
  }

  /** An edge that is gone took its sessions along. @throws {GongError} what the session's edge refuses */
  async #ask(edge: number, order: EngineOrder): Promise<EngineAnswer> {
    try {
      return unrefused(await this.#whereabouts.ask(edge, order));
    } catch (error) {
      throw error instanceof GongError && error.code === "not_found" ? new EngineFault("sid") : error;
    }
  }

  /** A session that is here, as of now. @throws {EngineFault} */
  #find(sid: string): EngineSession {
    const session = this.#sessions.get(sid);
    // What is due is done before anybody is answered.
    if (session) this.heartbeat.check(session);
    const still = this.#sessions.get(sid);
    if (still) return still;
    throw new EngineFault(this.#moved.has(sid) ? "request" : "sid");
  }

  /** A server that has closed needs no clock any more when its last session is gone. */
  #stopIfEmpty(): void {
    if (this.#isClosed && this.#sessions.size === 0) this.heartbeat.close();
  }

  #newId(): string {
    return `${this.#name}/${this.#count++}`;
  }

  #finish(request: Request, url: URL, response: Response): Response {
    const { cors } = this.#host;
    if (!cors || response.status === SWITCHING) return response;
    return allowOrigin(request, response, cors.call(this.#host, request, url));
  }

  #refuse(request: Request, url: URL, cause: unknown, { address }: EnginePeer): Response {
    const error = GongError.from(cause);
    // Nobody has done anything wrong.
    if (!isFar(error)) this.#refused(error, address);
    return this.#finish(request, url, toRefusal(error));
  }
}

/** Whether it says that another node is to be asked. */
function isFar(error: GongError): boolean {
  return error instanceof EngineFault && error.fault === "node";
}

const SWITCHING = 101;
/** How long a poll may be on its way to another node, in milliseconds. */
const OVERTAKEN = 500;
/** Close codes (RFC 6455 section 7.4.1). */
const NORMAL = 1000;
const GOING_AWAY = 1001;
/** The heartbeat finds silent peers: the engine below keeps no timer for each, nor the request that it began with. */
const NO_PING = 0;
