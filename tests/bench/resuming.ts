/**
 * What a client has missed: how long it takes until it has it, and how long the same rows take to be read.
 *
 * @module
 */
import { DatabaseSync } from "node:sqlite";
import { openConnection } from "../../lib/cli/bench/connection.ts";
import { BUFFER_BYTES } from "../../lib/cli/bench/frames.ts";
import { Heard, Listener } from "../../lib/cli/bench/listener.ts";
import { createRunName, MarkWriter, now } from "../../lib/cli/bench/mark.ts";
import { Exchange } from "./http/exchange.ts";

const SIZE = 128;
/** Publications of one request. */
const BATCH = 1000;
const CHANNEL = "broadcast";
const TIMEOUT = 30_000;

/** What there is to be missed. */
export interface Filled {
  readonly url: URL;
  readonly run: string;
  readonly count: number;
  readonly epoch: string;
}

/** How long it took. */
export interface Resumed {
  readonly milliseconds: number;
  readonly fault: string | undefined;
}

/** Runs with a folder that goes afterwards. */
export async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir({ prefix: "gong-bench-" });
  try {
    return await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Publishes to an empty channel. */
export async function fillHistory(url: URL, count: number): Promise<Filled> {
  const run = createRunName();
  const writer = new MarkWriter(run, SIZE);
  const decoder = new TextDecoder();
  const exchange = await Exchange.open(url);
  let epoch = "";
  for (let sequence = 0; sequence < count;) {
    const publications: { channel: string; data: string }[] = [];
    while (publications.length < BATCH) {
      publications.push({ channel: CHANNEL, data: decoder.decode(writer.write(0, sequence++, now())) });
    }
    const body = JSON.stringify({ publications });
    const head = [
      "POST /api/publish HTTP/1.1",
      `Host: ${url.host}`,
      "Content-Type: application/json",
      `Content-Length: ${body.length}`,
    ];
    const answer = await exchange.ask(`${head.join("\r\n")}\r\n\r\n${body}`);
    const { results } = JSON.parse(decoder.decode(answer.body));
    epoch = results[0].positions[0].epoch;
  }
  exchange.tcp.close();
  return { url, run, count, epoch };
}

/** Connects to the JSON door with the cursor of one who has nothing, until everything is there. */
export async function resume({ url, run, count, epoch }: Filled): Promise<Resumed> {
  const heard = new Heard(run, SIZE, 1);
  const listener = new Listener(heard);
  const whole = Promise.withResolvers<void>();
  const target = new URL(`/push?format=json&since=${CHANNEL}@${epoch}:0`, url);
  const options = { url: target, apiKey: "", caCerts: [], timeout: TIMEOUT, buffer: BUFFER_BYTES.busy };
  const begun = performance.now();
  const connection = await openConnection(options, (...piece) => {
    const next = listener.onData(...piece);
    if (heard.delivered >= count) whole.resolve();
    return next;
  });
  const ended = await Promise.race([whole.promise, connection.closed]);
  const milliseconds = performance.now() - begun;
  await connection.close(new Promise((resolve) => setTimeout(resolve, 1000)));
  const { delivered, duplicated, outOfOrder } = heard;
  const isWhole = ended === undefined && delivered === count && duplicated === 0 && outOfOrder === 0;
  return { milliseconds, fault: isWhole ? undefined : JSON.stringify({ ended, delivered, duplicated, outOfOrder }) };
}

/** Reads the same rows and columns from a copy of the file, which its server has for itself. */
export async function readBare(file: string, count: number): Promise<Resumed> {
  const copy = `${file}-copy`;
  for (const suffix of ["", "-wal"]) await Deno.copyFile(file + suffix, copy + suffix);
  using db = new DatabaseSync(copy);
  const select = db.prepare(`
    SELECT offset, time, type, data, id, details, expires FROM publications
    WHERE channel = (SELECT number FROM channels WHERE name = ?) AND offset > 0 ORDER BY offset`);
  const begun = performance.now();
  const rows = select.all(CHANNEL);
  const milliseconds = performance.now() - begun;
  return { milliseconds, fault: rows.length === count ? undefined : `${rows.length} rows` };
}
