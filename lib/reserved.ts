/**
 * The names of channels that belong to the server: what begins with `$`.
 *
 * @module
 */
import { isChannelName } from "./globs.ts";

/** The admin page's live feed: numbered by the hub, never stored, in no figure. */
export const ADMIN_CHANNEL = "$admin";

const QUEUE = "$queue/";
const USER = "$user/";
const SESSION = "$session/";
const PRESENCE = "$presence/";

/** What stands for itself in the channel of a user; `%` does not, so that no two users share one. */
const FOREIGN = /[^A-Za-z0-9_.:/~=+!-]/gu;

/**
 * The channel of a user, `$user/ID`: every session of the user hears it. Characters outside the grammar of channels are
 * percent-encoded, as UTF-8. Of an {@linkcode isUser} only.
 */
export function userChannel(user: string): string {
  return USER + user.replace(FOREIGN, encodeBytes);
}

/** Whose channel it is; undefined when it is no user's. */
export function userOf(channel: string): string | undefined {
  if (!channel.startsWith(USER)) return undefined;
  const name = channel.slice(USER.length);
  // Asked at each publication to a user, and most ids need no encoding.
  if (!name.includes("%")) return name !== "" && isChannelName(channel) ? name : undefined;
  try {
    const user = decodeURIComponent(name);
    return isUser(user) && userChannel(user) === channel ? user : undefined;
  } catch {
    return undefined;
  }
}

/** Whether the text can be the id of a user: its channel has a name, and no line of a log is broken by it. */
export function isUser(user: string): boolean {
  return user !== "" && user.length <= 128 && user.isWellFormed() && !/\p{Cc}/u.test(user) &&
    isChannelName(userChannel(user));
}

/** What stands for a queue where there are channels: in drafts, in rules and in tokens. It cannot be heard. */
export function queueChannel(queue: string): string {
  return QUEUE + queue;
}

/** Which queue it stands for; undefined when it does for none. */
export function queueOf(channel: string): string | undefined {
  return channel.startsWith(QUEUE) && channel.length > QUEUE.length ? channel.slice(QUEUE.length) : undefined;
}

/** Whether the text can be the name of a queue. */
export function isQueue(queue: string): boolean {
  return queue !== "" && isChannelName(queueChannel(queue));
}

/** What rights over messages to a session are rights over: nothing is published there. */
export function sessionName(session: string): string {
  return SESSION + session;
}

export function isSessionName(name: string): boolean {
  return name.startsWith(SESSION);
}

/** Whether a pattern has no names in it but those that stand for queues. */
export function isForQueues(pattern: string): boolean {
  return pattern.startsWith(QUEUE) && pattern.length > QUEUE.length;
}

/** Whether a pattern has names in it to which a right to publish can be given: those of users, sessions and queues. */
export function isForMessages(pattern: string): boolean {
  const [start = ""] = pattern.split("*");
  return [USER, SESSION, QUEUE].some((prefix) => {
    return start.startsWith(prefix) || start.length < pattern.length && prefix.startsWith(start);
  });
}

/** Where joining and leaving the channel is published; undefined when there is no room for its name. */
export function presenceChannel(channel: string): string | undefined {
  const name = PRESENCE + channel;
  return isChannelName(name) ? name : undefined;
}

/** The channel whose joining and leaving is published there. */
export function presenceOf(channel: string): string | undefined {
  return channel.startsWith(PRESENCE) ? channel.slice(PRESENCE.length) : undefined;
}

function encodeBytes(character: string): string {
  return Array.from(
    new TextEncoder().encode(character),
    (byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`,
  )
    .join("");
}
