/**
 * The registry of doors, and how a request becomes a session.
 *
 * @module
 */
import type { Door } from "../door.ts";
import type { Grant } from "../auth.ts";
import { GongError } from "../errors.ts";
import { checkUpgrade } from "../http/handshake.ts";
import { Socket } from "../socket.ts";
import type { Carrier } from "../carrier.ts";
import type { Visitor } from "../edge/waiting.ts";
import type { Session } from "../session.ts";
import { beginSession, type DoorOptions, userAgentOf, type Visit } from "./begin.ts";
import { answer, type HttpDoor, type Peer } from "./http.ts";
import { iframe } from "./iframe.ts";
import { json } from "./json.ts";
import { plain } from "./plain.ts";
import { poll } from "./poll.ts";
import { grantWish, readWish } from "./query.ts";
import { sse } from "./sse.ts";
import { stream } from "./stream.ts";

export { METHODS, type Peer } from "./http.ts";

/** Doors on `/push`, by the value of `?format=`. */
const FORMATS: ReadonlyMap<string | null, Door> = new Map([[null, plain], ["plain", plain], ["json", json]]);
/** Doors over plain HTTP, by their paths. */
const PATHS: ReadonlyMap<string, HttpDoor> = new Map([
  ["/sse", sse],
  ["/stream", stream],
  ["/iframe", iframe],
  ["/poll", poll],
]);

/** The channel of the plain door when none is named. */
const DEFAULT_CHANNEL = "broadcast";

/** Who wants a WebSocket, and where. */
export interface Caller {
  readonly address: string;
  readonly path: string;
}

/** What {@linkcode push} needs. */
export interface PushOptions extends DoorOptions {
  /** The client was refused after the handshake, and is told by the socket's end. */
  readonly refused: (error: GongError, address: string, path: string) => void;
}

/**
 * Answers a request on one of the plain paths: upgrades it, or says why not; at once, see `Edge.checkRoom`. So a token is
 * checked behind the handshake.
 *
 * @throws {GongError} any refusal; nothing was upgraded then
 */
export function push(request: Request, url: URL, { address, path }: Caller, options: PushOptions): Response {
  const { config, edge, auth } = options;
  checkUpgrade(request);
  auth.checkOrigin(request, url);
  const who = auth.identify(request, url, address);
  const door = FORMATS.get(url.searchParams.get("format"));
  const wish = readWish(url, {
    parameters: ["format"],
    ...(door === plain ? { channel: DEFAULT_CHANNEL } : {}),
  });
  if (!door) throw new GongError("bad_request", "`format` has to be `plain` or `json`.", { field: "format" });
  const userAgent = userAgentOf(request);
  if (who instanceof Promise) {
    edge.checkRoom(address);
    edge.waiting.check(address);
    const { socket: carrier, response } = upgrade(request, config.ping);
    edge.waiting.admit(new Guest(options, { door, address, path, userAgent, wish, carrier }), who);
    return response;
  }
  const granted = grantWish(auth, who, wish, { most: config.maxSubscriptions });
  edge.checkRoom(address);
  const { socket: carrier, response } = upgrade(request, config.ping);
  beginSession(edge, { door, address, userAgent, carrier, grant: who, wish: granted });
  return response;
}

/** What a visit has before it is known whose it is. */
type Unknown = Omit<Visit, "grant"> & Caller;

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

function upgrade(request: Request, ping: number): { socket: Socket; response: Response } {
  try {
    return Socket.upgrade(request, ping);
  } catch (cause) {
    throw new GongError("bad_request", "The handshake could not be completed.", { cause });
  }
}
