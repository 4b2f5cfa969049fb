/**
 * What the destinations of STOMP stand for here.
 *
 * @module
 */
import { GongError } from "../../errors.ts";
import { CHANNEL_GRAMMAR, isChannelName } from "../../globs.ts";
import { isUser, queueChannel, queueOf, userChannel, userOf } from "../../reserved.ts";

/** A channel, what is published to a user under one event, a queue, messages to the session, the answer to one. */
export type Destination =
  | { readonly kind: "topic"; readonly channel: string }
  | { readonly kind: "user"; readonly channel: string; readonly event: string }
  | { readonly kind: "queue"; readonly queue: string }
  | { readonly kind: "signal" }
  | { readonly kind: "reply"; readonly reply: string };

/** Where messages to a session alone come from. */
export const SIGNAL = "/signal";
/** What a signal is answered at. */
export const REPLY = "/reply/";

const MAX_LENGTH = 256;
const MAX_REPLY = 128;
const KNOWN = "`/topic/NAME`, `/queue/NAME`, `/user/queue/NAME` and `/user/ID/queue/NAME`";

/**
 * @param user whose connection it is
 * @throws {GongError} `not_found`: no such destination; `bad_request`: a name that none can have; `forbidden`: a user's,
 * and the connection is nobody's, or a topic that stands for a queue
 */
export function parseDestination(text: string, user: string | undefined): Destination {
  if (text.length > MAX_LENGTH) throw wrong(`\`destination\` may have at most ${MAX_LENGTH} characters.`);
  if (text === SIGNAL) return { kind: "signal" };
  const reply = after(text, REPLY);
  if (reply !== undefined && reply !== "" && reply.length <= MAX_REPLY) return { kind: "reply", reply };
  const channel = after(text, "/topic/");
  if (channel !== undefined) {
    if (queueOf(channel) !== undefined) throw new GongError("forbidden", "Queues are at `/queue/NAME`.");
    return { kind: "topic", channel: toName(channel, channel) };
  }
  const queue = after(text, "/queue/");
  if (queue !== undefined) {
    toName(queue.startsWith("$") ? "" : queue, queueChannel(queue));
    return { kind: "queue", queue };
  }
  // Ids may have slashes in them.
  const [id = "", event] = split(after(text, "/user/") ?? "", "/queue/");
  if (event !== undefined) return { kind: "user", channel: toUserChannel(id), event: toName(event, event) };
  const own = after(text, "/user/queue/");
  if (own === undefined) throw new GongError("not_found", `There is no such destination; there are ${KNOWN}.`);
  if (user === undefined) throw new GongError("forbidden", "`/user/queue/NAME` is a user's, and this is none.");
  return { kind: "user", channel: userChannel(user), event: toName(own, own) };
}

/** What is before the first separator, and what is behind it. */
function split(text: string, separator: string): readonly string[] {
  const at = text.indexOf(separator);
  return at <= 0 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}

/** The id as it stands in a path, percent-encoded or not. */
function toUserChannel(id: string): string {
  const channel = `$user/${id}`;
  if (userOf(channel) !== undefined) return channel;
  if (isUser(id)) return userChannel(id);
  throw wrong("`destination` names no user.");
}

function toName(name: string, whole: string): string {
  if (name !== "" && isChannelName(whole)) return name;
  throw wrong(`\`destination\` has to end with a name: ${CHANNEL_GRAMMAR}.`);
}

function after(text: string, prefix: string): string | undefined {
  return text.startsWith(prefix) ? text.slice(prefix.length) : undefined;
}

function wrong(message: string): GongError {
  return new GongError("bad_request", message, { field: "destination" });
}
