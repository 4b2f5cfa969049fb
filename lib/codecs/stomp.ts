/**
 * STOMP 1.0, 1.1 and 1.2: frames from a client out of the messages of a WebSocket, and frames to it.
 *
 * @see https://stomp.github.io/stomp-specification-1.2.html
 * @module
 */
import { concat } from "../bytes.ts";
import type { Data } from "../types.ts";
import { escapeFor, type StompVersion, wireOf } from "./stomp/wire.ts";

export type { StompFrame, StompLimits } from "./stomp/frame.ts";
export { StompReader } from "./stomp/reader.ts";
export { escapeStompHeader, type StompVersion } from "./stomp/wire.ts";

const encoder = new TextEncoder();
const NUL = new Uint8Array(1);

/**
 * A frame to a client, whole with its NUL. Text when the body is a string (or absent), bytes otherwise.
 *
 * Headers are escaped as the version and the command have it, see {@linkcode escapeStompHeader}; a colon in a name that
 * cannot be escaped is a space. `content-length` is for the caller to give: without it a NUL in the body ends the frame.
 *
 * @example
 * ```ts
 * encodeStompFrame("1.2", "MESSAGE", [["destination", "/topic/news"], ["content-length", "2"]], "hi");
 * // "MESSAGE\ndestination:/topic/news\ncontent-length:2\n\nhi\0"
 * ```
 */
export function encodeStompFrame(
  version: StompVersion,
  command: string,
  headers: Iterable<readonly [name: string, value: string]>,
  body: Data = "",
): Data {
  const wire = wireOf(version, command);
  let head = `${command}\n`;
  for (const [name, value] of headers) {
    // It would end the name: somebody's "a:b" is not to become a header "a" of theirs.
    const whole = wire.escapes.has(":") ? name : name.replaceAll(":", " ");
    head += `${escapeFor(wire, whole)}:${escapeFor(wire, value)}\n`;
  }
  head += "\n";
  // As one piece of memory: V8 would keep a sum as a tree, and each socket pays for that.
  return typeof body === "string" ? [head, body, "\0"].join("") : concat([encoder.encode(head), body, NUL]);
}
