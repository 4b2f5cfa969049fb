import { assert, assertEquals } from "@std/assert";
import { setImmediate } from "node:timers";
import { setImmediate as turn } from "node:timers/promises";
import { type Later, Sequencer } from "../../../lib/brokers/redis/sequencer.ts";
import type { Position, Publication } from "../../../lib/types.ts";
import { seeded } from "../../support/random.ts";
import { until } from "../../support/until.ts";

function publication(epoch: string, offset: number): Publication {
  return { channel: "a", epoch, offset, time: 1, data: `${epoch}:${offset}`, contentType: "text/plain" };
}

function later(epoch: string, offset: number, publications: readonly Publication[] = [], first = 1): Later {
  return { top: { epoch, offset }, first, publications };
}

/** A sequencer whose reads a test answers one by one. */
function open(position?: Position) {
  const reads: PromiseWithResolvers<Later>[] = [];
  const announced: Publication[] = [];
  const moved: (Position | undefined)[] = [];
  const sequencer = new Sequencer({
    patience: 0,
    read: () => {
      const read = Promise.withResolvers<Later>();
      reads.push(read);
      return read.promise;
    },
    announce: (publications) => announced.push(...publications),
    moved: () => moved.push(sequencer.position),
  });
  if (position) sequencer.open(position);
  const asked = (count: number) =>
    until(() => reads.length >= count, () => `${reads.length} reads, not ${count}`, 5000);
  return { sequencer, reads, announced, moved, asked };
}

Deno.test("Sequencer.reach() that comes during a read is followed by one more, whether anything is heard or not", async () => {
  const { sequencer, reads, announced, asked } = open({ epoch: "e", offset: 0 });
  const first = sequencer.reach({ epoch: "e", offset: 1 });
  await asked(1);
  const second = sequencer.reach({ epoch: "e", offset: 2 });
  let isReached = false;
  void second.then(() => isReached = true);
  reads[0]!.resolve(later("e", 1, [publication("e", 1)]));
  await first;
  await asked(2);
  assertEquals(isReached, false);
  reads[1]!.resolve(later("e", 2, [publication("e", 2)]));
  await second;
  assertEquals(announced.map(({ offset }) => offset), [1, 2]);
});

Deno.test("Sequencer reads again for what came during a read and still does not follow", async () => {
  const { sequencer, reads, announced, asked } = open({ epoch: "e", offset: 0 });
  sequencer.receive([publication("e", 2)]);
  await asked(1);
  sequencer.receive([publication("e", 4)]);
  reads[0]!.resolve(later("e", 2, [publication("e", 1), publication("e", 2)]));
  await asked(2);
  reads[1]!.resolve(later("e", 4, [publication("e", 3), publication("e", 4)]));
  await until(() => announced.length === 4);
  assertEquals(announced.map(({ offset }) => offset), [1, 2, 3, 4]);
});

Deno.test("Sequencer reads on when what it has read came by itself meanwhile, and more is missing", async () => {
  const { sequencer, reads, announced, moved, asked } = open({ epoch: "e", offset: 0 });
  const caught = sequencer.catchUp();
  await asked(1);
  sequencer.receive([publication("e", 1), publication("e", 2)]);
  reads[0]!.resolve(later("e", 4, [publication("e", 1), publication("e", 2)]));
  await asked(2);
  reads[1]!.resolve(later("e", 4, [publication("e", 3), publication("e", 4)]));
  await caught;
  assertEquals([announced.map(({ offset }) => offset), moved], [[1, 2, 3, 4], []]);
});

Deno.test("Sequencer reads once for what Redis has never had, not again and again", async () => {
  const { sequencer, reads, announced, asked } = open({ epoch: "e", offset: 1 });
  sequencer.receive([publication("e", 99), publication("f", 7)]);
  await asked(1);
  reads[0]!.resolve(later("e", 1));
  await turn();
  // Whatever it would wait for is over when this has been waited for.
  const reached = sequencer.reach({ epoch: "e", offset: 2 });
  await asked(2);
  reads[1]!.resolve(later("e", 2, [publication("e", 2)]));
  await reached;
  await turn();
  // One that asked once more would do so by a timer that was set before this one.
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals([reads.length, announced.map(({ offset }) => offset)], [2, [2]]);
});

Deno.test("Sequencer lets nobody wait for what cannot be read, also when they come during the read", async () => {
  const { sequencer, reads, asked } = open({ epoch: "e", offset: 0 });
  const first = sequencer.reach({ epoch: "e", offset: 1 });
  await asked(1);
  const caught = sequencer.catchUp().catch((error) => error.message);
  const second = sequencer.reach({ epoch: "e", offset: 2 });
  reads[0]!.reject(new Error("away"));
  assertEquals(await caught, "away");
  await first;
  let isOver = false;
  void second.then(() => isOver = true);
  await until(() => isOver || reads.length > 1);
  reads[1]?.reject(new Error("away"));
  await second;
});

