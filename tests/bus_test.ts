import { assert, assertEquals } from "@std/assert";
import { allocateBatch, BusReceiver, BusSender, type BusSenderOptions, type Replay } from "../lib/bus.ts";
import { encodeBatch, readBatchHead } from "../lib/codecs/batch.ts";
import { Link, type Port } from "../lib/link.ts";
import type { ReceiverSide, SenderSide } from "./support/bus_worker.ts";
import { tick } from "./support/channels.ts";
import { seeded } from "./support/random.ts";
import { Worker } from "node:worker_threads";

/** Bytes of every batch here. */
const SIZE = encodeBatch(1, 0, []).length;

/** A bus of its own, closed at the end of the test. */
function openBus(options: Partial<BusSenderOptions> = {}) {
  const name = crypto.randomUUID();
  const sender = new BusSender(name, { ring: 1 << 20, ...options });
  const receivers: Receiver[] = [];
  return {
    name,
    sender,
    receive(id = 1, answers: Answers = {}): Receiver {
      const receiver = new Receiver(name, sender, id, answers);
      receivers.push(receiver);
      return receiver;
    },
    send(count: number): void {
      for (let n = 0; n < count; n++) sender.send((number) => encodeBatch(number, 0, [], allocateBatch));
    },
    /** The raw channel, to post what the sender would not. */
    post(...numbers: number[]): void {
      const channel = new BroadcastChannel(name);
      for (const number of numbers) channel.postMessage(encodeBatch(number, 0, []));
      channel.close();
    },
    [Symbol.dispose](): void {
      for (const receiver of receivers) receiver.close();
      sender.close();
    },
  };
}

interface Answers {
  /** What the hub answers to `replay`, if not what it has. */
  replay?: (from: number) => Promise<Replay>;
  /** Acknowledges nothing. */
  silent?: boolean;
}

/** A receiver, and what it was given. */
class Receiver {
  readonly numbers: number[] = [];
  readonly lost: number[] = [];
  readonly asked: number[] = [];
  gaps = 0;
  readonly bus: BusReceiver;
  readonly #waiting = new Set<() => void>();

  constructor(name: string, sender: BusSender, id: number, { replay, silent = false }: Answers) {
    this.bus = new BusReceiver(name, sender.join(id), {
      batch: (batch) => {
        const { number } = readBatchHead(batch);
        this.numbers.push(number);
        if (!silent) sender.acknowledge(id, number);
        for (const wake of this.#waiting) wake();
      },
      replay: (from) => {
        this.asked.push(from);
        return replay ? replay(from) : Promise.resolve(sender.replay(from));
      },
      gap: () => this.gaps++,
      lost: () => this.lost.push(this.bus.last),
    });
  }

  /** Resolves when the batch of that number has come. */
  async reach(number: number): Promise<void> {
    while (this.bus.last < number) {
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve);
      });
      this.#waiting.clear();
    }
  }

  close(): void {
    this.bus.close();
  }
}

function range(first: number, last: number): number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);
}

Deno.test("BusReceiver passes every batch on, in order and once", async () => {
  using bus = openBus();
  const [a, b] = [bus.receive(1), bus.receive(2)];
  bus.send(100);
  await Promise.all([a.reach(100), b.reach(100)]);
  for (const receiver of [a, b]) {
    assertEquals([receiver.numbers, receiver.gaps, receiver.asked], [range(1, 100), 0, []]);
  }
  assertEquals([bus.sender.last, bus.sender.behind(), bus.sender.lag()], [100, [], 0]);
});

