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
import type { Position, Start } from "../../types.ts";
import { MAX_HISTORY } from "../query.ts";

/** Characters of a pid; a longer one is none of ours. */
const MAX_PID = 64;

type Auth = Readonly<Record<string, unknown>>;

/** What is asked for. */
export interface ConnectWish {
  readonly said: Credentials;
  /** Channels to hear, that of the namespace and those of rooms; where in them, if not with what comes now. */
  readonly channels: ReadonlyMap<string, Start | undefined>;
  /** Where the client stands, also in channels that are of other namespaces, or of the user. */
  readonly since: ReadonlyMap<string, Position>;
  /** By which it comes back, and the last text that it has heard. */
  readonly pid: string | undefined;
  readonly offset: string | undefined;
}

/** @throws {GongError} `bad_request` for no namespace, or naming the member that is wrong */
export function readConnect(namespace: string, auth: Auth): ConnectWish {
  const channel = channelOf(namespace);
  // The words are those of the server that clients know.
  if (channel === undefined) throw new GongError("bad_request", "Invalid namespace");
  const named = [channel, ...readRooms(auth).map((room) => roomChannel(namespace, room))];
  const since = readSince(auth, named.length === 1 ? channel : undefined);
  // Whoever stood in a room is in it again.
  const rooms = [...since.keys()].filter((name) => name.startsWith(`${channel}/`));
  const last = readHistory(auth);
  const start = (name: string) => since.get(name) ?? (last === 0 ? undefined : { last });
  return {
    said: readCredentials(auth),
    channels: new Map([...named, ...rooms].map((name) => [name, start(name)])),
    since,
    pid: readPid(auth),
    offset: typeof auth.offset === "string" ? auth.offset : undefined,
  };
}

/** The channel of a room. @throws {GongError} `bad_request` when there can be none */
export function roomChannel(namespace: string, room: unknown): string {
  const channel = typeof room === "string" ? channelOf(namespace, room) : undefined;
  if (channel !== undefined) return channel;
  throw new GongError("bad_request", "A room has a name, which is a text that fits into that of a channel.");
}

function readCredentials(auth: Auth): Credentials {
  const [token, key, user] = [readText(auth, "token"), readText(auth, "key"), readText(auth, "user")];
  if (user !== undefined && !isUser(user)) {
    throw wrong("user", "has to be 1 to 128 characters, and a name for its channel");
  }
  return { token, key, user };
}

/** An empty one is none: pages have it there before they have another. */
function readText(auth: Auth, name: string): string | undefined {
  const value = auth[name] ?? "";
  if (typeof value !== "string" || !value.isWellFormed()) throw wrong(name, "has to be a string");
  return value === "" ? undefined : value;
}

function readRooms({ rooms }: Auth): readonly unknown[] {
  if (Array.isArray(rooms ?? [])) return (rooms ?? []) as unknown[];
  throw wrong("rooms", "has to be an array of names");
}

function readSince(auth: Auth, only: string | undefined): ReadonlyMap<string, Position> {
  try {
    return parseCursor(readText(auth, "since") ?? "", only);
  } catch (error) {
    if (error instanceof GongError) throw error;
    throw wrong("since", `is not understood: ${(error as Error).message}`);
  }
}

function readHistory({ history }: Auth): number {
  const count = history ?? 0;
  if (typeof count === "number" && Number.isInteger(count) && count >= 0 && count <= MAX_HISTORY) return count;
  throw wrong("history", `has to be a whole number from 0 to ${MAX_HISTORY}`);
}

function readPid({ pid }: Auth): string | undefined {
  return typeof pid === "string" && pid !== "" && pid.length <= MAX_PID ? pid : undefined;
}

function wrong(field: string, what: string): GongError {
  return new GongError("bad_request", `\`auth.${field}\` ${what}.`, { field: `/${field}` });
}
