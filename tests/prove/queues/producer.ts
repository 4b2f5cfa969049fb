import { setTimeout as delay } from "node:timers/promises";
import type { Random } from "../../support/random.ts";
import { RawStomp } from "../../support/raw_stomp.ts";
import type { Accounts } from "./accounts.ts";

/** SENDs that are not answered yet. */
const WINDOW = 32;
/** Messages that wait, before it waits too: so that there are still some to be sent when half is acknowledged. */
const BACKLOG = 1000;

/** Puts messages into a queue until so many are stored, on one connection after the other if it has to. */
export class Producer {
  readonly #accounts: Accounts;
  readonly #queue: string;
  readonly #name: string;
  readonly #random: Random;
  #left: number;
  #number = 0;

  constructor(accounts: Accounts, options: { queue: string; name: string; count: number; random: Random }) {
    this.#accounts = accounts;
    this.#queue = options.queue;
    this.#name = options.name;
    this.#left = options.count;
    this.#random = options.random;
  }

  get isDone(): boolean {
    return this.#left === 0;
  }

  /** Goes on on a new connection, until all are stored. @throws when it ends first: what was not answered may be stored */
  async run(port: number, isOver: () => boolean): Promise<void> {
    const client = await RawStomp.connect(port);
    const asked: string[] = [];
    try {
      while (this.#left > 0 && !isOver()) {
        if (this.#accounts.open > BACKLOG) {
          await delay(2);
          continue;
        }
        while (asked.length < Math.min(WINDOW, this.#left)) asked.push(this.#send(client));
        await client.receipt(asked[0]!);
        this.#accounts.stored(asked.shift()!);
        this.#left--;
      }
    } finally {
      await client.drop();
    }
  }

  #send(client: RawStomp): string {
    // Of some length, so that the bytes that may be with a consumer count too.
    const body = `${this.#name}:${++this.#number}:${"x".repeat(this.#random.int(50))}`;
    this.#accounts.put(body);
    client.send("SEND", { destination: this.#queue, receipt: body }, body);
    return body;
  }
}