for (
  const [title, withheld] of [
    ["one", [3]],
    ["the first", [1]],
    ["several in a row", [3, 4, 5]],
    ["several apart", [2, 5, 6, 9]],
    ["every other", [1, 3, 5, 7, 9]],
  ] as [string, number[]][]
) {
  Deno.test(`BusReceiver asks for what is missing when a batch was dropped: ${title}`, async () => {
    using bus = openBus({ withhold: (number) => withheld.includes(number) });
    const receiver = bus.receive();
    bus.send(10);
    await receiver.reach(10);
    assertEquals(receiver.numbers, range(1, 10));
    assertEquals(receiver.lost, []);
    assertEquals(receiver.asked[0], withheld[0]);
    assert(receiver.gaps >= 1 && receiver.gaps <= withheld.length, `${receiver.gaps} gaps`);
  });
}

for (
  const [title, withheld] of [["the last", [10]], ["the last ones", [8, 9, 10]], ["all", range(1, 10)]] as [
    string,
    number[],
  ][]
) {
  Deno.test(`BusReceiver.remind() finds what was dropped and nothing came after: ${title}`, async () => {
    using bus = openBus({ withhold: (number) => withheld.includes(number) });
    const receiver = bus.receive();
    bus.send(10);
    await receiver.reach(withheld[0]! - 1);
    assertEquals(bus.sender.behind(), [1]);
    assertEquals(bus.sender.lag(), withheld.length * SIZE);
    receiver.bus.remind(bus.sender.last);
    await receiver.reach(10);
    assertEquals([receiver.numbers, receiver.gaps, receiver.lost], [range(1, 10), 1, []]);
    assertEquals([bus.sender.behind(), bus.sender.lag()], [[], 0]);
  });
}

Deno.test("BusReceiver.remind() of what is there already asks for nothing", async () => {
  using bus = openBus();
  const receiver = bus.receive();
  bus.send(5);
  await receiver.reach(5);
  receiver.bus.remind(5);
  receiver.bus.remind(3);
  assertEquals([receiver.gaps, receiver.asked], [0, []]);
});

Deno.test("BusReceiver asks once, however many signs of one gap there are", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  using bus = openBus({ withhold: (number) => number === 1 });
  const receiver = bus.receive(1, { replay: (from) => promise.then(() => bus.sender.replay(from)) });
  bus.send(20);
  receiver.bus.remind(20);
  await tick();
  assertEquals([receiver.numbers, receiver.asked], [[], [1]]);
  receiver.bus.remind(20);
  resolve();
  await receiver.reach(20);
  assertEquals([receiver.numbers, receiver.asked, receiver.gaps], [range(1, 20), [1], 1]);
});

Deno.test("BusReceiver asks again when the hub could not answer", async () => {
  let fails = 2;
  using bus = openBus({ withhold: () => true });
  const receiver = bus.receive(1, {
    replay: (from) => fails-- > 0 ? Promise.reject(new Error("no")) : Promise.resolve(bus.sender.replay(from)),
  });
  bus.send(3);
  for (let n = 0; n < 3; n++) {
    receiver.bus.remind(3);
    await Promise.resolve();
    await Promise.resolve();
  }
  await receiver.reach(3);
  assertEquals([receiver.numbers, receiver.asked], [[1, 2, 3], [1, 1, 1]]);
});

Deno.test("BusReceiver drops what comes twice, or late", async () => {
  using bus = openBus();
  const receiver = bus.receive();
  bus.send(3);
  await receiver.reach(3);
  bus.post(1, 3, 2, 3);
  bus.send(1);
  await receiver.reach(4);
  assertEquals([receiver.numbers, receiver.gaps], [range(1, 4), 0]);
});

Deno.test("BusReceiver holds back what came too early, twice too, and passes it on once", async () => {
  const answers = [[1, 2], [4]].map((numbers) => ({ numbers, ...Promise.withResolvers<void>() }));
  using bus = openBus();
  const receiver = bus.receive(1, {
    async replay() {
      const { numbers, promise } = answers[receiver.asked.length - 1]!;
      await promise;
      return { batches: numbers.map((number) => encodeBatch(number, 0, [])), last: numbers.at(-1)! };
    },
  });
  bus.post(3, 2, 3, 5);
  await tick();
  assertEquals(receiver.numbers, []);
  answers[0]!.resolve();
  await receiver.reach(3);
  await tick();
  // 5 shows that 4 is missing too, which the first answer could not know.
  assertEquals([receiver.numbers, receiver.asked], [[1, 2, 3], [1, 4]]);
  answers[1]!.resolve();
  await receiver.reach(5);
  assertEquals(receiver.numbers, range(1, 5));
});

