/**
 * Namespaces and rooms as channels (PROTOCOL.md, "Namespaces are channels" and "Rooms are channels").
 *
 * @module
 */
import { isChannelName } from "../../globs.ts";

/** A namespace, or a room in it. */
export interface Place {
  /** Begins with a slash. */
  readonly namespace: string;
  readonly room?: string;
}

/** The channel of the namespace `/`. */
const ROOT = "broadcast";
/** What does not stand for itself. A namespace has no slash either, as that is where its rooms begin. */
const FOREIGN_IN_NAMESPACE = /[^A-Za-z0-9_.:~=+!-]/gu;
const FOREIGN_IN_ROOM = /[^A-Za-z0-9_.:/~=+!-]/gu;
/** Characters of the longest name of a channel; encoding makes no text shorter. */
const MAX_LENGTH = 128;

/** The channel of a namespace, or of a room in it; undefined when it has none. */
export function channelOf(namespace: string, room?: string): string | undefined {
  const channel = room === undefined ? nameOf(namespace) : roomOf(nameOf(namespace), room);
  return channel !== undefined && isChannelName(channel) ? channel : undefined;
}

/** The namespace, and the room if it is one, of a channel; undefined when it is of none. */
export function placeOf(channel: string): Place | undefined {
  const slash = channel.indexOf("/");
  const name = slash < 0 ? channel : channel.slice(0, slash);
  const namespace = name === ROOT ? "/" : decode(name, "/");
  const room = slash < 0 ? undefined : decode(channel.slice(slash + 1), "");
  // Only the one way to write it: `%2f`, `%61` and `$` are none.
  if (namespace === undefined || channelOf(namespace, room) !== channel) return undefined;
  return room === undefined ? { namespace } : { namespace, room };
}

function nameOf(namespace: string): string | undefined {
  if (namespace === "/") return ROOT;
  if (!namespace.startsWith("/") || namespace.length > MAX_LENGTH + 1 || !namespace.isWellFormed()) return undefined;
  const name = namespace.slice(1).replace(FOREIGN_IN_NAMESPACE, encodeBytes);
  return name === ROOT ? undefined : name;
}

function roomOf(name: string | undefined, room: string): string | undefined {
  if (name === undefined || room === "" || room.length > MAX_LENGTH || !room.isWellFormed()) return undefined;
  return `${name}/${room.replace(FOREIGN_IN_ROOM, encodeBytes)}`;
}

function decode(text: string, prefix: string): string | undefined {
  if (!text.includes("%")) return prefix + text;
  try {
    return prefix + decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function encodeBytes(character: string): string {
  const bytes = new TextEncoder().encode(character);
  return Array.from(bytes, (byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join("");
}
