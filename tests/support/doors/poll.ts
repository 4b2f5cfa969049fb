/**
 * Polling on and on: each poll begins where the one before it ended.
 *
 * @module
 */
import { ask, refusal } from "./http.ts";
import { readPublication, readSignal } from "./lines.ts";
import { type Item, type OpenWire, parseCursor, type Place, Refused, targetOf, type Wish } from "./wire.ts";

/** What a poll answers. */
export interface Answer {
  readonly publications: readonly Record<string, unknown>[];
  readonly signals?: readonly Record<string, unknown>[];
  readonly cursor: string;
  readonly recovered: boolean;
  readonly lost?: readonly string[];
}

const FIELDS = ["publications", "signals", "cursor", "recovered", "lost"];

/** @throws {Refused} for any status but 200 */
export async function poll(
  gong: Pick<Place, "url" | "fetch">,
  wish: Wish,
  options: { readonly timeout?: number; readonly signal?: AbortSignal } = {},
): Promise<Answer> {
  const { timeout = 25, signal } = options;
  const query = [`timeout=${timeout}`, ...(wish.query === undefined ? [] : [wish.query])];
  const init = { ...(wish.headers ? { headers: wish.headers } : {}), ...(signal ? { signal } : {}) };
  const response = await ask(gong, targetOf("/poll", { ...wish, query: query.join("&") }), init);
  if (response.status !== 200) throw await refusal(response);
  const answer = await response.json();
  const unknown = Object.keys(answer).filter((name) => !FIELDS.includes(name));
  if (unknown.length > 0) throw new Error(`an answer with ${unknown}: ${JSON.stringify(answer).slice(0, 500)}`);
  return answer;
}

/** A client that polls on and on; the first poll of one who resumes nothing answers at once, with where it stands. */
export const openPoll: OpenWire = async (gong, wish) => {
  const controller = new AbortController();
  const options = { signal: controller.signal };
  let answer: Answer | undefined = await poll(gong, wish, { ...options, timeout: 0 });
  const { history: _, ...rest } = wish;
  async function* items(): AsyncGenerator<Item> {
    let isReady = false;
    let cursor = wish.since;
    for (;;) {
      try {
        answer ??= await poll(gong, { ...rest, channels: wish.channels, since: cursor }, options);
      } catch (error) {
        if (error instanceof Refused) throw error;
        return;
      }
      yield* read(answer);
      if (!isReady) yield { kind: "ready" };
      isReady = true;
      cursor = answer.cursor;
      answer = undefined;
    }
  }
  return { items: items(), drop: () => controller.abort() };
};

function* read({ publications, signals = [], cursor, recovered, lost = [] }: Answer): Generator<Item> {
  if (recovered !== (lost.length === 0)) throw new Error(`recovered: ${recovered}, but lost: ${lost}`);
  const positions = parseCursor(cursor);
  for (const channel of lost) {
    yield { kind: "subscribed", channel, position: positions.get(channel)!, recovered: false };
  }
  for (const line of publications) yield { kind: "publication", heard: readPublication(line) };
  for (const line of signals) yield { kind: "signal", signal: readSignal(line) };
  yield { kind: "cursor", cursor };
}
