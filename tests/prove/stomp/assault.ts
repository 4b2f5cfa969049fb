/**
 * One connection of mutated frames, and how it ended.
 *
 * @module
 */
import { concat } from "../../../lib/bytes.ts";
import { setTimeout as delay } from "node:timers/promises";
import { assert } from "@std/assert";
import type { StompVersion } from "../../../lib/codecs/stomp.ts";
import { encodeFrame, OPCODE, parseFrame } from "../../support/frames.ts";
import type { Random } from "../../support/random.ts";
import { RawConnection } from "../../support/raw.ts";
import { handshake } from "../../support/requests.ts";
import { Mutator, opening } from "./mutations.ts";

/** How it comes: path, and subprotocol. */
const DOORS = [
  { target: "/ws", protocol: "" },
  { target: "/ws", protocol: "v12.stomp" },
  { target: "/ws", protocol: "v11.stomp" },
  { target: "/push", protocol: "v10.stomp" },
  { target: "/push", protocol: "v11.stomp, v12.stomp" },
] as const;
const VERSIONS = ["1.0", "1.1", "1.2"] as const;
/** Of a client that goes by itself. */
const GONE = 4999;
/** Mutated frames of one connection at most: the first at fault ends it. */
const MOST = 48;
/** How long a client that listens does so, in milliseconds: what is stored or asked for first is refused later. */
const LISTENING = 50;
const CLOSE = encodeFrame(OPCODE.close, Uint8Array.of(GONE >> 8, GONE & 255));
const latin1 = new TextDecoder("latin1");

/** What is known of one connection. */
export interface Ending {
  /** Mutated frames that the server is known to have read. */
  readonly read: number;
  /** It was told what was wrong. */
  readonly isRefused: boolean;
}

/**
 * Sends some mutated frames on a connection of their own, and looks at how it ends.
 *
 * @param name no other connection's
 * @throws when the server ends it without an ERROR, or does not end it
 */
export async function assault(port: number, random: Random, name: number): Promise<Ending> {
  const { target, protocol } = DOORS[random.int(DOORS.length)]!;
  const version = versionFor(protocol, random);
  const isWild = random.int(6) === 0;
  const mutator = new Mutator(random, isWild ? 50 : 2, version);
  const count = 1 + random.int(isWild ? MOST / 6 : MOST);
  const frames = Array.from({ length: count }, (_, n) => mutator.next(`${name}-${n + 1}`));
  // One in sixteen has something before its CONNECT.
  if (random.int(16) > 0) frames.unshift(opening(version));
  const { bytes, isBroken } = pack(frames, random);
  const end = random.pick(["listens", "listens", "listens", "goes", "goes", "goes", "vanishes"] as const);
  using connection = await RawConnection.open(port, { patience: 15_000 });
  await connection.write(handshake(target, { "Sec-WebSocket-Protocol": protocol }));
  const { status } = await connection.readResponse();
  assert(status === 101, `the handshake was answered with ${status}`);
  const said = await say(connection, bytes, end);
  if (said === undefined) return { read: 0, isRefused: false };
  const { text, close } = parse(said);
  const isRefused = /(?:^|\0)\n*ERROR\n/.test(text);
  // A client that says DISCONNECT is closed as it wishes; an engine may end without a word what is no WebSocket's message.
  const isExplained = isRefused || close === GONE || close === 1000 || isBroken;
  assert(isExplained, `connection ${name} was closed with ${close} and no ERROR, after ${JSON.stringify(text)}`);
  if (!isRefused) return { read: isBroken ? 0 : count, isRefused };
  // The last one with a receipt was read, and so were those before it.
  const receipts = [...text.matchAll(new RegExp(`receipt-id:${name}-(\\d+)\\r?\\n`, "g"))].map(([_, n]) => Number(n));
  return { read: Math.max(1, ...receipts.filter((n) => n <= count)), isRefused };
}

/** Everything that the server has said; undefined of a connection that did not wait for it. */
async function say(
  connection: RawConnection,
  bytes: Uint8Array,
  end: "listens" | "goes" | "vanishes",
): Promise<Uint8Array | undefined> {
  try {
    await connection.write(bytes);
    if (end === "vanishes") return undefined;
    if (end === "listens") await delay(LISTENING);
    await connection.write(CLOSE);
  } catch {
    // It has ended already; what it has said is there all the same.
  }
  return await connection.readToEnd();
}

/** One that the subprotocol allows. */
function versionFor(protocol: string, random: Random): StompVersion {
  if (protocol === "v10.stomp") return "1.0";
  return protocol === "v11.stomp" ? "1.1" : random.pick(VERSIONS);
}

/** The frames in messages of any kind: several in one, one in several, of which some come in fragments. */
function pack(frames: readonly Uint8Array[], random: Random): { bytes: Uint8Array; isBroken: boolean } {
  const messages: Uint8Array[] = [];
  let isBroken = false;
  for (const piece of cut(frames, random)) {
    const isText = isUtf8(piece) ? random.int(4) > 0 : random.int(16) === 0;
    if (isText && !isUtf8(piece)) isBroken = true;
    const opcode = isText ? OPCODE.text : OPCODE.binary;
    if (random.int(8) > 0) {
      messages.push(encodeFrame(opcode, piece));
      continue;
    }
    const at = random.int(piece.length + 1);
    messages.push(encodeFrame(opcode, piece.subarray(0, at), { fin: false }));
    messages.push(encodeFrame(OPCODE.continuation, piece.subarray(at)));
  }
  return { bytes: concat(messages), isBroken };
}

function cut(frames: readonly Uint8Array[], random: Random): Uint8Array[] {
  const kind = random.int(4);
  if (kind > 1) return [...frames];
  const all = concat(frames);
  if (kind === 1) return [all];
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < all.length;) {
    const end = at + 1 + random.int(random.int(4) === 0 ? 20 : 400);
    pieces.push(all.subarray(at, end));
    at = end;
  }
  return pieces;
}

/** What messages say, a byte a character, and the close code; 1005 of a close without one, none without a close. */
function parse(bytes: Uint8Array): { text: string; close?: number } {
  let text = "";
  for (let rest = bytes;;) {
    const parsed = parseFrame(rest);
    if (!parsed) return { text };
    const { opcode, payload } = parsed.frame;
    if (opcode === OPCODE.close) return { text, close: payload.length < 2 ? 1005 : payload[0]! << 8 | payload[1]! };
    if (opcode <= OPCODE.binary) text += latin1.decode(payload);
    rest = rest.subarray(parsed.length);
  }
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}
