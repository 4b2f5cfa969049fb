import { setTimeout as delay } from "node:timers/promises";
import type { Position } from "../../../lib/types.ts";
import { formatCursor, type Heard, type OpenWire, parseCursor, Refused, type Wire } from "../../support/doors/wire.ts";
import type { Gong } from "../../support/gong.ts";

/** What a {@linkcode Listener} hears, and how. */
export interface ListenerOptions {
  readonly open: OpenWire;
  readonly channel: string;
  /** What it names in its query; its user's own channel it hears without. */
  readonly channels?: readonly string[];
  readonly query?: string;
  readonly hear: (data: unknown, position: Position) => void;
}

/** Hears one channel by any door that tells positions, and resumes where it was whenever it was cut off. */
export class Listener {
  /** How often it was connected. */
  connections = 0;
  position: Position | undefined;
  readonly #gong: Gong;
  readonly #options: ListenerOptions;
  #wire: Wire | undefined;
  #isOver = false;
  readonly #running: Promise<void>;
  #failure: Error | undefined;

  constructor(gong: Gong, options: ListenerOptions) {
    this.#gong = gong;
    this.#options = options;
    this.#running = this.#run().catch((error) => void (this.#failure = error));
  }

  /** @throws what was wrong with what it heard */
  check(): void {
    if (this.#failure) throw this.#failure;
  }

  /** Cut off without a word. */
  drop(): void {
    this.#wire?.drop();
  }

  async close(): Promise<void> {
    this.#isOver = true;
    this.drop();
    await this.#running;
    this.check();
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      try {
        await this.#listen();
      } catch (error) {
        // While its isolate is gone.
        if (error instanceof Refused && error.status !== 503 || error instanceof Wrong) throw error;
      }
      if (!this.#isOver) await delay(20);
    }
  }

  async #listen(): Promise<void> {
    const { open, channel, channels = [], query = "" } = this.#options;
    const since = this.position && formatCursor(new Map([[channel, this.position]]));
    const wire = this.#wire = await open(this.#gong, { channels, since, query });
    if (this.#isOver) wire.drop();
    this.connections++;
    for (;;) {
      const { value: item, done } = await wire.items.next();
      if (done || item.kind === "end") return;
      if (item.kind === "subscribed" && item.channel === channel) this.#begin(item.position, item.recovered);
      if (item.kind === "publication" && item.heard.channel === channel) this.#hear(item.heard);
      if (item.kind === "cursor") this.#stand(parseCursor(item.cursor).get(channel));
    }
  }

  #begin(position: Position, recovered: boolean): void {
    if (!recovered) throw new Wrong(`${this.#options.channel} is not recovered`);
    this.#stand(position);
  }

  /** What is told has to be where it is; the first time it is told that. */
  #stand(position: Position | undefined): void {
    this.position ??= position;
    const { epoch, offset } = this.position ?? {};
    if (position?.epoch === epoch && position?.offset === offset) return;
    throw new Wrong(`${this.#options.channel}: stands at ${offset}, and is told ${position?.offset}`);
  }

  #hear({ data, position }: Heard): void {
    const [{ epoch, offset }, last] = [position!, this.position!];
    if (epoch !== last.epoch || offset !== last.offset + 1) {
      throw new Wrong(`${this.#options.channel}: ${offset} follows ${last.offset}`);
    }
    this.position = { epoch, offset };
    try {
      this.#options.hear("json" in data ? data.json : "text" in data ? data.text : undefined, this.position);
    } catch (error) {
      throw new Wrong((error as Error).message);
    }
  }
}

/** The server is wrong, not the connection. */
class Wrong extends Error {}
