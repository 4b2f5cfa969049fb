import { type Connection, openConnection } from "./connection.ts";
import { Histogram } from "./histogram.ts";
import { MarkReader, now, PROBE } from "./mark.ts";
import { subscriberUrl } from "./options.ts";
import { countUp, delay, forEach, type Part, type PartOptions, type PartProgress, type PartResult } from "./part.ts";
import { Tally } from "./tally.ts";

const HANDSHAKES_AT_ONCE = 64;
const TIMEOUT = 30_000;
/** Milliseconds for the close frames to leave. */
const CLOSING = 2_000;

/** The connections of one isolate that listen, and what they have heard. */
export class Subscribers implements Part {
  readonly #options: PartOptions;
  readonly #reader: MarkReader;
  readonly #latency = new Histogram();
  readonly #counts = { delivered: 0, duplicated: 0, outOfOrder: 0 };
  readonly #open = new Map<Connection, Tally>();
  readonly #failed = new Map<string, number>();
  readonly #closed = new Map<string, number>();
  #connected = 0;
  #heard = 0;
  #ended = 0;
  #receivedByEnded = 0;
  #lastArrived = 0;
  #finishing = false;

  constructor(options: PartOptions) {
    this.#options = options;
    this.#reader = new MarkReader(options.run, options.load.size);
  }

  async connect(): Promise<void> {
    await forEach(this.#options.connections, HANDSHAKES_AT_ONCE, () => this.#connectOne());
  }

  async #connectOne(): Promise<void> {
    const { load } = this.#options;
    const tally = new Tally(load.publishers);
    let arrived = 0;
    let heard = false;
    const onMark = (publisher: number, sequence: number, time: number): void => {
      if (publisher < load.publishers) {
        tally.take(publisher, sequence, this.#counts);
        this.#latency.record(arrived - time);
        this.#lastArrived = arrived;
      } else if (publisher === PROBE && !heard) {
        heard = true;
        this.#heard += 1;
      }
    };
    const options = { url: subscriberUrl(load), apiKey: load.apiKey, caCerts: load.caCerts, timeout: TIMEOUT };
    try {
      const connection = await openConnection(options, (bytes, start, end) => {
        arrived = now();
        this.#reader.read(bytes, start, end, onMark);
      });
      this.#connected += 1;
      this.#open.set(connection, tally);
      connection.closed.then((reason) => {
        if (!this.#finishing) this.#end(connection, reason);
      });
    } catch (error) {
      countUp(this.#failed, error instanceof Error ? error.message : String(error));
    }
  }

  #end(connection: Connection, reason: string): void {
    const tally = this.#open.get(connection);
    this.#open.delete(connection);
    this.#ended += 1;
    this.#receivedByEnded += tally?.received ?? 0;
    countUp(this.#closed, reason);
  }

  probe(): Promise<void> {
    return Promise.resolve();
  }

  publish(): Promise<void> {
    return Promise.resolve();
  }

  progress(): PartProgress {
    const { delivered, duplicated } = this.#counts;
    return {
      connected: this.#connected,
      heard: this.#heard,
      published: 0,
      delivered,
      duplicated,
      ended: this.#ended,
    };
  }

  async finish(): Promise<PartResult> {
    const progress = this.progress();
    this.#finishing = true;
    const limit = delay(CLOSING);
    await Promise.all([...this.#open.keys()].map((connection) => connection.close(limit)));
    return {
      ...progress,
      ...this.#counts,
      receivedByEnded: this.#receivedByEnded,
      latency: this.#latency.counts,
      firstSent: 0,
      lastArrived: this.#lastArrived,
      failed: this.#failed,
      closed: this.#closed,
      refused: new Map(),
    };
  }
}
