import { assertEquals } from "@std/assert";

/** A publication as the JSON door writes it. */
interface Line {
  readonly type?: string;
  readonly channel?: string;
  readonly epoch: string;
  readonly offset: number;
  readonly recovered?: boolean;
  readonly error?: { readonly code: string };
  readonly data?: unknown;
  readonly messageId?: string;
}

/** Somebody who hears a channel whatever happens, over any door. */
export interface Following {
  readonly channel: string;
  /** How often it was connected. */
  readonly connections: number;
  /** Publications that it was given, and where it stood before. */
  readonly deliveries: number;
  readonly begun: number;
  /** Resolves when it has a position to resume from. */
  isUp(): Promise<void>;
  /** Resolves when it has seen everything up to this offset. @throws when one came twice, or not in order */
  reaches(offset: number): Promise<void>;
  close(): void;
}

/** Hears a channel over the JSON door, and resumes where it was for as long as it takes. */
export class Follower implements Following {
  readonly channel: string;
  connections = 0;
  deliveries = 0;
  begun = 0;
  readonly #url: () => string;
  #position: { epoch: string; offset: number } | undefined;
  #socket: WebSocket | undefined;
  #closed = false;
  #failure: Error | undefined;
  readonly #waiting = new Set<() => void>();

  /** @param url where it connects, each time */
  constructor(url: string | (() => string), channel: string) {
    this.#url = typeof url === "string" ? () => url : url;
    this.channel = channel;
    this.#connect();
  }

  isUp(): Promise<void> {
    return this.#until(() => this.#position !== undefined);
  }

  reaches(offset: number): Promise<void> {
    return this.#until(() => this.#position?.offset === offset);
  }

  close(): void {
    this.#closed = true;
    this.#socket?.close();
  }

  #connect(): void {
    const socket = this.#socket = new WebSocket(this.#url());
    socket.onopen = () => {
      this.connections++;
      const since = this.#position && `${this.#position.epoch}:${this.#position.offset}`;
      socket.send(JSON.stringify({ subscribe: { channel: this.channel, since } }));
    };
    socket.onmessage = ({ data }) => {
      try {
        for (const text of String(data).split("\n")) {
          const line: Line = JSON.parse(text);
          // It cannot be subscribed to for the moment.
          if (line.error) socket.close();
          else this.#receive(line);
        }
      } catch (error) {
        this.#failure = error as Error;
      }
      this.#wake();
    };
    socket.onclose = () => {
      if (!this.#closed) setTimeout(() => this.#closed || this.#connect(), 20);
    };
  }

  #receive({ type, channel, epoch, offset, recovered }: Line): void {
    if (type === "subscribed") {
      if (this.#position) assertEquals([recovered, epoch], [true, this.#position.epoch], "it resumes");
      else {
        this.#position = { epoch, offset };
        this.begun = offset;
      }
    }
    if (type !== undefined || channel === undefined) return;
    const { epoch: own, offset: last } = this.#position!;
    if (epoch !== own || offset !== last + 1) {
      throw new Error(`each offset once: ${epoch}:${offset} comes after ${own}:${last}`);
    }
    this.deliveries++;
    this.#position = { epoch, offset };
  }

  async #until(isSo: () => boolean): Promise<void> {
    const end = Date.now() + 60_000;
    while (!isSo()) {
      if (this.#failure) throw this.#failure;
      if (Date.now() > end) throw new Error(`${this.channel} stands at ${this.#position?.offset}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1000);
        this.#waiting.add(() => (clearTimeout(timer), resolve()));
      });
    }
    if (this.#failure) throw this.#failure;
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

/** Everything that a channel keeps, from the beginning of this numbering up to this offset. */
export async function readAll(url: string, channel: string, top: { epoch: string; offset: number }): Promise<Line[]> {
  const socket = new WebSocket(url);
  const lines: Line[] = [];
  try {
    await new Promise<void>((resolve, reject) => {
      socket.onopen = () => socket.send(JSON.stringify({ subscribe: { channel, since: `${top.epoch}:0` } }));
      socket.onmessage = ({ data }) => {
        for (const line of String(data).split("\n").map((text): Line => JSON.parse(text))) {
          if (line.recovered === false) reject(new Error(`${channel} is not recovered`));
          if (line.type === undefined && line.channel === channel) lines.push(line);
        }
        if (lines.at(-1)?.offset === top.offset) resolve();
      };
      socket.onclose = () => reject(new Error("the connection was lost"));
    });
  } finally {
    socket.close();
  }
  return lines;
}
