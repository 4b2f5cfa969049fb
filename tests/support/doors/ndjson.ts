/**
 * HTTP streaming: newline-delimited JSON.
 *
 * @module
 */
import { stream } from "./http.ts";
import { LineReader } from "./lines.ts";
import { type Item, type OpenWire, targetOf } from "./wire.ts";

export const openStream: OpenWire = async (gong, wish) => {
  const { read, drop } = await stream(gong, targetOf("/stream", wish), wish);
  const reader = new LineReader(wish);
  async function* items(): AsyncGenerator<Item> {
    let rest = "";
    for (;;) {
      const text = await read();
      if (text === undefined) return;
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) yield* reader.read(JSON.parse(line));
    }
  }
  return { items: items(), drop };
};
