/**
 * What the query of any door asks for.
 *
 * @module
 */
import type { Auth, Grant } from "../auth.ts";
import { parseCursor } from "../codecs/cursor.ts";
import { GongError } from "../errors.ts";
import { nearest } from "../flags.ts";
import { CHANNEL_GRAMMAR, isChannelName } from "../globs.ts";
import { userChannel } from "../reserved.ts";
import type { Position, Start } from "../types.ts";

/** What every door's query may name. */
const PARAMETERS: readonly string[] = ["channel", "since", "history", "echo", "session"];
/** Characters of a parameter's name that are repeated in an answer. */
const MAX_SHOWN = 64;
/** Publications before the top that a session may begin with. */
export const MAX_HISTORY = 10_000;
/** Sessions that a client may have been before. */
const MAX_FORMERLY = 8;
const SESSION_ID = /^[\w-]{1,64}$/;
/** Of most sessions, which begin with what comes now. */
const NOWHERE: ReadonlyMap<string, Position> = new Map();
const NOBODY: readonly string[] = [];

/** What a client wants to hear, and from where on. */
export interface Wish {
  readonly channels: readonly string[];
  readonly starts: ReadonlyMap<string, Start>;
  readonly echo: boolean;
  readonly formerly: readonly string[];
}

/** What depends on the door. */
export interface WishOptions {
  /** Parameters of its own. */
  readonly parameters: readonly string[];
  /** Parameters that other doors have, and what there is here in their place, as a sentence. */
  readonly instead?: ReadonlyMap<string, string>;
  /** Heard when the query names none. */
  readonly channel?: string;
  /** A cursor that the request brings elsewhere; it wins over `since`. */
  readonly since?: string | undefined;
}

/**
 * Reads a query. A parameter that nobody reads is refused: a client that asks for something has to know that it does not
 * get it.
 *
 * @throws {GongError} `bad_request`, naming the parameter
 */
export function readWish({ searchParams }: URL, { parameters, instead, channel, since }: WishOptions): Wish {
  checkNames(searchParams, [...PARAMETERS, ...parameters], instead);
  const named = searchParams.getAll("channel");
  if (named.length === 0 && channel !== undefined) named.push(channel);
  const text = since ?? searchParams.get("since") ?? "";
  const cursor = text === "" ? NOWHERE : readCursor(text, named);
  const channels = [...new Set([...named, ...cursor.keys()])];
  for (const name of channels) {
    if (!isChannelName(name)) throw wrong("channel", `A channel name is ${CHANNEL_GRAMMAR}.`);
  }
  const last = readWhole(searchParams, "history", MAX_HISTORY);
  const starts = last === 0
    ? cursor
    : new Map<string, Start>([...channels.map((name) => [name, { last }] as const), ...cursor]);
  return { channels, starts, ...readSelf({ searchParams }) };
}

/**
 * Whether a client hears itself, and who it has been before.
 *
 * @throws {GongError} `bad_request`, naming the parameter
 */
export function readSelf({ searchParams }: Pick<URL, "searchParams">): Pick<Wish, "echo" | "formerly"> {
  return { echo: readFlag(searchParams, "echo", true), formerly: readFormerly(searchParams) };
}

/** How many channels a client may hear. */
export interface WishBounds {
  /** Beside the one of its user. */
  readonly most: number;
  /** With it. Default: no bound. */
  readonly all?: number;
}

/**
 * What comes of a wish as soon as it is known whose it is: a user hears the own channel too, behind the others.
 *
 * @throws {GongError} `bad_request`: too many channels; `forbidden`: one that the client may not hear
 */
export function grantWish(
  auth: Auth,
  grant: Grant | undefined,
  wish: Wish,
  { most, all = Infinity }: WishBounds,
): Wish {
  const own = grant?.user && userChannel(grant.user.id);
  const isAsked = own === undefined || wish.channels.includes(own);
  const channels = isAsked ? wish.channels : wish.channels.concat(own);
  if (channels.length - (own === undefined ? 0 : 1) > most || channels.length > all) {
    throw wrong("channel", `At most ${Math.min(most, all)} channels.`);
  }
  checkRights(auth, grant, channels);
  return { ...wish, channels };
}

/** @throws {GongError} `forbidden` */
function checkRights(auth: Auth, grant: Grant | undefined, channels: readonly string[]): void {
  for (const channel of channels) {
    if (auth.may(grant, "subscribe", channel)) continue;
    if (grant === undefined) throw new GongError("forbidden", `Listening to ${channel} needs a key or a token.`);
    throw new GongError("forbidden", `Listening to ${channel} is not allowed.`);
  }
}

/** @throws {GongError} `bad_request` when it is neither `true` nor `false`, `1` nor `0` */
export function readFlag(query: URLSearchParams, name: string, otherwise: boolean): boolean {
  const text = query.get(name);
  if (text === null) return otherwise;
  if (text === "true" || text === "1") return true;
  if (text === "false" || text === "0") return false;
  throw wrong(name, `\`${name}\` has to be \`true\` or \`false\`.`);
}

function checkNames(query: URLSearchParams, all: readonly string[], instead?: ReadonlyMap<string, string>): void {
  const known = instead ? all.filter((name) => !instead.has(name)) : all;
  for (const name of query.keys()) {
    if (known.includes(name)) continue;
    const other = instead?.get(name);
    if (other !== undefined) throw wrong(name, `There is no parameter \`${name}\` here. ${other}`);
    const field = name.slice(0, MAX_SHOWN);
    throw wrong(field, `There is no parameter ${JSON.stringify(field)}; the nearest is \`${nearest(name, known)}\`.`);
  }
}

function readCursor(text: string, named: readonly string[]): Map<string, Position> {
  try {
    return parseCursor(text, named.length === 1 ? named[0] : undefined);
  } catch (cause) {
    throw new GongError("bad_request", `\`since\` is not understood. ${(cause as Error).message}`, {
      field: "since",
      cause,
    });
  }
}

function readWhole(query: URLSearchParams, name: string, most: number): number {
  const text = query.get(name) ?? "0";
  if (/^\d{1,9}$/.test(text) && Number(text) <= most) return Number(text);
  throw wrong(name, `\`${name}\` has to be a whole number from 0 to ${most}.`);
}

function readFormerly(query: URLSearchParams): readonly string[] {
  const ids = query.getAll("session");
  if (ids.length === 0) return NOBODY;
  if (ids.length <= MAX_FORMERLY && ids.every((id) => SESSION_ID.test(id))) return ids;
  throw wrong("session", `\`session\` has to be the id of a session, at most ${MAX_FORMERLY} of them.`);
}

function wrong(field: string, message: string): GongError {
  return new GongError("bad_request", message, { field });
}
