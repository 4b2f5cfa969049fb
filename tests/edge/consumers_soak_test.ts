/**
 * Consumers on several edges that come, go, acknowledge and refuse while messages come, over real ports and a real broker.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { setImmediate } from "node:timers";
import { numbered, Stage, type StageEdge } from "../support/stage.ts";
import { type Random, seeded } from "../support/random.ts";
import { drafts, Taker } from "../support/taker.ts";

const MESSAGES = 400;

/** A server, whoever consumes on it now, and everybody who ever has. */
class Crowd {
  readonly stage = new Stage({ edges: 3, config: { outbox: 20_000 } });
  readonly takers: Taker[] = [];
  readonly #random: Random;
  readonly #edges: StageEdge[] = [...this.stage.edges];
  readonly #texts = numbered(MESSAGES);
  #here: { taker: Taker; edge: StageEdge }[] = [];
  #put = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  act(): void {
    const random = this.#random;
    const act = random.int(10);
    // Some are left for the end.
    if (act < 4) this.put(Math.min(1 + random.int(12), MESSAGES - 20 - this.#put));
    else if (act < 7) this.come();
    else if (act < 9) this.go();
    else if (random.int(4) === 0) this.lose();
  }

  put(count: number): void {
    const texts = this.#texts.slice(this.#put, this.#put + Math.max(0, count));
    this.#put += texts.length;
    if (texts.length === 0) return;
    // An edge may be lost before it has passed on what it was given: that is for others to try.
    void this.stage.edges.at(-1)!.hub.publish(drafts(texts));
  }

  come(): Taker {
    const random = this.#random;
    const edge = this.#edges[random.int(this.#edges.length)]!;
    const client = edge.plain();
    client.socket.reads = random.int(2) === 0 ? "at once" : "after the turn";
    const taker = new Taker(client, "q", 1 + random.int(20));
    taker.padding = "x".repeat(random.int(2000));
    taker.onGiven = ({ offset }) => {
      const wish = random.int(8);
      if (wish > 1) void taker.consumer.settle([offset], wish === 2 ? "requeued" : "done").catch(() => {});
    };
    this.takers.push(taker);
    this.#here.push({ taker, edge });
    return taker;
  }

  go(): void {
    const random = this.#random;
    if (this.#here.length === 0) return;
    const { taker } = this.#here.splice(random.int(this.#here.length), 1)[0]!;
    random.pick([
      () => taker.consumer.cancel(),
      () => taker.client.session.leave(),
      () => taker.client.socket.vanish(),
    ])();
  }

  /** An edge dies; another takes its place. What is published goes through the newest. */
  lose(): void {
    const lost = this.#edges.shift()!;
    this.stage.hub.detach(lost.number);
    lost.close();
    this.#here = this.#here.filter(({ edge }) => edge !== lost);
    this.#edges.push(this.stage.startEdge());
  }

  /** Everybody goes, and one comes who is done with whatever it gets. */
  async finish(): Promise<void> {
    while (this.#here.length > 0) this.go();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const done = this.stage.metrics.counter("gong_queue_done_total");
    const last = this.come();
    last.onGiven = ({ offset }) => {
      last.consumer.settle([offset], "done").then(() => done.value >= MESSAGES && resolve(), reject);
    };
    this.put(MESSAGES);
    await promise;
  }
}

Deno.test("each message of a queue is done with once, whoever comes and goes, and new ones come in order", async () => {
  for (let seed = 1; seed <= 6; seed++) {
    const crowd = new Crowd(seeded(seed));
    await using stage = crowd.stage;
    for (let step = 0; step < 250; step++) {
      crowd.act();
      if (step % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await crowd.finish();
    const { messages, claimed, bytes } = {
      messages: await stage.figure("gong_queue_messages"),
      claimed: await stage.figure("gong_queue_claimed"),
      bytes: await stage.figure("gong_queue_bytes"),
    };
    assertEquals([messages, claimed, bytes], [0, 0, 0], `seed ${seed}`);
    assertEquals(await stage.figure("gong_queue_done_total"), MESSAGES);
    assertEquals(await stage.figure("gong_consumers"), 1);
    const given = crowd.takers.flatMap((taker) => taker.messages);
    const fresh = given.filter(({ redelivered }) => !redelivered);
    assertEquals(new Set(given.map(({ data }) => data)).size, MESSAGES, `seed ${seed}`);
    assertEquals(new Set(fresh.map(({ data }) => data)).size, fresh.length, `seed ${seed}`);
    for (const taker of crowd.takers) {
      // A queue that was empty for a moment counts anew.
      const newest = new Map<string, number>();
      for (const { epoch, offset } of taker.messages.filter(({ redelivered }) => !redelivered)) {
        assert(offset > (newest.get(epoch) ?? 0), `seed ${seed}: ${offset} after ${newest.get(epoch)}`);
        newest.set(epoch, offset);
      }
    }
    assert(given.length > MESSAGES + 20, `seed ${seed}: only ${given.length - MESSAGES} came back`);
  }
});
