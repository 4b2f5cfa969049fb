/**
 * Server-Sent Events as text.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 * @module
 */
import { encodeBase64 } from "@std/encoding/base64";
import type { Data, Publication } from "../types.ts";

/** What ends a line there: a text with any of them becomes several lines. */
const LINE_END = /\r\n|\n|\r/;

/** A comment: white space for whoever takes silence for the end. */
export const COMMENT = ":\n\n";

/** An event of a name; `data` is one line. */
export function encodeEvent(name: string, data: string): string {
  return `event: ${name}\ndata: ${data}\n\n`;
}

/** A line that says after how many milliseconds a browser comes back. */
export function encodeRetry(milliseconds: number): string {
  return `retry: ${Math.ceil(milliseconds)}\n`;
}

/** A publication as an event without an id: its text as it is, its bytes as a `data:` URL (RFC 2397). */
export function encodePublication({ event, data, contentType }: Publication): string {
  const name = event === undefined ? "" : `event: ${event}\n`;
  return `${name}${encodeData(data, contentType)}\n`;
}

/** Puts the line that a client resumes from before an event. A cursor has no line end. */
export function stampId(event: string, cursor: string): string {
  return `id: ${cursor}\n${event}`;
}

function encodeData(data: Data, contentType: string): string {
  if (typeof data !== "string") return `data: ${encodeDataUrl(data, contentType)}\n`;
  if (!LINE_END.test(data)) return `data: ${data}\n`;
  return data.split(LINE_END).map((line) => `data: ${line}\n`).join("");
}

/** What would end the type, or the URL, is escaped in it. */
function encodeDataUrl(data: Uint8Array, contentType: string): string {
  return `data:${contentType.replace(/[,#]/g, encodeURIComponent)};base64,${encodeBase64(data)}`;
}
