/**
 * Events of a client as drafts, and what is said to it as arguments.
 *
 * @module
 */
import { byteLength } from "../../bytes.ts";
import { argsOf, toMessage } from "../../codecs/socketio.ts";
import type { Content } from "../../door.ts";
import { GongError } from "../../errors.ts";
import type { Draft, Signal } from "../../types.ts";

const MAX_EVENT = 128;
const CONTROL = /\p{Cc}/u;

/**
 * What an event publishes.
 *
 * @throws {GongError} `bad_request` for its name; `too_large`
 */
export function readEvent(channel: string, event: unknown, args: readonly unknown[], maxMessage: number): Draft {
  if (typeof event !== "string" || event === "" || byteLength(event) > MAX_EVENT || CONTROL.test(event)) {
    throw new GongError("bad_request", `The name of an event has 1 to ${MAX_EVENT} bytes without control characters.`);
  }
  if (!event.isWellFormed()) throw new GongError("bad_request", "The name of an event is not well-formed Unicode.");
  if (event.startsWith("$")) {
    throw new GongError("bad_request", "Names of events that begin with `$` belong to the server.");
  }
  const message = toMessage(event, args);
  checkSize(message, maxMessage);
  return { channel, ...message };
}

/**
 * What a client answers: the first argument of its acknowledgement.
 *
 * @throws {GongError} `too_large`
 */
export function readAnswer([value = null]: readonly unknown[], maxMessage: number): Content {
  if (typeof value === "string") {
    if (!value.isWellFormed()) throw new GongError("bad_request", "The answer is not well-formed Unicode.");
    return sized({ data: value, contentType: "text/plain" }, maxMessage);
  }
  const { data, contentType } = toMessage("message", [value]);
  // Of one item, in its brackets.
  return sized({ data: typeof data === "string" ? data.slice(1, -1) : data, contentType }, maxMessage);
}

/** The arguments of a message to the session alone. */
export function signalArgs({ from, user, ...content }: Signal): readonly unknown[] {
  const { args } = argsOf(content);
  if (from === undefined && user === undefined) return args;
  return [...args, { ...(from === undefined ? {} : { from }), ...(user === undefined ? {} : { user }) }];
}

function sized(content: Content, maxMessage: number): Content {
  checkSize(content, maxMessage);
  return content;
}

/** Bytes in JSON take a third more than they are. */
function checkSize({ data, tags }: Pick<Draft, "data" | "tags">, maxMessage: number): void {
  const most = tags ? Math.ceil(maxMessage * 4 / 3) : maxMessage;
  if (byteLength(data) > most) throw new GongError("too_large", `The data may have at most ${maxMessage} bytes.`);
}
