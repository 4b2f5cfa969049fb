/**
 * How servers want to be asked: to be listened to, polled, and published to.
 *
 * @module
 */
import type { Envelope } from "../../../lib/cli/bench/mark.ts";
import { fieldOf } from "./dial.ts";
import type { Answer } from "./exchange.ts";

/** One server's paths and forms. */
export interface Dialect {
  /** The request of one who listens to Server-Sent Events. */
  stream(url: URL): string;
  /** The request of a long poll, behind the answer to the one before. */
  poll(url: URL, last?: Answer): string;
  /** The request that publishes a message of so many bytes, which stands within. */
  post(url: URL, size: number): Envelope;
}

const CHANNEL = "broadcast";
const decoder = new TextDecoder();

const gong: Dialect = {
  stream: ({ host }) => get(`/sse?channel=${CHANNEL}`, host, ["Accept: text/event-stream"]),
  poll({ host }, last) {
    const cursor = last && /"cursor":"([^"]*)"/.exec(decoder.decode(last.body))?.[1];
    return get(`/poll?channel=${CHANNEL}${cursor === undefined ? "" : `&since=${cursor}`}`, host);
  },
  post: ({ host }, size) =>
    post("/api/publish", host, "application/json", `{"channel":"${CHANNEL}","data":"`, size, '"}'),
};

const nchan: Dialect = {
  stream: ({ host }) => get(`/sse?id=${CHANNEL}`, host, ["Accept: text/event-stream"]),
  poll({ host }, last) {
    const since = last && [
      `If-Modified-Since: ${fieldOf(last.head, "last-modified")}`,
      `If-None-Match: ${fieldOf(last.head, "etag")}`,
    ];
    return get(`/poll?id=${CHANNEL}`, host, since);
  },
  post: ({ host }, size) => post(`/publish?id=${CHANNEL}`, host, "text/plain", "", size, ""),
};

/** By the server's name. */
export const DIALECTS = { gong, nchan } as const satisfies Record<string, Dialect>;

function get(target: string, host: string, fields: readonly string[] = []): string {
  return [`GET ${target} HTTP/1.1`, `Host: ${host}`, ...fields].join("\r\n") + "\r\n\r\n";
}

function post(target: string, host: string, type: string, before: string, size: number, after: string): Envelope {
  const head = [
    `POST ${target} HTTP/1.1`,
    `Host: ${host}`,
    `Content-Type: ${type}`,
    `Content-Length: ${before.length + size + after.length}`,
  ];
  return { before: head.join("\r\n") + "\r\n\r\n" + before, after };
}
