/**
 * What a SUBSCRIBE asks for.
 *
 * @module
 */
import { parsePosition } from "../../codecs/cursor.ts";
import type { StompFrame, StompVersion } from "../../codecs/stomp.ts";
import { GongError } from "../../errors.ts";
import type { Start } from "../../types.ts";
import { MAX_HISTORY } from "../query.ts";
import { type Destination, parseDestination } from "./destinations.ts";

/** How a client says that it is done with a message (STOMP 1.2, "SUBSCRIBE ack Header"). */
const ACK_MODES = ["auto", "client", "client-individual"] as const;
const MAX_ID = 256;
const MAX_PREFETCH = 1000;
const PREFETCH = 100;

/** What is asked for. */
export interface SubscribeWish {
  /** By which it can be ended: its `id`, or in 1.0 without one the destination. */
  readonly name: string;
  readonly id: string | undefined;
  readonly destination: string;
  /** What that is. */
  readonly source: Destination;
  readonly start: Start | undefined;
  readonly ack: typeof ACK_MODES[number];
  /** Messages that may be with the client. */
  readonly prefetch: number;
}

/** @throws {GongError} `bad_request` naming the header; what {@linkcode parseDestination} throws */
export function readSubscribe(frame: StompFrame, version: StompVersion, user: string | undefined): SubscribeWish {
  const { headers } = frame;
  const destination = headers.get("destination");
  if (!destination) throw wrong("destination", "SUBSCRIBE needs the header `destination`.");
  const id = headers.get("id");
  if (id === undefined && version !== "1.0") throw wrong("id", "SUBSCRIBE needs the header `id`.");
  if (id !== undefined && (id === "" || id.length > MAX_ID)) {
    throw wrong("id", `\`id\` has to have 1 to ${MAX_ID} characters.`);
  }
  if (headers.has("selector")) throw wrong("selector", "`selector` is not supported.");
  const source = parseDestination(destination, user);
  const start = readStart(frame);
  if (start && source.kind !== "topic" && source.kind !== "user") {
    throw wrong("since", "Only what is published can be heard again: `since` and `history` are for topics.");
  }
  const ack = ACK_MODES.find((mode) => mode === (headers.get("ack") ?? "auto"));
  if (!ack) throw wrong("ack", `\`ack\` has to be one of ${ACK_MODES.join(", ")}.`);
  const prefetch = readWhole(frame, "prefetch-count", 1, MAX_PREFETCH) ?? PREFETCH;
  return { name: id ?? destination, id, destination, source, start, ack, prefetch };
}

function readStart(frame: StompFrame): Start | undefined {
  const since = frame.headers.get("since");
  const last = readWhole(frame, "history", 0, MAX_HISTORY);
  if (since === undefined) return last ? { last } : undefined;
  try {
    return parsePosition(since);
  } catch (error) {
    throw wrong("since", `\`since\`: ${(error as Error).message}`);
  }
}

function readWhole({ headers }: StompFrame, name: string, least: number, most: number): number | undefined {
  const text = headers.get(name);
  if (text === undefined) return undefined;
  const number = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
  if (number >= least && number <= most) return number;
  throw wrong(name, `\`${name}\` has to be a whole number from ${least} to ${most}.`);
}

function wrong(field: string, message: string): GongError {
  return new GongError("bad_request", message, { field });
}
