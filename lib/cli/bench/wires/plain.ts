import { encodeFrame, OPCODES } from "../frames.ts";
import type { LoadOptions } from "../options.ts";
import { openSocket, type Wire } from "./wire.ts";

/** A frame is a message: the plain door, and any server that sends to everybody. */
export const PLAIN: Wire = {
  listen: ({ load }, onData) => openSocket(load, urlOf(load), onData),
  envelope: () => ({ before: "", after: "" }),
  encode: (message) => encodeFrame(OPCODES.text, message),
  // What a publisher hears is left out.
  open: ({ load }) => openSocket(load, urlOf(load), (_bytes, _start, end) => end),
};

/** With the channel, if one is named: other servers have none. */
function urlOf({ url, channel }: LoadOptions): URL {
  const target = new URL(url);
  if (channel !== "") target.searchParams.set("channel", channel);
  return target;
}
