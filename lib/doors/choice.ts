/**
 * Which door a handshake is for: by the subprotocols that the client offers, by the path, and by `format`.
 *
 * @module
 */
import type { StompVersion } from "../codecs/stomp.ts";
import type { Door } from "../door.ts";
import { GongError } from "../errors.ts";
import { readProtocols } from "../http/handshake.ts";
import { json } from "./json.ts";
import { plain } from "./plain.ts";
import type { WishOptions } from "./query.ts";

/** Where a client speaks STOMP also without saying so, unless the configuration has the path for plain ones. */
export const STOMP_PATH = "/ws";

/** What is spoken on a path where no subprotocol says it. */
export type Speech = "plain" | "stomp";

/** Makes conversations in STOMP. @param version that of the subprotocol, if one was chosen */
export type OpenStomp = (version: StompVersion | undefined) => Door;

/** A door, and how its handshake is read and answered. */
export interface Choice {
  /** The subprotocol; none is chosen otherwise. */
  readonly protocol?: string;
  /** How the query is read. */
  readonly wish: WishOptions;
  /** The door; a conversation that has to remember what was said is made anew for each session. */
  open(openStomp: OpenStomp): Door;
}

/** The channel of the plain door when none is named. */
const DEFAULT_CHANNEL = "broadcast";
const PLAIN: Choice = { wish: { parameters: ["format"], channel: DEFAULT_CHANNEL }, open: () => plain };
const JSON_LINES: Choice = { wish: { parameters: ["format"] }, open: () => json };
/** By the value of `?format=`. */
const FORMATS: ReadonlyMap<string | null, Choice> = new Map([[null, PLAIN], ["plain", PLAIN], ["json", JSON_LINES]]);

const SUBSCRIBE = "In STOMP a SUBSCRIBE says what is to be heard, and from where on.";
const STOMP: WishOptions = {
  parameters: [],
  instead: new Map([
    ["channel", SUBSCRIBE],
    ["since", SUBSCRIBE],
    ["history", SUBSCRIBE],
    ["format", "The subprotocol, or the path, has chosen STOMP."],
  ]),
};
/** By subprotocol, the highest version first: it is chosen, in whatever order they are offered. */
const STOMP_VERSIONS: ReadonlyMap<string, StompVersion> = new Map([
  ["v12.stomp", "1.2"],
  ["v11.stomp", "1.1"],
  ["v10.stomp", "1.0"],
]);

/**
 * Chooses. Subprotocols that nobody here speaks are as good as none: their clients are answered without one, and decide
 * themselves whether to go on (RFC 6455 section 4.1).
 *
 * @throws {GongError} `bad_request`: an unknown `format`, or a list of subprotocols that is none
 */
export function chooseDoor(request: Request, url: URL, speech: Speech): Choice {
  const offered = readProtocols(request);
  for (const [protocol, version] of STOMP_VERSIONS) {
    if (offered.includes(protocol)) return { protocol, wish: STOMP, open: (openStomp) => openStomp(version) };
  }
  if (speech === "stomp") return { wish: STOMP, open: (openStomp) => openStomp(undefined) };
  const choice = FORMATS.get(url.searchParams.get("format"));
  if (choice) return choice;
  throw new GongError("bad_request", "`format` has to be `plain` or `json`.", { field: "format" });
}
