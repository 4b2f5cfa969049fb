/**
 * Sessions of Engine.IO as sessions of the edge.
 *
 * @module
 */
import type { Grant } from "../../auth.ts";
import type { Door } from "../../door.ts";
import type { Visitor } from "../../edge/waiting.ts";
import type { EngineHost, EngineSettings, EngineSocket, Leftover, Visit } from "../../engineio/engine.ts";
import type { MovedSession } from "../../engineio/orders.ts";
import { GongError } from "../../errors.ts";
import type { Session } from "../../session.ts";
import { beginSession, type DoorOptions, userAgentOf } from "../begin.ts";
import { readSelf, type Wish } from "../query.ts";
import type { SocketIoDoors } from "../socketio.ts";

/** How long a WebSocket may take from its handshake to its upgrade, in milliseconds. */
const UPGRADE_TIMEOUT = 10_000;
/** What a POST or a frame may have beside a message in base64, in bytes. */
const ROOM = 16_384;

/** The settings of Engine.IO, by those of the server. */
export function engineSettings(
  { ping, pingTimeout, maxMessage, eio3 }: Pick<DoorOptions["config"], "ping" | "pingTimeout" | "maxMessage" | "eio3">,
): EngineSettings {
  return {
    pingInterval: ping * 1000,
    pingTimeout: pingTimeout * 1000,
    upgradeTimeout: UPGRADE_TIMEOUT,
    maxPayload: Math.ceil(maxMessage * 4 / 3) + ROOM,
    allowEio3: eio3,
  };
}

/** What a {@linkcode SocketIoHost} is made of. */
export interface SocketIoHostOptions extends DoorOptions {
  readonly doors: SocketIoDoors;
  /** The client was refused after the handshake, and is told by the end of its connection. */
  readonly refused: (error: GongError, address: string) => void;
}

/** Who comes, if it is known. */
type Who = Grant | undefined;

/** What a client is before it is known whose it is. */
interface Guest extends Omit<Visitor, "begin" | "refused"> {
  readonly userAgent: string;
  readonly wish: Wish;
}

/** What an Engine.IO server asks. */
export class SocketIoHost implements EngineHost<Who> {
  readonly #options: SocketIoHostOptions;
  /** Sessions that may go to another edge: those that have begun with polls. */
  readonly #sessions = new WeakMap<EngineSocket, Session>();

  constructor(options: SocketIoHostOptions) {
    this.#options = options;
  }

  checkOrigin(request: Request, url: URL): void {
    this.#options.auth.checkOrigin(request, url);
  }

  cors(request: Request, url: URL): string | undefined {
    return this.#options.auth.allowedOrigin(request, url);
  }

  identify({ request, url, address }: Visit): Who | Promise<Who> {
    const { auth, edge } = this.#options;
    edge.checkRoom(address);
    return auth.identify(request, url, address);
  }

  connect(socket: EngineSocket, { request, url, address }: Visit, who: Who | Promise<Who>): void {
    const { edge, doors } = this.#options;
    edge.checkRoom(address);
    const door = doors.open(socket.protocol);
    const wish = { channels: NOTHING, starts: NOWHERE, ...readSelf(url) };
    const guest = { address, carrier: socket, door, userAgent: userAgentOf(request), wish };
    if (!(who instanceof Promise)) return void this.#begin(socket, guest, who);
    edge.waiting.check(address);
    const visitor: Visitor = {
      ...guest,
      begin: (grant) => this.#begin(socket, guest, grant),
      refused: (error) => this.#options.refused(error, address),
    };
    edge.waiting.admit(visitor, who as Promise<Grant>);
  }

  async give(socket: EngineSocket): Promise<Omit<MovedSession, "engine">> {
    const session = this.#sessions.get(socket);
    if (!session || session.hasLeft) throw new GongError("not_found");
    const given = await this.#options.edge.give(session);
    this.#sessions.delete(socket);
    return given;
  }

  receive(socket: EngineSocket, { session, door: state }: MovedSession): void {
    const { edge, doors } = this.#options;
    const door = doors.reopen(socket.protocol, state);
    edge.receive(session, { door, carrier: socket, arrived: (session) => door.reopened(session) });
  }

  closing(leftover: Leftover): void {
    this.#options.edge.registry.closing(leftover);
  }

  gone(leftover: Leftover): void {
    this.#options.edge.registry.gone(leftover);
  }

  #begin(socket: EngineSocket, { address, userAgent, wish, door }: Guest & { door: Door }, grant: Who): Session {
    const session = beginSession(this.#options.edge, { door, carrier: socket, address, userAgent, grant, wish });
    if (socket.transport === "polling") this.#sessions.set(socket, session);
    return session;
  }
}

const NOTHING: readonly string[] = [];
const NOWHERE: Wish["starts"] = new Map();
