/**
 * The hidden iframe: a page of scripts, each run as a browser would.
 *
 * @module
 */
import { stream } from "./http.ts";
import { LineReader } from "./lines.ts";
import { type Item, type OpenWire, targetOf } from "./wire.ts";

/** The callback of these clients. */
export const CALLBACK = "parent.onPush";

export const openIframe: OpenWire = async (gong, wish) => {
  const { read, drop } = await stream(gong, targetOf(`/iframe?callback=${CALLBACK}`, wish), wish);
  const reader = new LineReader(wish);
  async function* items(): AsyncGenerator<Item> {
    let rest = "";
    for (;;) {
      const text = await read();
      if (text === undefined) return;
      const { scripts, rest: left } = takeScripts(rest + text);
      rest = left;
      if (text.trim() === "") yield { kind: "heartbeat" };
      for (const script of scripts) for (const line of calls(script)) yield* reader.read(line);
    }
  }
  return { items: items(), drop };
};

/** Scripts that are complete, as a browser splits them, and what is left. */
export function takeScripts(page: string): { scripts: string[]; rest: string } {
  const scripts: string[] = [];
  for (;;) {
    const match = /<script(?:\s[^>]*)?>([^]*?)<\/script>/.exec(page);
    if (!match) return { scripts, rest: page };
    const [whole, script = ""] = match;
    // Within a script `<!--` changes how its end is found.
    if (script.includes("<!--")) throw new Error(`a script with a comment in it: ${script.slice(0, 200)}`);
    scripts.push(script);
    page = page.slice(match.index + whole.length);
  }
}

/** The lines with which a script calls back; a script that does something else calls nothing. */
export function calls(script: string, callback = CALLBACK): Record<string, unknown>[] {
  if (!script.trimStart().startsWith(`${callback}(`)) return [];
  const lines: Record<string, unknown>[] = [];
  const [object = "", ...path] = callback.split(".");
  let target: Record<string, unknown> | ((line: Record<string, unknown>) => void) = (line) => void lines.push(line);
  for (const name of path.toReversed()) target = { [name]: target };
  new Function(object, script)(target);
  return lines;
}
