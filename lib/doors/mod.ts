/**
 * The registry of doors, and how a request becomes a session.
 *
 * @module
 */
import type { Grant } from "../auth.ts";
import type { Carrier } from "../carrier.ts";
import type { Door } from "../door.ts";
import { GongError } from "../errors.ts";
import { checkUpgrade } from "../http/handshake.ts";
import { Socket } from "../socket.ts";
import type { Visitor } from "../edge/waiting.ts";
import type { Session } from "../session.ts";
import { beginSession, type DoorOptions, userAgentOf, type Visit } from "./begin.ts";
import { chooseDoor, type OpenStomp, type Speech } from "./choice.ts";
import { answer, type HttpDoor, type Peer } from "./http.ts";
import { iframe } from "./iframe.ts";
import { poll } from "./poll.ts";
import { grantWish, readWish } from "./query.ts";
import { sse } from "./sse.ts";
import { stream } from "./stream.ts";

export { type Speech, STOMP_PATH } from "./choice.ts";
export { METHODS, type Peer } from "./http.ts";

/** Doors over plain HTTP, by their paths. */
const PATHS: ReadonlyMap<string, HttpDoor> = new Map([
  ["/sse", sse],
  ["/stream", stream],
  ["/iframe", iframe],
  ["/poll", poll],
]);

/** Who wants a WebSocket, and where. */
export interface Caller {
  readonly address: string;
  readonly path: string;
  /** What is spoken there where no subprotocol says it. */
  readonly speech: Speech;
}

/** What {@linkcode push} needs. */
export interface PushOptions extends DoorOptions {
  readonly openStomp: OpenStomp;
  /** The client was refused after the handshake, and is told by the socket's end. */
  readonly refused: (error: GongError, address: string, path: string) => void;
}

/**
 * Answers a request on one of the paths of WebSockets: upgrades it, or says why not; at once, see `Edge.checkRoom`. So a
 * token is checked behind the handshake.
 *
 * @throws {GongError} any refusal; nothing was upgraded then
 */
export function push(request: Request, url: URL, { address, path, speech }: Caller, options: PushOptions): Response {
  const { config, edge, auth, openStomp } = options;
  checkUpgrade(request);
  auth.checkOrigin(request, url);
  const who = auth.identify(request, url, address);
  const { protocol, wish: how, open } = chooseDoor(request, url, speech);
  const wish = readWish(url, how);
  const door = open(openStomp);
  const userAgent = userAgentOf(request);
  const engine = { ping: config.ping, protocol };
  if (who instanceof Promise) {
    edge.checkRoom(address);
    edge.waiting.check(address);
    const { socket: carrier, response } = Socket.upgrade(request, engine);
    edge.waiting.admit(new Guest(options, { door, address, path, userAgent, wish, carrier }), who);
    return response;
  }
  const granted = grantWish(auth, who, wish, { most: config.maxSubscriptions });
  edge.checkRoom(address);
  const { socket: carrier, response } = Socket.upgrade(request, engine);
  beginSession(edge, { door, address, userAgent, carrier, grant: who, wish: granted });
  return response;
}

/** What a visit has before it is known whose it is. */
type Unknown = Omit<Visit, "grant"> & Omit<Caller, "speech">;

/** A client of whom nobody knows yet who it is. */
class Guest implements Visitor {
  readonly #options: PushOptions;
  readonly #visit: Unknown;

  constructor(options: PushOptions, visit: Unknown) {
    this.#options = options;
    this.#visit = visit;
  }

  get address(): string {
    return this.#visit.address;
  }

  get carrier(): Carrier {
    return this.#visit.carrier;
  }

  get door(): Door {
    return this.#visit.door;
  }

  begin(grant: Grant): Session {
    const { edge, auth, config } = this.#options;
    const wish = grantWish(auth, grant, this.#visit.wish, { most: config.maxSubscriptions });
    return beginSession(edge, { ...this.#visit, grant, wish });
  }

  refused(error: GongError): void {
    const { address, path } = this.#visit;
    this.#options.refused(error, address, path);
  }
}

/** Answers a request to a door over plain HTTP. */
export type HttpHandler = (
  request: Request,
  url: URL,
  peer: Peer,
  options: DoorOptions,
) => Response | Promise<Response>;

/** The door over plain HTTP at this path, if there is one. It throws a `GongError` for every refusal. */
export function findHttpDoor(path: string): HttpHandler | undefined {
  const door = PATHS.get(path);
  return door && ((...args) => answer(door, ...args));
}
