/**
 * Publications as packets: made once for all who hear them.
 *
 * @module
 */
import { PacketType } from "socket.io-parser";
import { isJson } from "../../json.ts";
import type { Data } from "../../types.ts";
import { ENGINE_CODECS } from "../engineio.ts";
import { argsOf, type EventOf, eventOf, isBinaryJson } from "./message.ts";
import { encodeParts, sharedFrame, type Version } from "./packet.ts";

const NONE: readonly Data[] = [];

/** The publication as the text frame of an event in the namespace; its bytes are {@linkcode attachmentsOf}. */
export function encodePublication(publication: EventOf, namespace: string): string {
  const { data, contentType } = publication;
  if (typeof data !== "string" || !isJson(contentType) || isBinaryJson(publication)) {
    const { event, args } = argsOf(publication);
    return sharedFrame(encodeEvent(event, args, namespace)[0]);
  }
  // What is JSON already goes into the packet as it is, with every digit.
  const [head] = encodeEvent(eventOf(publication), [], namespace);
  const value = data.trim();
  const isList = publication.event !== undefined && value.startsWith("[");
  const items = isList ? value.slice(1, -1).trim() : value;
  return items === "" ? sharedFrame(head) : sharedFrame(head.slice(0, -1), ",", items, "]");
}

/** The frames that follow the text of {@linkcode encodePublication}; of most publications none. */
export function attachmentsOf(publication: EventOf, protocol: Version): readonly Data[] {
  const { data } = publication;
  const { encodeMessage } = ENGINE_CODECS[protocol];
  if (typeof data !== "string") return [encodeMessage(data)];
  if (!isBinaryJson(publication)) return NONE;
  const { event, args } = argsOf(publication);
  return encodeEvent(event, args, "/").slice(1).map(encodeMessage);
}

/** The text frame of an event with one more argument behind all others. */
export function appendArgument(frame: string, text: string): string {
  return [frame.slice(0, -1), ",", JSON.stringify(text), "]"].join("");
}

function encodeEvent(event: string, args: readonly unknown[], namespace: string): [string, ...Uint8Array[]] {
  return encodeParts({ type: PacketType.EVENT, nsp: namespace, data: [event, ...args] });
}
