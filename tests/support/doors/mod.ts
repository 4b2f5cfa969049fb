/**
 * The doors over plain HTTP, as tables of tests have them.
 *
 * @module
 */
import { openIframe } from "./iframe.ts";
import { openStream } from "./ndjson.ts";
import { openPoll } from "./poll.ts";
import { openSse, openSseJson } from "./sse.ts";
import type { OpenWire } from "./wire.ts";

/** One door that streams, and how it is asked for. */
interface Row {
  /** As sessions and figures have it. */
  readonly name: string;
  readonly open: OpenWire;
  /** Path and what every query has. */
  readonly target: string;
  readonly contentType: RegExp;
}

export const SSE: Row = {
  name: "sse",
  open: openSse,
  target: "/sse?channel=open.a",
  contentType: /^text\/event-stream(;\s*charset=utf-8)?$/i,
};

/** Doors whose answer never ends. */
export const STREAMS: readonly Row[] = [
  SSE,
  { ...SSE, open: openSseJson, target: "/sse?format=json&channel=open.a" },
  {
    name: "stream",
    open: openStream,
    target: "/stream?channel=open.a",
    contentType: /^application\/x-ndjson(;\s*charset=utf-8)?$/i,
  },
  {
    name: "iframe",
    open: openIframe,
    target: "/iframe?callback=parent.onPush&channel=open.a",
    contentType: /^text\/html;\s*charset=utf-8$/i,
  },
];

export const POLL: Row = {
  name: "poll",
  open: openPoll,
  target: "/poll?timeout=0&channel=open.a",
  contentType: /^application\/json(;\s*charset=utf-8)?$/i,
};

export const HTTP_DOORS: readonly Row[] = [...STREAMS, POLL];
