import { FrameReader } from "./frames.ts";
import { Heard, Listener } from "./listener.ts";
import { createRunName, MarkWriter, now } from "./mark.ts";
import {
  countUp,
  delay,
  forEach,
  type Line,
  type Part,
  type PartOptions,
  type PartProgress,
  type PartResult,
} from "./part.ts";
import { WIRES } from "./wires/mod.ts";
import type { OpenListening } from "./wires/wire.ts";

const HANDSHAKES_AT_ONCE = 64;
/** Milliseconds for the closing handshakes. */
const CLOSING = 2_000;

/** The connections of one isolate that listen, and what they have heard. */
export class Subscribers implements Part {
  readonly #options: PartOptions;
  readonly #heard: Heard;
  readonly #openOne: OpenListening;
  readonly #open = new Map<Line, Listener>();
  readonly #failed = new Map<string, number>();
  readonly #closed = new Map<string, number>();
  #connected = 0;
  #ended = 0;
  #receivedByEnded = 0;
  #finishing = false;

  constructor(options: PartOptions, open: OpenListening = WIRES[options.load.format].listen) {
    const { size, publishers } = options.load;
    this.#options = options;
    this.#openOne = open;
    this.#heard = new Heard(options.run, size, publishers);
    if (publishers > 0) warmUp();
  }

  async connect(): Promise<void> {
    await forEach(this.#options.connections, HANDSHAKES_AT_ONCE, () => this.#connectOne());
  }

  async #connectOne(): Promise<void> {
    const listener = new Listener(this.#heard);
    try {
      const connection = await this.#openOne(this.#options, listener.onData);
      this.#connected += 1;
      this.#open.set(connection, listener);
      connection.closed.then((reason) => {
        if (!this.#finishing) this.#end(connection, listener, reason);
      });
    } catch (error) {
      countUp(this.#failed, error instanceof Error ? error.message : String(error));
    }
  }

  #end(connection: Line, { tally }: Listener, reason: string): void {
    this.#open.delete(connection);
    this.#ended += 1;
    this.#receivedByEnded += tally.received;
    countUp(this.#closed, reason);
  }

  probe(): Promise<void> {
    return Promise.resolve();
  }

  publish(): Promise<void> {
    return Promise.resolve();
  }

  progress(): PartProgress {
    const { delivered, duplicated, probed } = this.#heard;
    return {
      connected: this.#connected,
      heard: probed,
      published: 0,
      delivered,
      duplicated,
      ended: this.#ended,
      receivedByEnded: this.#receivedByEnded,
    };
  }

  async finish(): Promise<PartResult> {
    const progress = this.progress();
    this.#finishing = true;
    const limit = delay(CLOSING);
    await Promise.all([...this.#open.keys()].map((connection) => connection.close(limit)));
    return {
      ...progress,
      outOfOrder: this.#heard.outOfOrder,
      latency: this.#heard.latency.counts,
      firstSent: 0,
      lastArrived: this.#heard.lastArrived,
      failed: this.#failed,
      closed: this.#closed,
      refused: new Map(),
    };
  }
}

/** Reads some thousand messages of its own, so that the first of a short run do not meet code that is still interpreted. */
function warmUp(): void {
  const run = createRunName();
  const { onData } = new Listener(new Heard(run, 64, 1));
  const writer = new MarkWriter(run, 64, { before: '{"channel":"a","data":"', after: '"}\n' });
  const reader = new FrameReader(onData, () => {});
  for (let sequence = 0; sequence < 5000; sequence++) {
    const line = writer.write(0, sequence, now());
    reader.push(new Uint8Array([0x81, line.length, ...line]));
  }
}
