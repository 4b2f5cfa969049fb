/**
 * Answers that never end, read as they come by `fetch`, each over a connection of its own.
 *
 * @module
 */
import { type Place, Refused, type Wish } from "./wire.ts";

/** Never used twice: which isolate has a connection is the kernel's choice, and a dropped one has to be gone. */
const client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });

/** An answer whose body is read in pieces of text. */
export interface Streaming {
  readonly response: Response;
  /** The next piece, whole characters only; undefined at the end, however it came. */
  read(): Promise<string | undefined>;
  /** Ends the connection without a word. */
  drop(): void;
}

/** @throws {Refused} for any status but 200 */
export async function stream(
  gong: Pick<Place, "url" | "fetch">,
  target: string,
  { headers = {} }: Pick<Wish, "headers"> = {},
): Promise<Streaming> {
  const controller = new AbortController();
  const response = await ask(gong, target, { headers, signal: controller.signal });
  if (response.status !== 200) throw await refusal(response);
  const reader = response.body!.getReader();
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  return {
    response,
    async read() {
      for (;;) {
        const { value, done } = await reader.read().catch(() => ({ value: undefined, done: true }));
        if (done || !value) return undefined;
        const text = decoder.decode(value, { stream: true });
        if (text !== "") return text;
      }
    },
    drop() {
      controller.abort();
      // An answer that nobody is reading may be kept open by its abortion alone.
      reader.cancel().catch(() => {});
    },
  };
}

/** One request, over a connection of its own. */
export function ask(
  gong: Pick<Place, "url" | "fetch">,
  target: string,
  init: RequestInit = {},
): Promise<Response> {
  if (gong.fetch) return gong.fetch(target, init);
  return fetch(`${gong.url}${target}`, { client, ...init });
}

export async function refusal(response: Response): Promise<Refused> {
  const { status, headers } = response;
  return new Refused(status, headers.get("content-type") ?? "", await response.text(), headers);
}