Deno.test("BusReceiver says what is lost when the ring no longer has it, before anything that came after", async () => {
  using bus = openBus({ ring: 3 * SIZE, withhold: (number) => number < 10 });
  const told: string[] = [];
  const name = crypto.randomUUID();
  const channel = new BroadcastChannel(name);
  const receiver = new BusReceiver(name, 0, {
    batch: (batch) => told.push(`batch ${readBatchHead(batch).number}`),
    replay: (from) => Promise.resolve(bus.sender.replay(from)),
    gap: () => told.push("gap"),
    lost: () => told.push(`lost to ${receiver.last}`),
  });
  bus.send(10);
  receiver.remind(10);
  await Promise.resolve();
  await Promise.resolve();
  assertEquals(told, ["gap", "lost to 7", "batch 8", "batch 9", "batch 10"]);
  receiver.close();
  channel.close();
});

Deno.test("BusReceiver starts where it was told, and what came before is neither missing nor lost", async () => {
  using bus = openBus({ ring: 2 * SIZE });
  bus.send(20);
  const receiver = bus.receive();
  assertEquals(receiver.bus.last, 20);
  bus.send(2);
  await receiver.reach(22);
  assertEquals([receiver.numbers, receiver.gaps, receiver.lost], [[21, 22], 0, []]);
});

Deno.test("BusSender.replay() gives the batches that it has from a number on", () => {
  using bus = openBus({ ring: 4 * SIZE });
  const numbers = (from: number) => bus.sender.replay(from).batches.map((batch) => readBatchHead(batch).number);
  assertEquals(bus.sender.replay(1), { batches: [], last: 0 });
  bus.send(10);
  assertEquals([numbers(9), numbers(7), numbers(1), numbers(11)], [[9, 10], range(7, 10), range(7, 10), []]);
  assertEquals(bus.sender.replay(11).last, 10);
});

Deno.test("BusSender keeps as much as the ring holds, and the newest batch whatever its size", () => {
  using bus = openBus({ ring: 1000 });
  const big = (number: number) =>
    encodeBatch(number, 0, [{
      ...{ channel: "a", epoch: "e", offset: 1, time: 0, contentType: "a/b", data: "x".repeat(5000) },
    }]);
  bus.send(3);
  bus.sender.send(big);
  assertEquals(bus.sender.replay(1).batches.map((batch) => readBatchHead(batch).number), [4]);
  bus.send(1);
  assertEquals(bus.sender.replay(1).batches.map((batch) => readBatchHead(batch).number), [5]);
  using none = openBus({ ring: 0 });
  none.send(3);
  assertEquals(none.sender.replay(1).batches.length, 1);
});

Deno.test("BusSender.lag() is what the slowest reader has not acknowledged", async () => {
  using bus = openBus();
  const quick = bus.receive(1);
  bus.receive(2, { silent: true });
  bus.send(5);
  await quick.reach(5);
  assertEquals([bus.sender.lag(), bus.sender.behind()], [5 * SIZE, [2]]);
  bus.sender.acknowledge(2, 3);
  assertEquals([bus.sender.lag(), bus.sender.behind()], [2 * SIZE, [2]]);
  bus.sender.acknowledge(2, 1);
  assertEquals(bus.sender.lag(), 2 * SIZE, "an older acknowledgement changes nothing");
  bus.sender.acknowledge(2, 6);
  assertEquals(bus.sender.lag(), 2 * SIZE, "nor does that of a batch which was never sent");
  bus.sender.acknowledge(2, 5);
  assertEquals([bus.sender.lag(), bus.sender.behind()], [0, []]);
});

