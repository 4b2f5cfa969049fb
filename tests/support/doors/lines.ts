/**
 * The lines of the JSON door, which half of the doors send.
 *
 * @module
 */
import { decodeBase64 } from "@std/encoding/base64";
import { channelsOf, type End, type Heard, type Item, type Signalled, type Told, type Wish } from "./wire.ts";

type Line = Record<string, unknown>;

/** Turns lines into items, and says when everything asked for is subscribed. */
export class LineReader {
  readonly #missing: Set<string>;
  #isReady = false;

  constructor(wish: Wish) {
    this.#missing = channelsOf(wish);
  }

  /** Nothing is asked for before the first line, so nothing is waited for. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** The items of one line; an answer to a command is none. */
  *read(line: Line): Generator<Item> {
    const item = readLine(line);
    if (item === undefined) return;
    yield item;
    if (item.kind === "subscribed") this.#missing.delete(item.channel);
    if (this.#isReady || this.#missing.size > 0 || !["welcome", "subscribed"].includes(item.kind)) return;
    this.#isReady = true;
    yield { kind: "ready" };
  }
}

/** @throws for a line that is not of the contract */
export function readLine(line: Line): Item | undefined {
  const { type } = line;
  if (type === undefined && ("ok" in line || "error" in line)) return undefined;
  if (type === undefined) return { kind: "publication", heard: readPublication(line) };
  if (type === "welcome") {
    return { kind: "welcome", session: String(line.session), user: line.user as string | undefined };
  }
  if (type === "heartbeat") return { kind: "heartbeat" };
  if (type === "signal") return { kind: "signal", signal: readSignal(line) };
  if (type === "unsubscribed") return { kind: "unsubscribed", channel: String(line.channel) };
  if (type === "close") return { kind: "end", end: readClose(line) };
  if (type !== "subscribed") throw new Error(`a line of an unknown type: ${JSON.stringify(line)}`);
  const { channel, epoch, offset, recovered } = line;
  if (typeof epoch !== "string" || typeof offset !== "number" || typeof recovered !== "boolean") {
    throw new Error(`not a subscription: ${JSON.stringify(line)}`);
  }
  return { kind: "subscribed", channel: String(channel), position: { epoch, offset }, recovered };
}

function readClose({ code, cursor, retry, message, ...rest }: Line): End {
  const isWhole = typeof code === "string" && typeof retry === "boolean" && typeof message === "string";
  const unknown = Object.keys(rest).filter((name) => !["type", "retryAfter"].includes(name));
  if (!isWhole || unknown.length > 0) throw new Error(`not a farewell: ${JSON.stringify({ code, retry, ...rest })}`);
  return { code, retry, ...(cursor === undefined ? {} : { cursor: String(cursor) }) };
}

const FIELDS = new Set([
  ..."channel epoch offset time data event user from tags messageId contentType encoding".split(" "),
]);

/** A publication as a line has it. */
export function readPublication(line: Line): Heard {
  const unknown = Object.keys(line).filter((name) => !FIELDS.has(name));
  if (unknown.length > 0 || !("data" in line)) throw new Error(`not a publication: ${JSON.stringify(line)}`);
  return {
    data: readData(line),
    channel: line.channel as string,
    position: { epoch: line.epoch as string, offset: line.offset as number },
    time: line.time as number,
    event: line.event as string | undefined,
    id: line.messageId as string | undefined,
    from: line.from as string | undefined,
    user: line.user as string | undefined,
    tags: line.tags as Record<string, string> | undefined,
    contentType: contentTypeOf(line),
  };
}

const SIGNAL_FIELDS = new Set("type data contentType encoding from user reply".split(" "));

/** A signal as a line has it. */
export function readSignal(line: Line): Signalled {
  const unknown = Object.keys(line).filter((name) => !SIGNAL_FIELDS.has(name));
  if (unknown.length > 0 || line.type !== "signal") throw new Error(`not a signal: ${JSON.stringify(line)}`);
  return {
    data: readData(line),
    contentType: contentTypeOf(line),
    from: line.from as string | undefined,
    user: line.user as string | undefined,
    reply: line.reply as string | undefined,
  };
}

function contentTypeOf({ data, contentType }: Line): string {
  if (contentType !== undefined) return String(contentType);
  return typeof data === "string" ? "text/plain" : "application/json";
}

function readData(line: Line): Told {
  const { data, encoding } = line;
  if (encoding === "base64" && typeof data === "string") return { bytes: decodeBase64(data) };
  if (contentTypeOf(line) === "application/json") return { json: data };
  if (typeof data !== "string") throw new Error(`neither text nor JSON: ${JSON.stringify(line)}`);
  return { text: data };
}
