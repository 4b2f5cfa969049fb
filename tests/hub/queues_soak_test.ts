/**
 * Consumers that come, go, acknowledge and refuse, in many orders, over a broker whose calls wait and fail.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { setImmediate } from "node:timers";
import { GongError } from "../../lib/errors.ts";
import type { Settlement } from "../../lib/types.ts";
import { QueueStage } from "../support/queue_stage.ts";
import { type Random, seeded } from "../support/random.ts";

const MESSAGES = 150;
const QUEUES = ["p", "q"] as const;

/** What is known of one message. */
interface Known {
  /** With whom it is, or who is settling it. */
  holder: string | undefined;
  settling: Settlement | undefined;
  isDone: boolean;
  times: number;
}

/** Follows every message; an assertion fails as soon as one is in two pairs of hands, or out of order. */
class World {
  readonly stage = new QueueStage();
  readonly known = new Map<string, Known>();
  readonly live = new Map<string, { queue: string; session: string; edge: number }>();
  readonly #random: Random;
  readonly #newest = new Map<string, number>();
  readonly #underway = new Set<Promise<void>>();
  readonly #failures: unknown[] = [];
  #seen = 0;
  #number = 0;
  #put = 0;
  isCalm = false;

  constructor(seed: number) {
    this.#random = seeded(seed);
    const gate = () => this.isCalm || this.#random.int(3) > 0 ? undefined : this.#hold();
    this.stage.claiming = gate;
    this.stage.settling = () => {
      if (!this.isCalm && this.#random.int(6) === 0) throw new GongError("overloaded");
      return gate();
    };
  }

  get isDone(): boolean {
    return this.#put >= MESSAGES && [...this.known.values()].filter(({ isDone }) => isDone).length === this.#put;
  }

  /** Notes what was assigned since. */
  look(): void {
    const { stage } = this;
    if (this.#failures.length > 0) throw this.#failures[0];
    const holders = this.#holders;
    for (; this.#seen < stage.messages.length; this.#seen++) {
      const { queue, epoch, offset, redelivered } = stage.messages[this.#seen]!;
      // A queue that was empty for a moment counts anew.
      const key = `${queue} ${epoch} ${offset}`;
      const holder = holders[this.#seen]!;
      const numbering = `${holder} ${epoch}`;
      const known = this.known.get(key) ?? { holder: undefined, settling: undefined, isDone: false, times: 0 };
      this.known.set(key, known);
      assert(!known.isDone, `${key} is done`);
      const isSettled = known.settling === "requeued" || known.holder !== undefined && !this.live.has(known.holder);
      assert(known.holder === undefined || isSettled, `${key} is with ${known.holder}`);
      known.times++;
      assert(redelivered || known.times === 1, `${key} has come before`);
      if (!redelivered) {
        assert(offset > (this.#newest.get(numbering) ?? 0), `${key} is out of order`);
        this.#newest.set(numbering, offset);
      }
      known.settling = undefined;
      known.holder = holder;
    }
  }

  get #holders(): string[] {
    return this.stage.assigned.flatMap(([_, consumer, texts]) => texts.map(() => consumer));
  }

  act(): void {
    const random = this.#random;
    const [act] = [
      random.pick(["put", "put", "come", "come", "settle", "settle", "settle", "go", "end", "die", "retry"]),
    ];
    if (act === "put" && this.#put < MESSAGES) this.put(1 + random.int(9));
    else if (act === "come") this.come();
    else if (act === "settle") this.settle(random.int(3) === 0 ? "requeued" : "done");
    else if (act === "retry") void this.stage.elapse();
    else if (random.int(4) === 0) this.#leave(act);
  }

  put(count: number): void {
    const queue = this.#random.pick(QUEUES);
    const { length } = [...Array(Math.min(count, MESSAGES - this.#put))];
    this.#put += length;
    this.stage.putInto(queue, ...Array.from({ length }, () => "x".repeat(this.#random.int(300))));
  }

  come(): void {
    const random = this.#random;
    const [edge, queue] = [1 + random.int(3), random.pick(QUEUES)];
    const session = `${edge}-${random.int(3)}`;
    const options = { prefetch: 1 + random.int(6), bytes: 1 + random.int(2500), number: ++this.#number };
    this.live.set(this.stage.consume({ edge, queue, session, ...options }), { edge, queue, session });
  }

  settle(as: Settlement): void {
    const [consumer] = this.#pickLive();
    if (consumer === undefined) return;
    const { queue } = this.live.get(consumer)!;
    const some = [...this.known].filter(([key, { holder, settling }]) => {
      return key.startsWith(queue) && holder === consumer && !settling && (this.isCalm || this.#random.int(3) > 0);
    });
    for (const [_, known] of some) known.settling = as;
    const offsets = some.map(([key]) => Number(key.split(" ")[2]));
    const times = some.map(([_, known]) => known.times);
    const settled = this.stage.queues.settle([{ consumer, offsets, as }]).then(() => {
      this.look();
      for (const [index, [key, known]] of some.entries()) {
        if (as === "done") {
          assertEquals(known.times, times[index], `${key} was given to somebody while it was done with`);
          Object.assign(known, { isDone: true, holder: undefined });
        } else if (known.times === times[index]) Object.assign(known, { settling: undefined, holder: undefined });
      }
    }, (error) => {
      assert(error instanceof GongError, String(error));
      // It is with the consumer as before; or has gone to somebody since, as that is not there any more.
      for (const [index, [_, known]] of some.entries()) {
        if (known.times === times[index]) known.settling = undefined;
      }
    });
    this.#underway.add(settled);
    settled.then(() => this.#underway.delete(settled), (error) => this.#failures.push(error));
  }

  async settled(): Promise<void> {
    await Promise.all(this.#underway);
  }

  #pickLive(): string[] {
    const ids = [...this.live.keys()];
    return ids.length === 0 ? [] : [ids[this.#random.int(ids.length)]!];
  }

  #leave(act: string): void {
    const [id] = this.#pickLive();
    if (id === undefined) return;
    const { edge, session } = this.live.get(id)!;
    const { queues } = this.stage;
    const isGone = ([other, its]: [string, { session: string; edge: number }]) => {
      return act === "go" ? other === id : act === "end" ? its.session === session : its.edge === edge;
    };
    for (const gone of [...this.live].filter(isGone)) this.live.delete(gone[0]);
    if (act === "go") queues.cancel(id);
    else if (act === "end") queues.release(session);
    else queues.releaseEdge(edge);
  }

  /** Resolves some turns later. */
  async #hold(): Promise<void> {
    for (let turns = this.#random.int(4); turns >= 0; turns--) await new Promise((resolve) => setImmediate(resolve));
  }
}

async function run(seed: number): Promise<World> {
  const world = new World(seed);
  using stage = world.stage;
  for (let step = 0; step < 600; step++) {
    world.look();
    world.act();
    if (step % 3 === 0) await stage.quiet();
  }
  // From here on nothing fails, and everybody is done with what is there.
  world.isCalm = true;
  world.put(MESSAGES);
  world.come();
  for (const queue of QUEUES) {
    const id = stage.consume({ edge: 4, queue, session: "4-last", number: queue === "p" ? 9001 : 9002 });
    world.live.set(id, { edge: 4, queue, session: "4-last" });
  }
  for (let turns = 0; turns < 2000 && !world.isDone; turns++) {
    await stage.elapse();
    world.look();
    world.settle("done");
    await world.settled();
  }
  await world.settled();
  const { messages, claimed } = stage.stats;
  assertEquals({ messages, claimed, isDone: world.isDone }, { messages: 0, claimed: 0, isDone: true });
  assertEquals(world.known.size, MESSAGES);
  return world;
}

Deno.test("Queues bring each message to its end once, in whatever order consumers come, go, settle and fail", async () => {
  let redelivered = 0;
  for (let seed = 1; seed <= 40; seed++) {
    try {
      const { known } = await run(seed);
      redelivered += [...known.values()].filter(({ times }) => times > 1).length;
    } catch (cause) {
      throw new Error(`seed ${seed}`, { cause });
    }
  }
  assert(redelivered > 500, `only ${redelivered} came back`);
});
