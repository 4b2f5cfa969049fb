/**
 * What is known of every message of a queue, from outside: an assertion fails as soon as one is where it must not be.
 *
 * @module
 */
import { assert } from "@std/assert";
import type { StompFrame } from "../../../lib/codecs/stomp.ts";

const decoder = new TextDecoder();

/** A message as it was delivered. */
export interface Delivery {
  readonly body: string;
  readonly ack: string;
  readonly epoch: string;
  readonly offset: number;
  readonly isRedelivered: boolean;
}

/** One message. */
interface Known {
  /** The RECEIPT of its SEND has come. */
  isStored: boolean;
  /**
   * Nobody's; with somebody; its ACK sent by one who lives, or by one who died before the RECEIPT, so that it counts or
   * does not; acknowledged.
   */
  state: "waits" | "held" | "asked" | "perhaps" | "done";
  holder: number | undefined;
  isSeen: boolean;
}

/** Where a consumer stands: newer than that is what it gets for the first time. */
export interface Floor {
  readonly epoch: string;
  readonly offset: number;
}

/** Every message of one queue. */
export class Accounts {
  readonly #known = new Map<string, Known>();
  /** The newest that anybody was given for the first time. */
  #newest: Floor = { epoch: "", offset: 0 };
  /** The last offset of each producer's messages, as far as they were seen. */
  readonly #places = new Map<string, { n: number; epoch: string; offset: number }[]>();
  /** Messages whose SEND is known to be stored and that nobody can have acknowledged. */
  open = 0;
  done = 0;
  redelivered = 0;

  /** A message is about to be sent. */
  put(body: string): void {
    this.#known.set(body, { isStored: false, state: "waits", holder: undefined, isSeen: false });
  }

  stored(body: string): void {
    this.#become(this.#known.get(body)!, { isStored: true });
  }

  /** Whoever is given room from now on gets nothing older for the first time. */
  get floor(): Floor {
    return this.#newest;
  }

  /** @throws when nobody may have it, or it should have been given to somebody before */
  deliver(frame: StompFrame, holder: number, floor: Floor): Delivery {
    const delivery = toDelivery(frame);
    const { body, epoch, offset, isRedelivered } = delivery;
    const where = `${body} at ${epoch}:${offset}, to ${holder}`;
    const known = this.#known.get(body);
    assert(known, `${where}: nobody has put it there`);
    assert(known.state !== "done", `${where}: it is acknowledged`);
    assert(known.state !== "held" && known.state !== "asked", `${where}: it is with ${known.holder}`);
    assert(isRedelivered || !known.isSeen, `${where}: it was given out before, and is not marked`);
    if (isRedelivered) this.redelivered++;
    else {
      assert(floor.epoch !== epoch || offset > floor.offset, `${where}: newer ones were given out before`);
      if (this.#newest.epoch !== epoch || offset > this.#newest.offset) this.#newest = { epoch, offset };
    }
    const [producer = "", n] = body.split(":");
    if (!known.isSeen) this.#placesOf(producer).push({ n: Number(n), epoch, offset });
    this.#become(known, { state: "held", holder, isSeen: true });
    return delivery;
  }

  /** Its ACK was sent. */
  asked(body: string): void {
    this.#change(body, "held", "asked");
  }

  acknowledged(body: string): void {
    this.#change(body, "asked", "done");
    this.done++;
  }

  /** Its NACK was sent, or its holder goes or has died. */
  released(body: string): void {
    this.#change(body, "held", "waits");
  }

  /** Its holder has died after the ACK, and before the RECEIPT. */
  orphaned(body: string): void {
    this.#change(body, "asked", "perhaps");
  }

  /** Messages whose ACK may have counted. */
  get perhaps(): number {
    return this.#count(({ state }) => state === "perhaps");
  }

  /** Messages whose SEND was never answered: they may be there. */
  get unanswered(): number {
    return this.#count(({ isStored }) => !isStored);
  }

  /** A queue has what each producer put there in that order. */
  checkOrder(): void {
    for (const [producer, places] of this.#places) {
      places.sort((a, b) => a.n - b.n);
      for (const [index, { n, epoch, offset }] of places.entries()) {
        const before = places[index - 1];
        const isBehind = !before || before.epoch !== epoch || before.offset < offset;
        assert(isBehind, `${producer}:${n} is at ${offset}, before ${before?.offset} of ${before?.n}`);
      }
    }
  }

  #placesOf(producer: string): { n: number; epoch: string; offset: number }[] {
    const places = this.#places.get(producer) ?? [];
    this.#places.set(producer, places);
    return places;
  }

  #change(body: string, from: Known["state"], to: Known["state"]): void {
    const known = this.#known.get(body)!;
    assert(known.state === from, `${body} is ${known.state}, not ${from}`);
    this.#become(known, { state: to });
  }

  #become(known: Known, change: Partial<Known>): void {
    const before = isOpen(known);
    Object.assign(known, change);
    this.open += Number(isOpen(known)) - Number(before);
  }

  #count(isSo: (known: Known) => boolean): number {
    let count = 0;
    for (const known of this.#known.values()) if (isSo(known)) count++;
    return count;
  }
}

function isOpen({ isStored, state }: Known): boolean {
  return isStored && state !== "done" && state !== "perhaps";
}

function toDelivery({ command, headers, body }: StompFrame): Delivery {
  assert(command === "MESSAGE", `${command} ${JSON.stringify([...headers])} ${decoder.decode(body)}`);
  const [epoch = "", offset] = headers.get("position")!.split(":");
  return {
    body: decoder.decode(body),
    ack: headers.get("ack")!,
    epoch,
    offset: Number(offset),
    isRedelivered: headers.get("redelivered") === "true",
  };
}
