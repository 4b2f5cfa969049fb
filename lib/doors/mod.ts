/**
 * The registry of doors, and how a request becomes a session.
 *
 * @module
 */
import type { Door } from "../door.ts";
import { GongError } from "../errors.ts";
import { checkUpgrade } from "../http/handshake.ts";
import { Socket } from "../socket.ts";
import { beginSession, type DoorOptions, userAgentOf } from "./begin.ts";
import { answer, type HttpDoor, type Peer } from "./http.ts";
import { iframe } from "./iframe.ts";
import { json } from "./json.ts";
import { plain } from "./plain.ts";
import { poll } from "./poll.ts";
import { checkRights, readWish } from "./query.ts";
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

/**
 * Answers a request on one of the plain paths: upgrades it, or says why not; at once, see `Edge.checkRoom`.
 *
 * @throws {GongError} any refusal; nothing was upgraded then
 */
export function push(request: Request, url: URL, address: string, options: DoorOptions): Response {
  const { config, edge, auth } = options;
  checkUpgrade(request);
  auth.checkOrigin(request, url);
  const grant = auth.identify(request, address);
  const door = FORMATS.get(url.searchParams.get("format"));
  const wish = readWish(url, {
    parameters: ["format"],
    most: config.maxSubscriptions,
    ...(door === plain ? { channel: DEFAULT_CHANNEL } : {}),
  });
  if (!door) throw new GongError("bad_request", "`format` has to be `plain` or `json`.", { field: "format" });
  checkRights(auth, grant, wish.channels);
  const userAgent = userAgentOf(request);
  edge.checkRoom(address);
  const { socket, response } = upgrade(request, config.ping);
  beginSession(edge, { userAgent, wish, door, carrier: socket, address, grant });
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