Deno.test("BusSender.leave() frees what a reader had not acknowledged; join() owes nothing from before", () => {
  using bus = openBus();
  bus.sender.join(1);
  bus.send(5);
  assertEquals(bus.sender.lag(), 5 * SIZE);
  assertEquals(bus.sender.join(2), 5);
  bus.sender.leave(1);
  assertEquals([bus.sender.lag(), bus.sender.behind()], [0, []]);
  bus.sender.acknowledge(1, 5);
  bus.send(1);
  assertEquals([bus.sender.lag(), bus.sender.behind()], [SIZE, [2]]);
});

Deno.test("BusSender.lag() counts what the ring has dropped, until it is acknowledged", () => {
  using bus = openBus({ ring: 2 * SIZE });
  bus.sender.join(1);
  bus.send(10);
  assertEquals(bus.sender.lag(), 10 * SIZE);
  bus.sender.acknowledge(1, 4);
  assertEquals(bus.sender.behind(), [1]);
  bus.sender.acknowledge(1, 9);
  assertEquals(bus.sender.lag(), SIZE);
  bus.sender.acknowledge(1, 10);
  assertEquals(bus.sender.lag(), 0);
});

Deno.test("BusReceiver in another isolate loses nothing of far more than 256 batches in one turn, the last included", async () => {
  using bus = openBus();
  const worker = new Worker(new URL("./support/bus_worker.ts", import.meta.url), {
    workerData: { name: bus.name, last: bus.sender.join(1) },
  });
  const ready = Promise.withResolvers<void>();
  const done = Promise.withResolvers<void>();
  let replayed = 0;
  const methods: SenderSide = {
    ready: () => ready.resolve(),
    replay(from) {
      const replay = bus.sender.replay(from);
      replayed += replay.batches.length;
      return replay;
    },
    acknowledge(number) {
      bus.sender.acknowledge(1, number);
      if (number === 3000) done.resolve();
    },
    lost: () => done.reject(new Error("lost")),
  };
  const link = new Link<ReceiverSide>(worker as Port, methods);
  await ready.promise;
  // A receiver as fast as the sender would miss nothing.
  const gate = new Int32Array(new SharedArrayBuffer(8));
  link.notify("halt", gate);
  await Atomics.waitAsync(gate, 0, 0).value;
  bus.send(3000);
  Atomics.store(gate, 1, 1);
  Atomics.notify(gate, 1);
  // What the hub does while somebody is behind.
  const reminder = setInterval(() => link.notify("remind", bus.sender.last), 50);
  await done.promise;
  clearInterval(reminder);
  assertEquals(await link.request("numbers", null), range(1, 3000));
  assert(replayed > 0, "the channel dropped none, so this shows nothing");
  assertEquals([bus.sender.behind(), bus.sender.lag()], [[], 0]);
  await worker.terminate();
});

Deno.test("BusReceiver loses nothing, whatever is dropped and whenever the hub answers", async () => {
  const random = seeded(5);
  for (let run = 0; run < 30; run++) {
    const share = random.int(101);
    using bus = openBus({ withhold: () => random.int(100) < share });
    const receiver = bus.receive(1, {
      replay: async (from) => {
        const replay = bus.sender.replay(from);
        for (let n = random.int(4); n > 0; n--) await tick();
        if (random.int(5) === 0) throw new Error("no");
        return replay;
      },
    });
    for (let n = 0; n < 40; n++) {
      bus.send(1 + random.int(5));
      if (random.int(3) === 0) await tick();
      if (random.int(5) === 0) receiver.bus.remind(bus.sender.last);
    }
    while (receiver.bus.last < bus.sender.last) {
      receiver.bus.remind(bus.sender.last);
      await tick();
    }
    assertEquals([receiver.numbers, receiver.lost], [range(1, bus.sender.last), []], `run ${run}, ${share}% dropped`);
  }
});