Deno.test("Sequencer.reach() before it is opened waits for that, and ends when it is closed", async () => {
  const { sequencer, reads, announced } = open();
  const reached = sequencer.reach({ epoch: "e", offset: 3 });
  sequencer.receive([publication("e", 2), publication("e", 3)]);
  assertEquals(announced, []);
  sequencer.open({ epoch: "e", offset: 1 });
  await reached;
  assertEquals(announced.map(({ offset }) => offset), [2, 3]);
  const never = sequencer.reach({ epoch: "e", offset: 9 });
  sequencer.close();
  await never;
  sequencer.receive([publication("e", 4)]);
  assertEquals([announced.length, reads.length], [2, 0]);
});

Deno.test("Sequencer says that it has moved when what is gone has nothing after it", async () => {
  const { sequencer, reads, announced, moved, asked } = open({ epoch: "e", offset: 1 });
  const reached = sequencer.reach({ epoch: "e", offset: 5 });
  await asked(1);
  reads[0]!.resolve(later("e", 5));
  await reached;
  assertEquals([moved, announced], [[{ epoch: "e", offset: 5 }], []]);
  const again = sequencer.catchUp();
  await asked(2);
  reads[1]!.resolve(later("f", 5, [], 6));
  await again;
  assertEquals(moved[1], { epoch: "f", offset: 5 });
});

Deno.test("Sequencer announces each publication at most once and in order, whatever is lost, late, doubled or gone", async () => {
  for (let seed = 1; seed <= 300; seed++) await fuzz(seed);
});

/** Redis as a list, a way that loses, and what may happen to both, by chance. */
async function fuzz(seed: number): Promise<void> {
  const { int } = seeded(seed);
  const random = () => int(1000) / 1000;
  const chance = (share: number) => random() < share;
  const losing = random() * 0.5;
  /** What may take away that which was never announced. */
  const takes = chance(0.5);
  let log: Publication[] = [];
  let [epoch, top, first, epochs] = ["e0", 0, 1, 0];
  let isAway = false;
  const way: Publication[][] = [];
  const announced: Publication[] = [];
  let moves = 0;
  let failures = 0;
  /** A read has failed, and those who wait may not have been told yet. */
  let isFailing = false;
  const what = () => `seed ${seed}: ${announced.map(({ data }) => data).join(" ")}`;
  const sequencer = new Sequencer({
    patience: 0,
    read: async (position) => {
      for (let turns = int(3); turns > 0; turns--) await turn();
      if (isAway) {
        failures++;
        isFailing = true;
        setImmediate(() => isFailing = false);
        throw new Error("away");
      }
      const since = position.epoch === epoch ? position.offset : first - 1;
      const kept = log.filter(({ offset }) => offset > since).slice(0, 3);
      const answer = later(epoch, top, kept, first);
      if (chance(0.5)) await turn();
      return answer;
    },
    announce: (publications) => announced.push(...publications),
    moved: () => moves++,
  });
  const reaching: Promise<void>[] = [];
  const reach = async () => {
    const position = { epoch, offset: top };
    const before = isFailing ? -1 : failures;
    await sequencer.reach(position);
    const own = sequencer.position!;
    // Of an epoch that is over, nothing need be there.
    assert(failures > before || own.epoch !== position.epoch || own.offset >= position.offset, `${what()}, reach`);
  };
  if (chance(0.5)) sequencer.open({ epoch, offset: top });
  for (let step = 0; step < 60; step++) {
    const kind = random();
    if (kind < 0.45) {
      const count = 1 + int(4);
      const fresh = Array.from({ length: count }, () => publication(epoch, ++top));
      log.push(...fresh);
      if (!chance(losing)) way.push(fresh);
      if (chance(0.2)) way.push(fresh);
      if (chance(0.5)) reaching.push(reach());
    } else if (kind < 0.75) {
      const index = chance(0.2) ? int(way.length) : 0;
      const [next] = way.splice(index, 1);
      if (next) sequencer.receive(next);
    } else if (kind < 0.8 && takes) log = log.slice(int(4));
    else if (kind < 0.83 && takes) {
      epoch = `e${++epochs}`;
      // It is empty, or from before.
      top = chance(0.5) ? 0 : Math.max(0, top - 2);
      log = log.filter(({ offset }) => offset <= top).map(({ offset }) => publication(epoch, offset));
      first = top + 1;
    } else if (kind < 0.86) isAway = !isAway;
    else if (kind < 0.9) reaching.push(sequencer.catchUp().catch(() => {}));
    else await turn();
    if (step === 5 && !sequencer.position) sequencer.open({ epoch, offset: top });
  }
  isAway = false;
  await Promise.all(reaching);
  await until(async () => {
    await sequencer.catchUp();
    return sequencer.position!.epoch === epoch && sequencer.position!.offset === top;
  }, what);
  sequencer.close();

  const last = new Map<string, number>();
  for (const [index, { epoch, offset, data }] of announced.entries()) {
    assertEquals(data, `${epoch}:${offset}`);
    assert(offset > (last.get(epoch) ?? 0), what());
    const before = announced[index - 1];
    assert(!before || before.epoch === epoch || !last.has(epoch), `${what()}: an epoch that was over`);
    if (!takes && before) assertEquals(offset, before.offset + 1, what());
    last.set(epoch, offset);
  }
  if (!takes) assertEquals([announced.at(-1)?.offset ?? top, moves], [top, 0], what());
}
