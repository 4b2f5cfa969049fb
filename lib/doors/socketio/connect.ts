/**
 * What a client says with CONNECT.
 *
 * @module
 */
import type { Credentials } from "../../auth/credentials.ts";
import { parseCursor } from "../../codecs/cursor.ts";
import { channelOf } from "../../codecs/socketio.ts";
import { GongError } from "../../errors.ts";
import { isUser } from "../../reserved.ts";
import type { Position } from "../../types.ts";
import { MAX_HISTORY } from "../query.ts";

/** Characters of a pid; a longer one is none of ours. */
const MAX_PID = 64;

/** What is asked for. */
export interface ConnectWish {
  readonly said: Credentials;
  /** Channels to hear: that of the namespace, then those of rooms. */
  readonly channels: readonly string[];
  /** Where the client stands. */
  readonly since: ReadonlyMap<string, Position>;
  /** So many publications before the top, where `since` says nothing. */
  readonly history: number;
  /** By which it comes back, and the last text that it heard. */
  readonly pid: string | undefined;
  readonly offset: string | undefined;
}

/** @throws {GongError} `bad_request` for no namespace, or naming the member that is wrong */
export function readConnect(namespace: string, auth: Readonly<Record<string, unknown>>): ConnectWish {
  const channel = channelOf(namespace);
  // The words are those of the server that clients know.
  if (channel === undefined) throw new GongError("bad_request", "Invalid namespace");
  const rooms = readRooms(auth).map((room) => roomChannel(namespace, room));
  const channels = [...new Set([channel, ...rooms])];
  return {
    said: readCredentials(auth),
    channels,
    since: readSince(auth, channel, channels),
    history: readHistory(auth),
    pid: readSecret(auth),
    offset: typeof auth.offset === "string" ? auth.offset : undefined,
  };
}

/** The channel of a room. @throws {GongError} `bad_request` when there can be none */
export function roomChannel(namespace: string, room: unknown): string {
  const channel = typeof room === "string" && room !== "" ? channelOf(namespace, room) : undefined;
  if (channel !== undefined) return channel;
  throw new GongError("bad_request", "A room is a text of some letters, which has room in the name of a channel.");
}

function readCredentials(auth: Readonly<Record<string, unknown>>): Credentials {
  const [token, key, user] = [readText(auth, "token"), readText(auth, "key"), readText(auth, "user")];
  if (user !== undefined && !isUser(user)) {
    throw wrong("user", "has to be 1 to 128 characters, and a name for its channel");
  }
  return { token, key, user };
}

/** An empty one is none: pages often have nothing to say there. */
function readText(auth: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = auth[name] ?? "";
  if (typeof value !== "string") throw wrong(name, "has to be a string");
  return value === "" ? undefined : value;
}

function readRooms({ rooms = [] }: Readonly<Record<string, unknown>>): readonly unknown[] {
  if (Array.isArray(rooms)) return rooms;
  throw wrong("rooms", "has to be an array of names");
}

function readSince(
  { since = "" }: Readonly<Record<string, unknown>>,
  channel: string,
  channels: readonly string[],
): ReadonlyMap<string, Position> {
  if (typeof since !== "string") throw wrong("since", "has to be a cursor");
  let positions: Map<string, Position>;
  try {
    positions = parseCursor(since, channels.length === 1 ? channel : undefined);
  } catch (error) {
    throw wrong("since", `is not understood: ${(error as Error).message}`);
  }
  return positions;
}

function readHistory({ history = 0 }: Readonly<Record<string, unknown>>): number {
  if (Number.isInteger(history) && Number(history) >= 0 && Number(history) <= MAX_HISTORY) return Number(history);
  throw wrong("history", `has to be a whole number from 0 to ${MAX_HISTORY}`);
}

function readSecret({ pid }: Readonly<Record<string, unknown>>): string | undefined {
  return typeof pid === "string" && pid !== "" && pid.length <= MAX_PID ? pid : undefined;
}

function wrong(field: string, what: string): GongError {
  return new GongError("bad_request", `\`auth.${field}\` ${what}.`, { field: `/${field}` });
}
