import { concat } from "../../bytes.ts";
import { Histogram } from "./histogram.ts";
import { MarkWriter, MAX_MESSAGES, now, PROBE } from "./mark.ts";
import {
  countUp,
  delay,
  forEach,
  NOTHING,
  type Part,
  type PartOptions,
  type PartProgress,
  type PartResult,
} from "./part.ts";
import { WIRES } from "./wires/mod.ts";
import type { PublishingWire, SpeakingLine } from "./wires/wire.ts";

const HANDSHAKES_AT_ONCE = 64;
/** Milliseconds for the closing handshakes. */
const CLOSING = 2_000;
/** Frames are handed to a socket in pieces of at least so many bytes when nothing paces them. */
const PIECE = 64 * 1024;

interface Publisher {
  readonly index: number;
  readonly connection: SpeakingLine;
  open: boolean;
  sent: number;
}

/** The connections that publish. */
export class Publishers implements Part {
  readonly #options: PartOptions;
  readonly #wire: PublishingWire;
  readonly #writer: MarkWriter;
  readonly #publishers: Publisher[] = [];
  readonly #failed = new Map<string, number>();
  readonly #closed = new Map<string, number>();
  readonly #refused = new Map<string, number>();
  #ended = 0;
  #probes = 0;
  #firstSent = 0;
  #finishing = false;

  constructor(options: PartOptions, wire: PublishingWire = WIRES[options.load.format]) {
    this.#options = options;
    this.#wire = wire;
    this.#writer = new MarkWriter(options.run, options.load.size, wire.envelope(options.load));
  }

  async connect(): Promise<void> {
    await forEach(this.#options.connections, HANDSHAKES_AT_ONCE, (index) => this.#connectOne(index));
    this.#publishers.sort((a, b) => a.index - b.index);
  }

  async #connectOne(index: number): Promise<void> {
    try {
      const connection = await this.#wire.open(this.#options, (code) => countUp(this.#refused, code));
      const publisher = { index, connection, open: true, sent: 0 };
      this.#publishers.push(publisher);
      connection.closed.then((reason) => {
        publisher.open = false;
        if (this.#finishing) return;
        this.#ended += 1;
        countUp(this.#closed, reason);
      });
    } catch (error) {
      countUp(this.#failed, error instanceof Error ? error.message : String(error));
    }
  }

  async probe(): Promise<void> {
    const publisher = this.#publishers.find(({ open }) => open);
    await publisher?.connection.write(this.#frame(PROBE, this.#probes++));
  }

  async publish(): Promise<void> {
    this.#firstSent = now();
    if (this.#options.load.rate > 0) await this.#publishPaced();
    else await Promise.all(this.#publishers.map((publisher) => this.#publishUnpaced(publisher)));
  }

  /** Each timer tick sends what is due by then, message by message to one publisher after the other. */
  async #publishPaced(): Promise<void> {
    const { rate, count, duration } = this.#options.load;
    const total = count > 0 ? count : Math.floor(rate * duration);
    const start = performance.now();
    const publishers = this.#publishers;
    let sent = 0;
    while (sent < total && publishers.some(({ open }) => open)) {
      const due = Math.min(total, Math.floor((performance.now() - start) * rate / 1000) + 1);
      const pieces = new Map<Publisher, Uint8Array[]>();
      for (; sent < due; sent++) {
        const publisher = publishers[sent % publishers.length]!;
        if (!publisher.open) continue;
        const frames = pieces.get(publisher);
        const frame = this.#frame(publisher.index, publisher.sent++);
        if (frames === undefined) pieces.set(publisher, [frame]);
        else frames.push(frame);
      }
      for (const [{ connection }, frames] of pieces) connection.write(concat(frames));
      await delay(start + sent * 1000 / rate - performance.now());
    }
    await Promise.all(
      publishers.map(({ connection }) => Promise.race([connection.write(concat([])), connection.closed])),
    );
  }

  async #publishUnpaced(publisher: Publisher): Promise<void> {
    const { count, duration, publishers } = this.#options.load;
    const share = count > 0 ? Math.ceil((count - publisher.index) / publishers) : MAX_MESSAGES;
    const end = count > 0 ? Infinity : performance.now() + duration * 1000;
    while (publisher.open && publisher.sent < share && performance.now() < end) {
      const frames: Uint8Array[] = [];
      for (let bytes = 0; bytes < PIECE && publisher.sent < share;) {
        const frame = this.#frame(publisher.index, publisher.sent++);
        bytes += frame.length;
        frames.push(frame);
      }
      await Promise.race([publisher.connection.write(concat(frames)), publisher.connection.closed]);
    }
  }

  #frame(publisher: number, sequence: number): Uint8Array<ArrayBuffer> {
    return this.#wire.encode(this.#writer.write(publisher, sequence, now()));
  }

  progress(): PartProgress {
    let published = 0;
    for (const { sent } of this.#publishers) published += sent;
    return { ...NOTHING, connected: this.#publishers.length, published, ended: this.#ended };
  }

  async finish(): Promise<PartResult> {
    const progress = this.progress();
    this.#finishing = true;
    const limit = delay(CLOSING);
    await Promise.all(this.#publishers.map(({ connection }) => connection.close(limit)));
    return {
      ...progress,
      outOfOrder: 0,
      latency: new Histogram().counts,
      firstSent: this.#firstSent,
      lastArrived: 0,
      failed: this.#failed,
      closed: this.#closed,
      refused: this.#refused,
    };
  }
}
