/**
 * Publishing over HTTP, as a back-end does, and what was published.
 *
 * @module
 */
import { encodeBase64 } from "@std/encoding/base64";
import type { Position } from "../../lib/types.ts";
import { ask } from "./doors/http.ts";

/** What is published; data that is neither text nor bytes is JSON. */
export interface Sent {
  readonly channel: string;
  readonly data: unknown;
  readonly contentType?: string;
  readonly event?: string;
  readonly id?: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly ttl?: number;
}

/** Something sent, with where it went. */
export interface Published extends Sent {
  readonly position: Position;
}

/** How it is published. */
export interface PublishOptions {
  readonly key?: string;
  /** Publications of one request. Default 100. */
  readonly batch?: number;
}

/**
 * Publishes in this order.
 *
 * @throws when one of them is refused
 */
export async function publish(
  gong: { readonly url: string },
  sent: readonly Sent[],
  { key, batch = 100 }: PublishOptions = {},
): Promise<Published[]> {
  const published: Published[] = [];
  for (let at = 0; at < sent.length; at += batch) {
    const part = sent.slice(at, at + batch);
    const positions = await post(gong, part, key);
    part.forEach((one, index) => published.push({ ...one, position: positions[index]! }));
  }
  return published;
}

/** Texts `1` to `count`, each with the channel's name before it, the channels in turn. */
export function numbered(channels: readonly string[], count: number, before = ""): Sent[] {
  return Array.from({ length: count }, (_, index): Sent => {
    const channel = channels[index % channels.length]!;
    return { channel, data: `${before}${channel} ${index + 1}` };
  });
}

async function post(gong: { readonly url: string }, part: readonly Sent[], key?: string): Promise<Position[]> {
  const response = await ask(gong, "/api/publish", {
    method: "POST",
    headers: { "content-type": "application/json", ...(key === undefined ? {} : { "x-api-key": key }) },
    body: JSON.stringify({ publications: part.map(encode) }),
  });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`publishing was refused with ${response.status}: ${text}`);
  return JSON.parse(text).results.map((result: { positions?: Position[] }) => {
    const [position] = result.positions ?? [];
    if (!position) throw new Error(`publishing was refused: ${JSON.stringify(result)}`);
    return { epoch: position.epoch, offset: position.offset };
  });
}

function encode({ data, ...rest }: Sent): object {
  return data instanceof Uint8Array ? { ...rest, data: encodeBase64(data), encoding: "base64" } : { ...rest, data };
}
