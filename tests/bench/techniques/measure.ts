/**
 * What one publication costs on the wire by each technique, and how late it comes.
 *
 * @module
 */
import type { OnData } from "../../../lib/cli/bench/frames.ts";
import { Heard, Listener } from "../../../lib/cli/bench/listener.ts";
import { createRunName, MarkWriter, now } from "../../../lib/cli/bench/mark.ts";
import { DIALECTS } from "../http/dialects.ts";
import { Exchange } from "../http/exchange.ts";
import type { TcpLine } from "../http/lines.ts";
import { type Technique, TECHNIQUES } from "./clients.ts";

/** Bytes of a message. */
export const SIZE = 64;
/** Clients of each technique; short polls begin one after the other, so that they do not ask all at once. */
const CLIENTS = 8;
const APART = 130;
/** Milliseconds for what is said at the beginning, and for what comes late. */
const SETTLE = 1500;

/** Bytes either way. */
export interface Traffic {
  readonly sent: number;
  readonly received: number;
}

/** What came of one technique at one rate. */
export interface Cost {
  /** Bytes a publication and client. */
  readonly traffic: Traffic;
  /** Median from the publication to its arrival, in milliseconds. */
  readonly latency: number;
  readonly fault: string | undefined;
}

/** The clients of one technique. */
class Group {
  readonly technique: Technique;
  /** Until the first publication, a client. */
  beginning: Traffic = { sent: 0, received: 0 };
  readonly #lines: TcpLine[] = [];
  #listeners: Listener[] = [];

  constructor(technique: Technique) {
    this.technique = technique;
  }

  async open(url: URL): Promise<void> {
    for (let index = 0; index < CLIENTS; index++) {
      const onData: OnData = (...piece) => this.#listeners[index]?.onData(...piece) ?? piece[2];
      this.#lines.push(await this.technique.open(url, onData));
      await delay(APART);
    }
  }

  hear(heard: Heard): void {
    this.#listeners = this.#lines.map(() => new Listener(heard));
  }

  /** What its clients have sent and received so far, on average. */
  get traffic(): Traffic {
    const sum = (figure: "sent" | "received") => this.#lines.reduce((sum, { tcp }) => sum + tcp[figure], 0) / CLIENTS;
    return { sent: sum("sent"), received: sum("received") };
  }

  async close(): Promise<void> {
    await Promise.all(this.#lines.map((line) => line.close(Promise.resolve())));
  }
}

/** All techniques at one server. */
export class Comparison {
  readonly #url: URL;
  readonly #groups = TECHNIQUES.map((technique) => new Group(technique));

  constructor(url: URL) {
    this.#url = url;
  }

  /** Connects everybody; returns the bytes until then. */
  async open(): Promise<readonly { readonly technique: Technique; readonly beginning: Traffic }[]> {
    await Promise.all(this.#groups.map((group) => group.open(this.#url)));
    await delay(SETTLE);
    for (const group of this.#groups) group.beginning = group.traffic;
    return this.#groups;
  }

  /** Publishes so many messages at random times, so many a second on average, to all of them. */
  async publish(count: number, rate: number): Promise<readonly Cost[]> {
    const run = createRunName();
    const heards = this.#groups.map(() => new Heard(run, SIZE, 1));
    this.#groups.forEach((group, index) => group.hear(heards[index]!));
    const before = this.#groups.map(({ traffic }) => traffic);
    await this.#send(run, count, rate);
    await delay(SETTLE);
    return this.#groups.map(({ traffic }, index) => {
      const { delivered, duplicated, outOfOrder, latency } = heards[index]!;
      const isWhole = delivered === count * CLIENTS && duplicated === 0 && outOfOrder === 0;
      return {
        traffic: {
          sent: (traffic.sent - before[index]!.sent) / count,
          received: (traffic.received - before[index]!.received) / count,
        },
        latency: latency.percentile(0.5) / 1000,
        fault: isWhole ? undefined : JSON.stringify({ count: count * CLIENTS, delivered, duplicated, outOfOrder }),
      };
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.#groups.map((group) => group.close()));
  }

  async #send(run: string, count: number, rate: number): Promise<void> {
    const exchange = await Exchange.open(this.#url);
    const writer = new MarkWriter(run, SIZE, DIALECTS.gong.post(this.#url, SIZE));
    const begun = performance.now();
    for (let sequence = 0; sequence < count; sequence++) {
      // Somewhere in its own share of the time: else those who ask every second would all come at the same moment of it.
      await delay(begun + (sequence + Math.random()) * 1000 / rate - performance.now());
      const { status } = await exchange.ask(writer.write(0, sequence, now()));
      if (status !== 200) throw new Error(`a publication was answered with ${status}`);
    }
    await delay(begun + count * 1000 / rate - performance.now());
    exchange.tcp.close();
  }
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, milliseconds)));
}
