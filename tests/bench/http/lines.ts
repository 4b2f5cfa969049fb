/**
 * Connections of the generator over plain HTTP: streams and polls that listen, and POSTs that publish.
 *
 * @module
 */
import type { OnData } from "../../../lib/cli/bench/frames.ts";
import type { Line } from "../../../lib/cli/bench/part.ts";
import type { SpeakingLine } from "../../../lib/cli/bench/wires/wire.ts";
import { statusOf, Tcp } from "./dial.ts";
import { type Answer, Exchange } from "./exchange.ts";

/** A line over a socket that counts. */
export interface TcpLine extends Line {
  readonly tcp: Tcp;
}

const encoder = new TextEncoder();
const STATUS = /HTTP\/1\.1 (\d{3})/g;

/**
 * Listens to an answer that does not end. The bytes are given as they come, with what frames their chunks: servers write
 * an event as a whole, and what were cut would be counted as lost.
 *
 * @throws {Error} when the server refuses
 */
export async function openStream(url: URL, request: string, onData: OnData): Promise<TcpLine> {
  const tcp = await Tcp.open(url);
  await tcp.write(encoder.encode(request));
  const head = await tcp.head();
  if (statusOf(head) !== 200) {
    tcp.close();
    throw new Error(head.split("\r\n")[0]);
  }
  return lineOf(tcp, readStream(tcp, onData));
}

async function readStream(tcp: Tcp, onData: OnData): Promise<string> {
  let skip = 0;
  do {
    const { held } = tcp;
    if (held.length <= skip) {
      skip -= held.length;
      tcp.take(held.length);
      continue;
    }
    const next = onData(held, skip, held.length, true);
    skip = Math.max(0, next - held.length);
    tcp.take(Math.min(next, held.length));
  } while (await tcp.more());
  return "end";
}

/**
 * Polls, again and again.
 *
 * @param request makes each request, from the answer to the one before
 * @param every milliseconds from one request to the next, if not at once
 */
export async function openPolls(
  url: URL,
  request: (last?: Answer) => string,
  onData: OnData,
  every = 0,
): Promise<TcpLine> {
  const exchange = await Exchange.open(url);
  async function read(): Promise<string> {
    let answer: Answer | undefined;
    for (let due = performance.now() + every;; due += every) {
      answer = await exchange.ask(request(answer));
      if (answer.status !== 200 && answer.status !== 304) return String(answer.status);
      onData(answer.body, 0, answer.body.length, true);
      if (every > 0) await new Promise((resolve) => setTimeout(resolve, due - performance.now()));
    }
  }
  return lineOf(exchange.tcp, read());
}

/** Publishes by requests whose answers are only looked through for those that are none of 2xx. */
export async function openPosts(url: URL, onRefused: (status: string) => void): Promise<SpeakingLine> {
  const tcp = await Tcp.open(url);
  async function read(): Promise<string> {
    while (await tcp.more()) {
      const text = new TextDecoder("latin1").decode(tcp.held);
      for (const [, status] of text.matchAll(STATUS)) if (!status!.startsWith("2")) onRefused(status!);
      // A status line that is cut comes again with what follows; none is looked at twice.
      const cut = text.lastIndexOf("HTTP/1.1 ");
      tcp.take(cut >= 0 && text.length - cut < 12 ? cut : Math.max(0, text.length - 8));
    }
    return "end";
  }
  let writing = Promise.resolve();
  return {
    ...lineOf(tcp, read()),
    write: (bytes) => writing = writing.then(() => tcp.write(bytes)).catch(() => {}),
  };
}

function lineOf(tcp: Tcp, reading: Promise<string>): TcpLine {
  const closed = reading.catch(() => "error").finally(() => tcp.close());
  return {
    tcp,
    closed,
    async close() {
      tcp.close();
      await closed;
    },
  };
}
