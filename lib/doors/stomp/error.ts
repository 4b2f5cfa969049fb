/**
 * The last frame of a connection that does not end as its client wants it to.
 *
 * @module
 */
import { byteLength } from "../../bytes.ts";
import { encodeStompFrame, type StompVersion } from "../../codecs/stomp.ts";
import type { Ending } from "../../door.ts";
import type { Data } from "../../types.ts";
import { VERSIONS } from "./connect.ts";
import type { Headers, Said } from "./conversation.ts";

/** Characters of a destination that are repeated to its client. */
const MAX_SHOWN = 128;

/** What is known of the connection. */
export interface ErrorContext {
  /** That of CONNECTED. */
  readonly version?: StompVersion | undefined;
  /** What the client has said that could not be done, if it was that. */
  readonly fault?: Said | undefined;
}

/** An ERROR: what is wrong in one sentence, and in the body what it is about and whether to come back. */
export function encodeError({ code, message, retry, retryAfter }: Ending, { version, fault }: ErrorContext): Data {
  const receipt = fault?.headers.get("receipt");
  const destination = fault?.headers.get("destination")?.slice(0, MAX_SHOWN);
  const lines = [
    message,
    "",
    `code: ${code}`,
    ...(fault ? [`frame: ${fault.command}${destination === undefined ? "" : ` ${destination}`}`] : []),
    `worth another try: ${retry ? "yes" : "no"}${retryAfter === undefined ? "" : `, after ${retryAfter} s`}`,
    "",
  ];
  const body = lines.join("\n");
  const headers: Headers = [
    ["message", message],
    ["code", code],
    ...(receipt === undefined ? [] : [["receipt-id", receipt] as const]),
    ...(retryAfter === undefined ? [] : [["retry-after", String(retryAfter)] as const]),
    // Before a version is agreed upon: those that there are (section "Protocol Negotiation").
    ...(version === undefined ? [["version", VERSIONS.toReversed().join(",")] as const] : []),
    ["content-type", "text/plain"],
    ["content-length", String(byteLength(body))],
  ];
  return encodeStompFrame(version ?? "1.0", "ERROR", headers, body);
}
