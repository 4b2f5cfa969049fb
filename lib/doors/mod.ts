/**
 * The registry of doors, and how a handshake becomes a session.
 *
 * @module
 */
import type { Auth, Grant } from "../auth.ts";
import type { Config } from "../config.ts";
import type { SocketDoor } from "../door.ts";
import type { Edge } from "../edge.ts";
import { GongError } from "../errors.ts";
import { nearest } from "../flags.ts";
import { CHANNEL_GRAMMAR, isChannelName } from "../globs.ts";
import { checkUpgrade } from "../http/handshake.ts";
import { Session } from "../session.ts";
import { Socket } from "../socket.ts";
import { json } from "./json.ts";
import { plain } from "./plain.ts";

/** Doors on `/push`, by the value of `?format=`. */
const FORMATS: ReadonlyMap<string | null, SocketDoor> = new Map([[null, plain], ["plain", plain], ["json", json]]);

/** What a query may name. */
const PARAMETERS: readonly string[] = ["channel", "echo", "format"];
/** Characters of a parameter's name that are repeated in an answer. */
const MAX_SHOWN = 64;
/** The channel of the plain door when none is named. */
const DEFAULT_CHANNEL = "broadcast";
/** Characters of `User-Agent` that are kept for the operator. */
const MAX_USER_AGENT = 160;

/** What a door needs of its edge. */
export interface DoorOptions {
  readonly config: Config;
  readonly edge: Edge;
  readonly auth: Auth;
}

/** What the query asks for. */
interface Wish {
  readonly door: SocketDoor;
  readonly channels: readonly string[];
  readonly echo: boolean;
}

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
  const wish = readWish(url, config.maxSubscriptions);
  checkRights(auth, grant, wish.channels);
  const userAgent = (request.headers.get("user-agent") ?? "").slice(0, MAX_USER_AGENT);
  edge.checkRoom(address);
  const { socket, response } = upgrade(request, config.ping);
  const session = new Session(edge, { ...wish, id: edge.registry.newId(), address, userAgent, grant, socket });
  edge.begin(session);
  return response;
}

function upgrade(request: Request, ping: number): { socket: Socket; response: Response } {
  try {
    return Socket.upgrade(request, ping);
  } catch (cause) {
    throw new GongError("bad_request", "The handshake could not be completed.", { cause });
  }
}

/** A parameter that nobody reads is refused: a client that asks for something has to know that it does not get it. */
function checkParameters({ searchParams }: URL): void {
  for (const name of searchParams.keys()) {
    if (PARAMETERS.includes(name)) continue;
    const field = name.slice(0, MAX_SHOWN);
    const text = `There is no parameter ${JSON.stringify(field)}; the nearest is \`${nearest(name, PARAMETERS)}\`.`;
    throw new GongError("bad_request", text, { field });
  }
}

function readWish(url: URL, maxSubscriptions: number): Wish {
  checkParameters(url);
  const { searchParams } = url;
  const door = FORMATS.get(searchParams.get("format"));
  if (!door) throw new GongError("bad_request", "`format` has to be `plain` or `json`.", { field: "format" });
  const echo = searchParams.get("echo") ?? "true";
  if (echo !== "true" && echo !== "false") {
    throw new GongError("bad_request", "`echo` has to be `true` or `false`.", { field: "echo" });
  }
  const named = [...new Set(searchParams.getAll("channel"))];
  const channels = named.length === 0 && door === plain ? [DEFAULT_CHANNEL] : named;
  if (channels.length > maxSubscriptions) {
    throw new GongError("bad_request", `At most ${maxSubscriptions} channels.`, { field: "channel" });
  }
  return { door, channels, echo: echo === "true" };
}

function checkRights(auth: Auth, grant: Grant | undefined, channels: readonly string[]): void {
  for (const channel of channels) {
    if (!isChannelName(channel)) {
      throw new GongError("bad_request", `A channel name is ${CHANNEL_GRAMMAR}.`, {
        field: "channel",
      });
    }
    if (auth.may(grant, "subscribe", channel)) continue;
    if (grant === undefined) throw new GongError("forbidden", `Listening to ${channel} needs a key.`);
    throw new GongError("forbidden", `Listening to ${channel} is not allowed.`);
  }
}
