/**
 * MESSAGE frames of STOMP: what all subscribers get alike is encoded once, what is one's own is put in front of it.
 *
 * @module
 */
import { byteLength, concat } from "../../bytes.ts";
import type { Data, Publication, QueuedMessage } from "../../types.ts";
import { escapeStompHeader, escapeStompName, type StompVersion } from "./wire.ts";

/** Headers that the server gives to a MESSAGE: nobody's tags take their places. */
export const MESSAGE_HEADERS: ReadonlySet<string> = new Set(
  ("subscription destination message-id ack redelivered content-type content-length " +
    "position timestamp event id from user").split(" "),
);

/** What every MESSAGE of one subscription begins with. */
export interface MessageHead {
  /** Absent where the client has given none, as 1.0 allows. */
  readonly subscription?: string | undefined;
  readonly destination: string;
  /** Further ones, in order. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
}

/** The first lines of a MESSAGE, for {@linkcode joinMessage}. */
export function encodeMessageHead(version: StompVersion, head: MessageHead): string {
  const { subscription, destination, headers = [] } = head;
  const all = subscription === undefined ? [] : [["subscription", subscription] as const];
  const lines = [...all, ["destination", destination] as const, ...headers].map(([name, value]) => {
    return `${name}:${escapeStompHeader(version, value)}\n`;
  });
  return ["MESSAGE\n", ...lines].join("");
}

/**
 * The rest of a MESSAGE, the same for whoever gets it. Text for `text/*` and `application/json`, otherwise bytes.
 *
 * `message-id` is the position, which no other message of a connection has.
 */
export function encodeMessageRest(version: StompVersion, message: Publication | QueuedMessage): Data {
  const { epoch, offset, time, contentType, event, id, from, user, tags } = message;
  const body = messageBody(message);
  const escape = (text: string) => escapeStompHeader(version, text);
  const position = escape(`${epoch}:${offset}`);
  const parts = [
    `message-id:${position}\nposition:${position}\ntimestamp:${time}\ncontent-type:${escape(contentType)}\n`,
  ];
  if (event !== undefined) parts.push(`event:${escape(event)}\n`);
  if (id !== undefined) parts.push(`id:${escape(id)}\n`);
  if (from !== undefined) parts.push(`from:${escape(from)}\n`);
  if (user !== undefined) parts.push(`user:${escape(user)}\n`);
  for (const name in tags) {
    if (!MESSAGE_HEADERS.has(name)) parts.push(`${escapeStompName(version, name)}:${escape(tags[name]!)}\n`);
  }
  parts.push(`content-length:${byteLength(body)}\n\n`);
  if (typeof body === "string") return parts.concat(body, "\0").join("");
  return concat([new TextEncoder().encode(parts.join("")), body, NUL]);
}

/** One MESSAGE, of the head of its subscriber and the rest of all. In one piece of memory, as many sockets may get it. */
export function joinMessage(head: string, rest: Data): Data {
  return typeof rest === "string" ? [head, rest].join("") : concat([new TextEncoder().encode(head), rest]);
}

const NUL = new Uint8Array(1);

/** The body as it leaves: text for `text/*` and `application/json`, otherwise bytes. */
export function messageBody({ data, contentType }: Pick<Publication, "data" | "contentType">): Data {
  const isText = isTextType(contentType);
  if (typeof data === "string") return isText ? data : new TextEncoder().encode(data);
  if (!isText) return data;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    return data;
  }
}

/** Whether a body of this type is UTF-8 text in a text message. */
export function isTextType(contentType: string): boolean {
  const [type = "", ...parameters] = contentType.toLowerCase().split(";");
  if (!type.startsWith("text/") && type.trim() !== "application/json") return false;
  const charset = parameters.map((text) => text.trim()).find((text) => text.startsWith("charset="));
  return charset === undefined || /^charset="?utf-?8"?$/.test(charset);
}
