/**
 * The two ways between a hub and an edge, the port and the bus, on which nothing goes on before it is told to.
 *
 * @module
 */
import type { Port } from "../../lib/link.ts";
import { tick } from "./channels.ts";

/** What may go on: a message of the port to the hub, or back to the edge, a batch of the bus; or a batch is lost. */
export type Way = "to hub" | "to edge" | "batch" | "lose";

/** One end of a port; what is posted waits. */
class HeldPort implements Port {
  readonly waiting: unknown[] = [];
  readonly listeners: ((message: unknown) => void)[] = [];
  peer!: HeldPort;

  postMessage(message: unknown): void {
    this.waiting.push(structuredClone(message));
  }

  on(_event: "message", listener: (message: unknown) => void): void {
    this.listeners.push(listener);
  }

  /** The other end gets the next message. */
  pass(): void {
    const message = this.waiting.shift();
    for (const listener of this.peer.listeners) listener(message);
  }
}

/** Both ways of one edge. */
export class DelayedPaths {
  readonly hubPort = new HeldPort();
  readonly edgePort = new HeldPort();
  /** The bus that the edge has to listen to. */
  readonly busName = crypto.randomUUID();
  readonly #batches: unknown[] = [];
  readonly #from: BroadcastChannel;
  readonly #to: BroadcastChannel;

  /** @param busName the hub's */
  constructor(busName: string) {
    this.hubPort.peer = this.edgePort;
    this.edgePort.peer = this.hubPort;
    this.#from = new BroadcastChannel(busName);
    this.#to = new BroadcastChannel(this.busName);
    this.#from.onmessage = ({ data }) => void this.#batches.push(data);
  }

  /** How much waits there. */
  waiting(way: Way): number {
    if (way === "to hub") return this.edgePort.waiting.length;
    return way === "to edge" ? this.hubPort.waiting.length : this.#batches.length;
  }

  /** Lets the next one go, and whatever comes of it come to its end, up to where it waits again. */
  async pass(way: Way): Promise<void> {
    if (way === "to hub") this.edgePort.pass();
    else if (way === "to edge") this.hubPort.pass();
    else {
      const batch = this.#batches.shift();
      if (way === "batch") this.#to.postMessage(batch);
    }
    await settle();
  }

  close(): void {
    this.#from.close();
    this.#to.close();
  }
}

/** Lets everything happen that waits for nobody: turns end, and channels bring what was posted. */
export async function settle(): Promise<void> {
  await tick();
  await tick();
}
