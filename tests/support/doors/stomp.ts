/**
 * STOMP 1.2 over a WebSocket by hand.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { ERRORS } from "../../../lib/errors.ts";
import { userChannel } from "../../../lib/reserved.ts";
import type { Position } from "../../../lib/types.ts";
import { OPCODE } from "../frames.ts";
import { openWebSocket } from "./websocket.ts";
import { channelsOf, type Heard, type Item, type OpenWire, parseCursor, targetOf, type Told } from "./wire.ts";

/** A frame of the server. */
export interface ServerFrame {
  readonly command: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
  readonly isText: boolean;
}

/** Headers that say what a message is; what is left are tags. */
const KNOWN = new Set(
  ("subscription destination message-id ack redelivered content-type content-length position timestamp event id from " +
    "user reply-to").split(" "),
);

export const openStomp: OpenWire = async (gong, { channels, since, history, ...rest }) => {
  const wish = { channels: [], ...rest };
  const headers = { ...rest.headers, "Sec-WebSocket-Protocol": "v10.stomp, v12.stomp" };
  const messages = await openWebSocket(gong, targetOf("/push", wish), { ...wish, headers });
  const send = (command: string, headers: Readonly<Record<string, string>>, body = "") => {
    const lines = Object.entries(headers).map(([name, value]) => `${name}:${escape(value)}\n`);
    return messages.connection.sendFrame(OPCODE.text, `${command}\n${lines.join("")}\n${body}\0`);
  };
  const positions = since === undefined ? new Map<string, Position>() : parseCursor(since, channels[0]);
  const missing = channelsOf({ channels, since });
  const subscribe = async (channel: string) => {
    const position = positions.get(channel);
    const start = position && `${position.epoch}:${position.offset}`;
    await send("SUBSCRIBE", {
      ...{ id: channel, destination: `/topic/${channel}`, receipt: channel },
      ...(start === undefined ? {} : { since: start }),
      ...(start === undefined && history !== undefined ? { history: String(history) } : {}),
    });
  };
  await send("CONNECT", { "accept-version": "1.1,1.2", host: "gong" });

  async function* read(frame: ServerFrame): AsyncGenerator<Item> {
    const { command, headers } = frame;
    if (command === "CONNECTED") {
      const user = headers.get("user-name");
      yield { kind: "welcome", session: headers.get("session")!, user };
      // Where the others hear the channel of their user by themselves, it is subscribed to here.
      if (user !== undefined) missing.add(userChannel(user));
      for (const channel of missing) await subscribe(channel);
    } else if (command === "RECEIPT") {
      const channel = headers.get("receipt-id")!;
      const recovered = (headers.get("recovered") ?? "true") === "true";
      yield { kind: "subscribed", channel, position: readPosition(headers.get("position")!), recovered };
      missing.delete(channel);
    } else if (command === "MESSAGE") {
      yield readMessage(frame);
    } else throw new Error(`a frame ${command}`);
    if (missing.size === 0 && command !== "MESSAGE") yield { kind: "ready" };
  }

  async function* items(): AsyncGenerator<Item> {
    let code: string | undefined;
    for (;;) {
      const message = await messages.next();
      if (message === undefined) return;
      if (typeof message !== "string" && !(message instanceof Uint8Array)) {
        // The last frame says what the code does.
        if (message.close >= 1001) assertEquals(message.close, ERRORS[code as keyof typeof ERRORS]?.close, code);
        return yield { kind: "end", end: message };
      }
      for (const frame of parseFrames(message)) {
        if (frame.command === "ERROR") code = frame.headers.get("code");
        else yield* read(frame);
      }
    }
  }
  return {
    items: items(),
    drop: () => messages.connection.close(),
    publish: (channel, text) => send("SEND", { destination: `/topic/${channel}` }, text),
  };
};

/** The frames of one message, all of which are whole. */
export function* parseFrames(message: string | Uint8Array): Generator<ServerFrame> {
  const isText = typeof message === "string";
  let rest = isText ? new TextEncoder().encode(message) : message;
  for (;;) {
    while (rest[0] === 0x0a) rest = rest.subarray(1);
    if (rest.length === 0) return;
    const end = rest.findIndex((byte, at) => byte === 0x0a && rest[at + 1] === 0x0a);
    assert(end > 0, "a frame without an end of its headers");
    const [command = "", ...lines] = new TextDecoder("utf-8", { fatal: true }).decode(rest.subarray(0, end)).split(
      "\n",
    );
    const headers = new Map(lines.map((line) => line.split(/:(.*)/s).map(unescape) as [string, string]).reverse());
    const length = headers.get("content-length");
    const bodyEnd = length === undefined ? rest.indexOf(0, end) : end + 2 + Number(length);
    assertEquals(rest[bodyEnd], 0, "a NUL behind the body");
    yield { command, headers, body: rest.slice(end + 2, bodyEnd), isText };
    rest = rest.subarray(bodyEnd + 1);
  }
}

function readMessage({ headers, body, isText }: ServerFrame): Item {
  const get = (name: string) => headers.get(name);
  const told: Told = isText ? { text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body) } : {
    bytes: body,
  };
  const common = { data: told, from: get("from"), user: get("user"), contentType: get("content-type") };
  const destination = get("destination")!;
  if (destination === "/signal") {
    const reply = get("reply-to")?.slice("/reply/".length);
    const data: Told = "text" in told && common.contentType === "application/json"
      ? { json: JSON.parse(told.text) }
      : told;
    return { kind: "signal", signal: { ...common, data, ...(reply === undefined ? {} : { reply }) } };
  }
  assert(destination.startsWith("/topic/"), destination);
  const tags = [...headers].filter(([name]) => !KNOWN.has(name));
  const heard: Heard = {
    ...common,
    channel: destination.slice("/topic/".length),
    position: readPosition(get("position")!),
    time: Number(get("timestamp")),
    event: get("event"),
    id: get("id"),
    tags: tags.length === 0 ? undefined : Object.fromEntries(tags),
  };
  return { kind: "publication", heard };
}

function readPosition(text: string): Position {
  const [epoch = "", offset = ""] = text.split(":");
  return { epoch, offset: Number(offset) };
}

function escape(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll(":", "\\c").replaceAll("\n", "\\n").replaceAll("\r", "\\r");
}

function unescape(text: string): string {
  const plain: Record<string, string> = { "\\\\": "\\", "\\c": ":", "\\n": "\n", "\\r": "\r" };
  return text.replace(/\\./g, (sequence) => plain[sequence]!);
}
