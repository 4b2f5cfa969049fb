/**
 * Socket.IO over a WebSocket of Engine.IO by hand: a namespace for each channel.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { Decoder, type Packet, PacketType } from "socket.io-parser";
import { channelOf, placeOf } from "../../../lib/codecs/socketio.ts";
import { OPCODE } from "../frames.ts";
import {
  channelsOf,
  CommandRefused,
  formatCursor,
  type Item,
  type OpenWire,
  parseCursor,
  targetOf,
  type Told,
} from "./wire.ts";
import { openWebSocket } from "./websocket.ts";

/** Heard where none is named, as a client is in some namespace: everybody may hear it. */
const ANY = "all:any";

/** @param target with the token, `echo` and `session` */
export const openSocketIo: OpenWire = async (gong, { channels, since, history, ...rest }) => {
  const wish = { ...rest, channels: [] };
  const messages = await openWebSocket(gong, targetOf("/socket.io/?EIO=4&transport=websocket", wish), wish);
  const send = (text: string) => messages.connection.sendFrame(OPCODE.text, text);
  const positions = since === undefined ? new Map() : parseCursor(since, channels[0]);
  const asked = [...channelsOf({ channels: channels.length === 0 ? [ANY] : channels, since })]
    .filter((channel) => placeOf(channel) !== undefined);
  const missing = new Set(asked);
  const stand = new Map<string, string>();

  async function begin(): Promise<void> {
    for (const channel of asked) {
      const auth = {
        ...(positions.size === 0 ? {} : { since: formatCursor(positions) }),
        ...(history === undefined ? {} : { history }),
      };
      await send(`40${placeOf(channel)!.namespace},${JSON.stringify(auth)}`);
    }
  }

  /** Which channels the offset of an event says more of than what was known. */
  function moved(offset: string): string[] {
    const end = offset.lastIndexOf("~");
    const told = [...parseCursor(offset.slice(0, Math.max(0, end)))];
    return told.flatMap(([channel, { epoch, offset }]) => {
      const before = stand.get(channel);
      stand.set(channel, `${epoch}:${offset}`);
      return before === `${epoch}:${offset}` ? [] : [channel];
    });
  }

  function* connected({ nsp, data }: Packet): Generator<Item> {
    const channel = channelOf(nsp)!;
    missing.delete(channel);
    for (const [name, position] of parseCursor(data.cursor)) {
      stand.set(name, `${position.epoch}:${position.offset}`);
      // Its `recovered` is of all of them together, and what is lost is told behind it.
      if (!positions.has(name) || data.recovered || name !== channel) {
        yield { kind: "subscribed", channel: name, position, recovered: true };
      } else lost.set(name, position);
    }
    if (missing.size === 0 && lost.size === 0) yield { kind: "ready" };
  }
  /** Of which it is told in a moment whether they are lost. */
  const lost = new Map<string, { epoch: string; offset: number }>();

  function* event({ nsp, id, data: [event, ...args] }: Packet): Generator<Item> {
    if (id !== undefined) {
      const [data, who] = args;
      return yield { kind: "signal", signal: { data: told(data), ...who } };
    }
    const changed = moved(args.pop());
    if (event === "$error") throw new CommandRefused(args[0].code, JSON.stringify(args));
    if (event === "$lost") {
      const channel = args[0];
      const position = lost.get(channel) ?? parseCursor(`${channel}@${stand.get(channel)}`).get(channel)!;
      lost.delete(channel);
      yield { kind: "subscribed", channel, position, recovered: false };
      if (missing.size === 0 && lost.size === 0) yield { kind: "ready" };
      return;
    }
    const channel = changed.find((name) => name === channelOf(nsp)) ??
      changed.find((name) => name.startsWith("$user/"));
    if (channel === undefined) {
      const [data, who] = args;
      return yield { kind: "signal", signal: { data: told(data), ...who } };
    }
    assertEquals(args.length, 1);
    yield {
      kind: "publication",
      heard: {
        ...{ data: told(args[0]), channel, event: event === "message" ? undefined : event },
        position: parseCursor(`${channel}@${stand.get(channel)}`).get(channel),
      },
    };
  }

  function* read(packet: Packet): Generator<Item> {
    const { type, nsp, data } = packet;
    if (type === PacketType.CONNECT) yield* connected(packet);
    else if (type === PacketType.EVENT) yield* event(packet);
    else if (type === PacketType.DISCONNECT) yield { kind: "unsubscribed", channel: channelOf(nsp)! };
    // Of `/`, it is the whole connection that is refused, and ends.
    else if (type === PacketType.CONNECT_ERROR && nsp !== "/") throw new CommandRefused(data.data.code, data.message);
  }

  async function* items(): AsyncGenerator<Item> {
    const decoder = new Decoder();
    const packets: Packet[] = [];
    decoder.on("decoded", (packet: Packet) => packets.push(packet));
    for (;;) {
      const message = await messages.next();
      if (message === undefined) return;
      if (typeof message !== "string" && !(message instanceof Uint8Array)) return yield { kind: "end", end: message };
      if (typeof message !== "string") decoder.add(message);
      else if (message.startsWith("0")) await begin();
      else if (message === "2") await send("3").catch(() => {});
      else if (message.startsWith("4")) decoder.add(message.slice(1));
      else throw new Error(`a packet ${message.slice(0, 100)}`);
      for (const packet of packets.splice(0)) yield* read(packet);
    }
  }
  return {
    items: items(),
    drop: () => messages.connection.close(),
    publish: (channel, text) => send(`42${placeOf(channel)!.namespace},${JSON.stringify(["message", text])}`),
  };
};

function told(value: unknown): Told {
  if (value instanceof Uint8Array) return { bytes: new Uint8Array(value) };
  return typeof value === "string" ? { text: value } : { json: value };
}
