/**
 * The doors of an edge on the stage: no sockets, and otherwise as clients see them.
 *
 * @module
 */
import { findHttpDoor } from "../../../lib/doors/mod.ts";
import { plain } from "../../../lib/doors/plain.ts";
import type { Door } from "../../../lib/door.ts";
import type { StageEdge } from "../stage.ts";
import { LineReader } from "./lines.ts";
import { type Item, parseCursor, type Place, type Wire, type Wish } from "./wire.ts";

/** The edge as a place that the doors over HTTP are asked at. */
export function placeOf({ edge, auth, config }: StageEdge): Place {
  const url = "http://localhost";
  return {
    url,
    port: 0,
    async fetch(target, init) {
      const whole = new URL(target, url);
      const { promise: completed, resolve } = Promise.withResolvers<void>();
      init.signal?.addEventListener("abort", () => resolve());
      const request = new Request(whole, { ...init, headers: { host: whole.host, ...init.headers as object } });
      const peer = { address: "::1", completed: () => completed };
      const response = await findHttpDoor(whole.pathname)!(request, whole, peer, { config, edge, auth });
      // An answer that ends by itself has no client that drops it.
      if (response.headers.get("content-type") === "application/json") resolve();
      return response;
    },
  };
}

/** A client of `/push`. */
export function openStaged(edge: StageEdge, door: Door, wish: Wish): Wire {
  const { channels, since } = wish;
  const starts = since === undefined ? {} : Object.fromEntries(parseCursor(since, channels[0]));
  const { socket } = edge.connect({ door, channels, starts });
  const reader = new LineReader(wish);
  async function* items(): AsyncGenerator<Item> {
    if (door === plain) yield { kind: "ready" };
    for (let taken = 0;; taken++) {
      await socket.until(() => socket.sent.length > taken || !socket.isOpen);
      const frame = socket.sent[taken];
      if (frame === undefined) return yield { kind: "end", end: { close: socket.closed?.code ?? 1006 } };
      if (door === plain) yield { kind: "publication", heard: { data: { text: String(frame) } } };
      else for (const line of String(frame).split("\n")) yield* reader.read(JSON.parse(line));
    }
  }
  return {
    items: items(),
    ...(door === plain ? { positions: false } : {}),
    drop: () => socket.vanish(),
  };
}
