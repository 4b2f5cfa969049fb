/**
 * Server-Sent Events, raw and with `format=json`.
 *
 * @module
 */
import { decodeBase64 } from "@std/encoding/base64";
import type { Position } from "../../../lib/types.ts";
import { EventStreamParser, type StreamEvent, type StreamPart } from "../event_stream.ts";
import { stream } from "./http.ts";
import { LineReader, readLine } from "./lines.ts";
import { type Heard, type Item, type OpenWire, parseCursor, targetOf, type Told, type Wish } from "./wire.ts";

/** The text as it is; position and channel are told by what has moved in the cursor. */
export const openSse: OpenWire = (gong, wish) => openEvents(gong, wish, "/sse");

/** Lines of the JSON door as data. */
export const openSseJson: OpenWire = (gong, wish) => openEvents(gong, wish, "/sse?format=json");

async function openEvents(gong: Parameters<OpenWire>[0], wish: Wish, path: string) {
  const { read, drop } = await stream(gong, targetOf(path, wish), wish);
  const reader = new EventReader(path !== "/sse", wish);
  const parser = new EventStreamParser();
  async function* items(): AsyncGenerator<Item> {
    for (;;) {
      const text = await read();
      if (text === undefined) return;
      for (const event of parser.feed(text)) yield* reader.read(event);
    }
  }
  return { items: items(), drop };
}

/** Turns events into items. */
class EventReader {
  #positions = new Map<string, Position>();
  readonly #lines: LineReader;

  constructor(readonly isJson: boolean, wish: Wish) {
    this.#lines = new LineReader(wish);
  }

  *read(event: StreamPart): Generator<Item> {
    if (event.kind === "comment") return yield { kind: "heartbeat" };
    if (event.kind === "retry") return;
    if (event.kind === "id") throw new Error(`an id of no event: ${event.id}`);
    if (event.event.startsWith("$")) {
      const notice = readNotice(event);
      // Its cursor says nothing of the channel any more.
      if (notice.type === "unsubscribed") this.#positions.delete(String(notice.channel));
      const moved = event.id !== "" && this.#moved(event.id).length > 0;
      if (moved) yield { kind: "cursor", cursor: event.id };
      for (const item of this.#lines.read(notice)) {
        yield item;
        // What is told of one channel says nothing of the others; the id does.
        if (item.kind === "subscribed" && event.id !== "") yield { kind: "cursor", cursor: event.id };
      }
      return;
    }
    const cursor = event.id;
    yield { kind: "publication", heard: this.#readPublication(event), cursor };
  }

  #readPublication(event: StreamEvent): Heard {
    const moved = this.#moved(event.id);
    if (this.isJson) {
      if (event.event !== "message") throw new Error(`an event with a name among JSON: ${event.event}`);
      const item = readLine(JSON.parse(event.data));
      if (item?.kind !== "publication") throw new Error(`not a publication: ${event.data}`);
      const told = parseCursor(event.id).get(item.heard.channel!);
      if (told?.offset !== item.heard.position?.offset || told?.epoch !== item.heard.position?.epoch) {
        throw new Error(`${event.id} is not the cursor as of ${event.data}`);
      }
      return item.heard;
    }
    const [channel, position] = moved.length === 1 ? moved[0]! : [];
    const { data, contentType } = readData(event.data);
    return { data, contentType, channel, position, event: event.event === "message" ? undefined : event.event };
  }

  /** What the cursor says of channels that it said something else of before. */
  #moved(cursor: string): [string, Position][] {
    const positions = parseCursor(cursor);
    const moved = [...positions].filter(([channel, { epoch, offset }]) => {
      const stood = this.#positions.get(channel);
      return stood?.epoch !== epoch || stood.offset !== offset;
    });
    for (const channel of this.#positions.keys()) {
      if (!positions.has(channel)) throw new Error(`${channel} is missing in the cursor ${cursor}`);
    }
    this.#positions = positions;
    return moved;
  }
}

/** A line with a type, which has to be the event's name too. */
function readNotice({ event, data }: StreamEvent): Record<string, unknown> {
  const line = JSON.parse(data);
  if (line.type !== event.slice(1)) throw new Error(`${event} with a line of another type: ${data}`);
  return line;
}

function readData(text: string): { data: Told; contentType: string | undefined } {
  const [, contentType, base64] = /^data:([^,]*);base64,([\w+/=]*)$/.exec(text) ?? [];
  if (base64 === undefined) return { data: { text }, contentType: undefined };
  return { data: { bytes: decodeBase64(base64) }, contentType };
}
