/**
 * The two doors on `/push`, over a WebSocket by hand: what is dropped ends without a close frame.
 *
 * @module
 */
import type { Gong } from "../gong.ts";
import { OPCODE } from "../frames.ts";
import { RawConnection } from "../raw.ts";
import { handshake } from "../requests.ts";
import { LineReader } from "./lines.ts";
import {
  channelsOf,
  CommandRefused,
  formatCursor,
  type Item,
  type OpenWire,
  parseCursor,
  Refused,
  targetOf,
  type Wire,
  type Wish,
} from "./wire.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A socket's messages, pings answered, and its end. */
export class Messages {
  constructor(readonly connection: RawConnection) {}

  /** The next message, or how the connection ended. */
  async next(): Promise<string | Uint8Array | { close: number } | undefined> {
    const parts: Uint8Array[] = [];
    let kind = 0;
    for (;;) {
      const frame = await this.connection.readFrame().catch((error) => {
        if (/ended the connection/.test(String(error))) return undefined;
        throw error;
      });
      if (!frame) return undefined;
      const { opcode, payload, fin } = frame;
      if (opcode === OPCODE.ping) await this.connection.sendFrame(OPCODE.pong, payload).catch(() => {});
      if (opcode === OPCODE.close) return { close: payload.length < 2 ? 1005 : payload[0]! << 8 | payload[1]! };
      if (opcode >= OPCODE.close) continue;
      if (opcode !== OPCODE.continuation) kind = opcode;
      parts.push(payload);
      if (!fin) continue;
      const whole = parts.length === 1 ? parts[0]! : Uint8Array.from(parts.flatMap((part) => [...part]));
      return kind === OPCODE.text ? decoder.decode(whole) : whole;
    }
  }
}

/** @throws {Refused} for any answer but the upgrade */
export async function openWebSocket(gong: Pick<Gong, "port">, target: string, wish: Wish): Promise<Messages> {
  const connection = await RawConnection.open(gong.port, { patience: 20_000 });
  await connection.write(handshake(target, { Host: `127.0.0.1:${gong.port}`, ...wish.headers }));
  const { status, headers, body } = await connection.readResponse();
  if (status === 101) return new Messages(connection);
  connection.close();
  throw new Refused(status, headers.get("content-type") ?? "", body, headers);
}

/** Plain text both ways: the wire tells the data, and nothing else. */
export const openPlain: OpenWire = async (gong, wish): Promise<Wire> => {
  const messages = await openWebSocket(gong, targetOf("/push", wish), wish);
  async function* items(): AsyncGenerator<Item> {
    // Whoever is connected hears everything from then on.
    yield { kind: "ready" };
    for (;;) {
      const message = await messages.next();
      if (message === undefined) return;
      if (typeof message === "string") yield { kind: "publication", heard: { data: { text: message } } };
      else if (message instanceof Uint8Array) yield { kind: "publication", heard: { data: { bytes: message } } };
      else return yield { kind: "end", end: message };
    }
  }
  return {
    items: items(),
    positions: false,
    drop: () => messages.connection.close(),
    publish: (_, text) => messages.connection.sendFrame(OPCODE.text, text),
  };
};

/** JSON lines; what is wanted is in the query. */
export const openJson: OpenWire = async (gong, wish) => {
  return readLines(await openWebSocket(gong, targetOf("/push?format=json", wish), wish), wish);
};

/** JSON lines; what is wanted is said by commands. */
export const openJsonByCommands: OpenWire = async (gong, wish) => {
  const { channels, since, history, ...rest } = wish;
  const positions = since === undefined ? new Map() : parseCursor(since, channels[0]);
  const asked = channelsOf(wish);
  // The channel of the user is heard from the beginning on, and what its client missed has to be known by then.
  const inbox = [...positions].filter(([channel]) => channel.startsWith("$user/") && !channels.includes(channel));
  for (const [channel] of inbox) asked.delete(channel);
  const own = inbox.length > 0 ? { since: formatCursor(new Map(inbox)) } : {};
  // What may be asked for is told at the handshake; here it would come as the answer to a command.
  const messages = await openWebSocket(gong, targetOf("/push?format=json", { ...rest, channels: [], ...own }), wish);
  for (const channel of asked) {
    const position = positions.get(channel);
    const start = position && `${position.epoch}:${position.offset}`;
    const command = { id: channel, subscribe: { channel, since: start, history: start ? undefined : history } };
    await messages.connection.sendFrame(OPCODE.text, JSON.stringify(command));
  }
  return readLines(messages, wish);
};

function readLines(messages: Messages, wish: Wish): Wire {
  const reader = new LineReader(wish);
  async function* items(): AsyncGenerator<Item> {
    for (;;) {
      const message = await messages.next();
      if (message === undefined) return;
      if (message instanceof Uint8Array) throw new Error("a binary frame on the JSON door");
      if (typeof message !== "string") return yield { kind: "end", end: message };
      for (const line of message.split("\n")) {
        const fields = JSON.parse(line);
        if ("error" in fields) throw new CommandRefused(fields.error.code, line);
        yield* reader.read(fields);
      }
    }
  }
  return {
    items: items(),
    drop: () => messages.connection.close(),
    publish: (channel, data) =>
      messages.connection.sendFrame(OPCODE.text, JSON.stringify({ publish: { channel, data } })),
  };
}
