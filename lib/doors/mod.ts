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
import { beginSession, type DoorOptions, userAgentOf } from "./begin.ts";
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

/** Who wants a WebSocket. */
export interface Caller {
  readonly address: string;
  /** The client was refused after the handshake, and is told by the socket's end. */
  refused(error: GongError): void;
}

/**
 * Answers a request on one of the plain paths: upgrades it, or says why not; at once, see `Edge.checkRoom`. So a token is
 * checked behind the handshake.
 *
 * @throws {GongError} any refusal; nothing was upgraded then
 */
export function push(request: Request, url: URL, { address, refused }: Caller, options: DoorOptions): Response {
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
  const bounds = { most: config.maxSubscriptions };
  const visit = { door, address, userAgent: userAgentOf(request) };
  if (who instanceof Promise) {
    edge.checkRoom(address);
    edge.waiting.check(address);
    const { socket: carrier, response } = upgrade(request, config.ping);
    const begin = (grant: Grant) => {
      return beginSession(edge, { ...visit, carrier, grant, wish: grantWish(auth, grant, wish, bounds) });
    };
    edge.waiting.admit({ address, carrier, who, begin, refused });
    return response;
  }
  const granted = grantWish(auth, who, wish, bounds);
  edge.checkRoom(address);
  const { socket: carrier, response } = upgrade(request, config.ping);
  beginSession(edge, { ...visit, carrier, grant: who, wish: granted });
  return response;
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
