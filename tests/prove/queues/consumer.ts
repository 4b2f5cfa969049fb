/**
 * One consumer of a queue, from its birth to an end of some kind.
 *
 * @module
 */
import type { StompFrame } from "../../../lib/codecs/stomp.ts";
import type { Random } from "../../support/random.ts";
import { RawStomp } from "../../support/raw_stomp.ts";
import type { Accounts, Delivery, Floor } from "./accounts.ts";

/** How its subscription is. */
export interface ConsumerOptions {
  readonly queue: string;
  readonly ack: "client" | "client-individual";
  readonly prefetch: number;
  /** It acknowledges each at once, and stays. Default false. */
  readonly isDiligent?: boolean;
}

/** What becomes of a consumer: it leaves as it should, is cut off between or within frames, or never acknowledges. */
const ENDS = ["leaves", "unsubscribes", "vanishes", "breaks off a message", "breaks off a frame", "hoards"] as const;

/** One consumer. */
export class Consumer {
  readonly #accounts: Accounts;
  readonly #options: ConsumerOptions;
  readonly #random: Random;
  readonly #number: number;
  readonly #end: typeof ENDS[number];
  /** Messages that it lives for. */
  readonly #life: number;
  readonly #held = new Map<string, Delivery>();
  /** What each ACK that is not answered is about, in the order in which they were sent. */
  readonly #asked = new Map<string, readonly string[]>();
  #floor: Floor;
  #receipts = 0;
  #client: RawStomp | undefined;
  /** It was ended from outside. */
  isCut = false;

  constructor(accounts: Accounts, options: ConsumerOptions, random: Random, number: number) {
    this.#accounts = accounts;
    this.#options = options;
    this.#random = random;
    this.#number = number;
    this.#floor = accounts.floor;
    this.#end = options.isDiligent ? "leaves" : random.pick(ENDS);
    // Somebody has to get on with it.
    this.#life = options.isDiligent ? Infinity : this.#end === "leaves" ? 100 + random.int(400) : 1 + random.int(60);
  }

  /** Lives until its end, or until it is cut off. @throws what is wrong with a message; when the connection ends first */
  async run(port: number): Promise<void> {
    const client = this.#client = await RawStomp.connect(port);
    try {
      if (this.isCut) return;
      const { queue, ack, prefetch } = this.#options;
      this.#floor = this.#accounts.floor;
      client.send("SUBSCRIBE", { id: "s", destination: queue, ack, "prefetch-count": String(prefetch), receipt: "s" });
      await client.receipt("s");
      for (let seen = 0; seen < this.#life;) {
        const frame = await client.next();
        if (frame.command === "RECEIPT") this.#answered(frame);
        else if (this.#take(client, frame) === "full") break;
        else seen++;
      }
      await this.#finish(client);
    } finally {
      this.#die();
      if (!client.isGone) await client.drop();
    }
  }

  get isDiligent(): boolean {
    return this.#options.isDiligent ?? false;
  }

  /** It ends without a word, wherever it is. */
  async cut(): Promise<void> {
    this.isCut = true;
    if (this.#client?.isGone !== false) return;
    const gone = this.#client.drop();
    this.#die();
    await gone;
  }

  #take(client: RawStomp, frame: StompFrame): "full" | "has room" {
    const { ack, prefetch, isDiligent = false } = this.#options;
    const delivery = this.#accounts.deliver(frame, this.#number, this.#floor);
    this.#held.set(delivery.body, delivery);
    // Ascending for each, too.
    if (!delivery.isRedelivered) this.#floor = delivery;
    if (this.#end === "hoards") return this.#held.size === Math.min(prefetch, this.#life) ? "full" : "has room";
    const isLast = this.#held.size >= prefetch;
    if (ack === "client" && !isLast && !isDiligent && this.#random.int(4) > 0) return "has room";
    if (!isDiligent && this.#random.int(10) === 0) this.#nack(client, delivery);
    else this.#ack(client, delivery);
    return "has room";
  }

  /** With `client` all that it has. */
  #about(delivery: Delivery): string[] {
    return this.#options.ack === "client" ? [...this.#held.keys()] : [delivery.body];
  }

  #ack(client: RawStomp, delivery: Delivery): void {
    const receipt = `r${++this.#receipts}`;
    const bodies = this.#about(delivery);
    for (const body of bodies) {
      this.#accounts.asked(body);
      this.#held.delete(body);
    }
    this.#asked.set(receipt, bodies);
    this.#makeRoom();
    client.send("ACK", { id: delivery.ack, receipt });
  }

  #nack(client: RawStomp, delivery: Delivery): void {
    for (const body of this.#about(delivery)) {
      this.#accounts.released(body);
      this.#held.delete(body);
    }
    this.#makeRoom();
    client.send("NACK", { id: delivery.ack });
  }

  /** With room for one at a time what comes next is given out after this. */
  #makeRoom(): void {
    if (this.#options.prefetch === 1) this.#floor = this.#accounts.floor;
  }

  #answered({ headers }: StompFrame): void {
    const receipt = headers.get("receipt-id")!;
    for (const body of this.#asked.get(receipt) ?? []) this.#accounts.acknowledged(body);
    this.#asked.delete(receipt);
  }

  async #finish(client: RawStomp): Promise<void> {
    const [last] = this.#held.values();
    const headers = { id: last?.ack ?? "topic", receipt: "last" };
    switch (this.#end) {
      case "vanishes":
      case "hoards":
        return;
      // Half a word has no effect.
      case "breaks off a frame":
        return await client.drop({ command: "ACK", headers, of: "websocket" });
      case "breaks off a message":
        return await client.drop({ command: "ACK", headers, of: "stomp" });
      case "unsubscribes":
        client.send("UNSUBSCRIBE", { id: "s", receipt: "end" });
        break;
      case "leaves":
        client.send("DISCONNECT", { receipt: "end" });
    }
    // What is with it goes back as soon as that has arrived, and so does what is on its way.
    this.#release();
    for (let isOver = false; !isOver || this.#asked.size > 0;) {
      const frame = await client.next();
      if (frame.command === "ERROR") throw new Error(`ERROR ${frame.headers.get("message")}`);
      if (frame.command !== "RECEIPT") continue;
      if (frame.headers.get("receipt-id") === "end") isOver = true;
      else this.#answered(frame);
    }
  }

  /** What is with it is nobody's. */
  #release(): void {
    for (const body of this.#held.keys()) this.#accounts.released(body);
    this.#held.clear();
  }

  /** It is gone. */
  #die(): void {
    this.#release();
    for (const bodies of this.#asked.values()) for (const body of bodies) this.#accounts.orphaned(body);
    this.#asked.clear();
  }
}
