import { Worker } from "node:worker_threads";
import {
  NOTHING,
  type PartCommand,
  type PartMessage,
  type PartOptions,
  type PartProgress,
  type PartResult,
} from "./part.ts";

const WORKER = new URL("./worker.ts", import.meta.url);

/** One isolate of the generator, seen from the one that leads. */
export class Member {
  /** The last that it reported. */
  progress: PartProgress = NOTHING;
  readonly #worker: Worker;
  readonly #waiting = new Map<PartCommand, PromiseWithResolvers<PartResult | undefined>>();
  #failure: Error | undefined;

  constructor(options: PartOptions, entry: URL) {
    this.#worker = new Worker(entry, { workerData: options });
    this.#worker.on("message", (message: PartMessage) => {
      if ("progress" in message) {
        this.progress = message.progress;
      } else {
        this.#waiting.get(message.done)?.resolve(message.result);
        this.#waiting.delete(message.done);
      }
    });
    this.#worker.on("error", (error: unknown) => this.#fail(error));
  }

  /** Resolves when it has done that; rejects when the isolate fails. */
  ask(command: PartCommand): Promise<PartResult | undefined> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const waiting = Promise.withResolvers<PartResult | undefined>();
    this.#waiting.set(command, waiting);
    this.#worker.postMessage(command);
    return waiting.promise;
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }

  #fail(error: unknown): void {
    this.#failure = new Error("an isolate of the generator failed", { cause: error });
    for (const waiting of this.#waiting.values()) waiting.reject(this.#failure);
    this.#waiting.clear();
  }
}

/** All isolates of one load. */
export class Crew {
  readonly subscribers: readonly Member[];
  /** Absent when nobody publishes. */
  readonly publishers: Member | undefined;

  constructor(subscribers: readonly Member[], publishers: Member | undefined) {
    this.subscribers = subscribers;
    this.publishers = publishers;
  }

  /** Starts the isolates; the connections of the subscribers are shared out evenly. */
  static start(load: PartOptions["load"], run: string, entry = WORKER): Crew {
    const { subscribers, workers } = load;
    const members = Array.from({ length: workers }, (_, index) => {
      const connections = Math.floor((subscribers + index) / workers);
      return new Member({ load, run, role: "subscribers", connections }, entry);
    });
    if (load.publishers === 0) return new Crew(members, undefined);
    return new Crew(members, new Member({ load, run, role: "publishers", connections: load.publishers }, entry));
  }

  get members(): readonly Member[] {
    return this.publishers === undefined ? this.subscribers : [...this.subscribers, this.publishers];
  }

  /** One figure of the subscribers, added up. */
  sum(figure: keyof PartProgress): number {
    return this.subscribers.reduce((sum, { progress }) => sum + progress[figure], 0);
  }

  get published(): number {
    return this.publishers?.progress.published ?? 0;
  }

  async askSubscribers(command: PartCommand): Promise<PartResult[]> {
    const results = await Promise.all(this.subscribers.map((member) => member.ask(command)));
    return results.filter((result) => result !== undefined);
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.stop()));
  }
}
