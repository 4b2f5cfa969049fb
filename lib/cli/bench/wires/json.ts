import { encodeFrame, OPCODES } from "../frames.ts";
import type { LoadOptions } from "../options.ts";
import { channelOf, openSocket, wholeMessages, type Wire } from "./wire.ts";

/** A refusal, of which there are few: a command without an id is answered only when it fails. */
const REFUSAL = /"error":\{"code":"([a-z_]+)"/g;

/** The lines of the JSON door. */
export const JSON_LINES: Wire = {
  listen({ load }, onData) {
    const url = urlOf(load);
    url.searchParams.set("channel", channelOf(load));
    return openSocket(load, url, onData);
  },
  envelope: (load) => ({ before: `{"publish":{"channel":${JSON.stringify(channelOf(load))},"data":"`, after: '"}}' }),
  encode: (message) => encodeFrame(OPCODES.text, message),
  // Without a channel it hears nothing, and may publish to any.
  open({ load }, onRefused) {
    const read = wholeMessages((message) => {
      for (const [, code] of new TextDecoder().decode(message).matchAll(REFUSAL)) onRefused(code!);
    });
    return openSocket(load, urlOf(load), read);
  },
};

function urlOf({ url }: LoadOptions): URL {
  const target = new URL(url);
  target.searchParams.set("format", "json");
  return target;
}
