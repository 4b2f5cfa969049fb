/**
 * One client of each technique by which a page gets what is pushed, with the heads that a browser sends.
 *
 * @module
 */
import { encodeFrame, FrameReader, type OnData, OPCODES } from "../../../lib/cli/bench/frames.ts";
import { Tcp } from "../http/dial.ts";
import type { Answer } from "../http/exchange.ts";
import { openPolls, openStream, type TcpLine } from "../http/lines.ts";

/** A technique. */
export interface Technique {
  readonly name: string;
  /** Whether its connection begins with words of its own, and each message needs none. */
  readonly isLasting: boolean;
  open(url: URL, onData: OnData): Promise<TcpLine>;
}

/** Milliseconds between two requests of short polling. */
const EVERY = 1000;
const CHANNEL = "channel=broadcast";
const NONCE = "dGhlIHNhbXBsZSBub25jZQ==";
const AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";
const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** All of them, the simplest first. */
export const TECHNIQUES: readonly Technique[] = [
  {
    name: "short poll, every second",
    isLasting: false,
    open: (url, onData) => openPolls(url, (last) => pollHead(url, "&timeout=0", last), onData, EVERY),
  },
  {
    name: "long poll",
    isLasting: false,
    open: (url, onData) => openPolls(url, (last) => pollHead(url, "", last), onData),
  },
  {
    name: "hidden iframe",
    isLasting: true,
    open(url, onData) {
      const accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
      return openStream(url, head(url, `/iframe?${CHANNEL}&callback=parent.onPush`, "iframe", accept), onData);
    },
  },
  {
    name: "HTTP streaming",
    isLasting: true,
    open: (url, onData) => openStream(url, head(url, `/stream?${CHANNEL}`, "empty", "*/*"), onData),
  },
  {
    name: "Server-Sent Events",
    isLasting: true,
    open: (url, onData) => openStream(url, head(url, `/sse?${CHANNEL}`, "empty", "text/event-stream"), onData),
  },
  {
    name: "WebSocket, JSON",
    isLasting: true,
    open: (url, onData) => openSocket(url, `/push?format=json&${CHANNEL}`, onData),
  },
  { name: "WebSocket, plain", isLasting: true, open: (url, onData) => openSocket(url, `/push?${CHANNEL}`, onData) },
];

/** The head of a request of a page of the same origin, without cookies, as Chromium writes it. */
function head({ host, origin }: URL, target: string, destination: string, accept: string): string {
  return [
    `GET ${target} HTTP/1.1`,
    `Host: ${host}`,
    "Connection: keep-alive",
    'sec-ch-ua-platform: "Linux"',
    `User-Agent: ${AGENT}`,
    'sec-ch-ua: "Chromium";v="142", "Not_A Brand";v="99"',
    "sec-ch-ua-mobile: ?0",
    `Accept: ${accept}`,
    "Sec-Fetch-Site: same-origin",
    `Sec-Fetch-Mode: ${destination === "iframe" ? "navigate" : "cors"}`,
    `Sec-Fetch-Dest: ${destination}`,
    `Referer: ${origin}/`,
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Accept-Language: en-US,en;q=0.9",
  ].join("\r\n") + "\r\n\r\n";
}

function pollHead(url: URL, parameters: string, last: Answer | undefined): string {
  const cursor = last && /"cursor":"([^"]*)"/.exec(decoder.decode(last.body))?.[1];
  const since = cursor === undefined ? "" : `&since=${cursor}`;
  return head(url, `/poll?${CHANNEL}${since}${parameters}`, "empty", "*/*");
}

async function openSocket(url: URL, target: string, onData: OnData): Promise<TcpLine> {
  const request = [
    `GET ${target} HTTP/1.1`,
    `Host: ${url.host}`,
    "Connection: Upgrade",
    "Pragma: no-cache",
    "Cache-Control: no-cache",
    `User-Agent: ${AGENT}`,
    "Upgrade: websocket",
    `Origin: ${url.origin}`,
    "Sec-WebSocket-Version: 13",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Accept-Language: en-US,en;q=0.9",
    `Sec-WebSocket-Key: ${NONCE}`,
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
  ].join("\r\n") + "\r\n\r\n";
  const tcp = await Tcp.open(url);
  await tcp.write(encoder.encode(request));
  const answer = await tcp.head();
  if (!answer.startsWith("HTTP/1.1 101")) throw new Error(answer.split("\r\n")[0]);
  const reader = new FrameReader(onData, (opcode, payload) => {
    if (opcode === OPCODES.ping) void tcp.write(encodeFrame(OPCODES.pong, payload)).catch(() => {});
  });
  async function read(): Promise<string> {
    do {
      reader.push(tcp.held);
      tcp.take(tcp.held.length);
    } while (await tcp.more());
    return "end";
  }
  const closed = read().catch(() => "error");
  return {
    tcp,
    closed,
    async close() {
      tcp.close();
      await closed;
    },
  };
}
