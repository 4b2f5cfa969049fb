/**
 * The hidden iframe: a page of scripts, each run as a browser would.
 *
 * @module
 */
import { createContext, runInContext } from "node:vm";
import { stream } from "./http.ts";
import { LineReader } from "./lines.ts";
import { type Item, type OpenWire, targetOf } from "./wire.ts";

type Line = Record<string, unknown>;

/** What a page may call that does nothing here: it is never loaded again. */
const BROWSER = {
  addEventListener() {},
  setInterval() {},
  document: {},
  location: { href: "" },
  MutationObserver: class {
    observe() {}
  },
};

export const openIframe: OpenWire = async (gong, wish) => {
  const { read, drop } = await stream(gong, targetOf("/iframe?callback=parent.onPush", wish), wish);
  const page = new Page("parent.onPush");
  const reader = new LineReader(wish);
  async function* items(): AsyncGenerator<Item> {
    for (;;) {
      const text = await read();
      if (text === undefined) return;
      if (text.trim() === "") yield { kind: "heartbeat" };
      for (const line of page.feed(text)) yield* reader.read(line);
    }
  }
  return { items: items(), drop };
};

/** A page that comes bit by bit: its scripts run as soon as they are whole, with what they know of a browser. */
export class Page {
  /** Scripts that ran. */
  readonly scripts: string[] = [];
  readonly #context: Record<string, unknown>;
  #lines: Line[] = [];
  #rest = "";

  /** @param callback the function that the page is to call, e.g. `parent.onPush` */
  constructor(callback: string) {
    const [object = "", ...path] = callback.split(".");
    // What comes from another context is of other classes.
    let target: unknown = (line: Line) => void this.#lines.push(JSON.parse(JSON.stringify(line)));
    for (const name of path.toReversed()) target = { [name]: target };
    this.#context = createContext({ ...BROWSER, [object]: target });
  }

  /** Takes more of the page; the lines with which its scripts have called back. */
  feed(text: string): Line[] {
    this.#rest += text;
    for (;;) {
      const match = /<script(?:\s[^>]*)?>([^]*?)<\/script>/.exec(this.#rest);
      if (!match) break;
      const [whole, script = ""] = match;
      // Within a script `<!--` changes how its end is found.
      if (script.includes("<!--")) throw new Error(`a script with a comment in it: ${script.slice(0, 200)}`);
      this.#rest = this.#rest.slice(match.index + whole.length);
      this.scripts.push(script);
      runInContext(script, this.#context);
    }
    return this.#lines.splice(0);
  }
}
