import { assert, assertEquals } from "@std/assert";
import { RedisConnection } from "../../../lib/brokers/redis/connection.ts";
import { RedisQueues } from "../../../lib/brokers/redis/queues.ts";
import { GongError } from "../../../lib/errors.ts";
import type { Broker, QueuedMessage } from "../../../lib/types.ts";
import { claim, codes, counts, put, settle, to } from "../../conformance/broker/queue_support.ts";
import { range, refused } from "../../conformance/broker/support.ts";
import { seeded } from "../../support/random.ts";
import { redisTest, sharedRedis, startRedis } from "../../support/redis.ts";
import { type Node, openNode } from "../../support/redis_broker.ts";
import { until } from "../../support/until.ts";

const LIMITS = { queueCount: 100, queueBytes: 1e6, queueBudget: 1e6, maxQueues: 10 };
/** No lease ends by itself. */
const LEASE = 3600;

/** Nodes of one server. */
interface Nodes extends AsyncDisposable {
  readonly prefix: string;
  readonly nodes: readonly Node[];
  /** What each was told of. */
  readonly queued: readonly string[][];
  command(...args: string[]): Promise<unknown>;
  /** Nothing was heard for long of all that have claimed by now. */
  endLeases(): Promise<void>;
}

async function openNodes(count: number): Promise<Nodes> {
  const { url, command } = await sharedRedis();
  const prefix = `${crypto.randomUUID()}:`;
  const queued = range(1, count).map((): string[] => []);
  const nodes = await Promise.all(queued.map((told) => {
    return openNode(url, { brokerPrefix: prefix, lease: LEASE, onQueued: (queues) => told.push(...queues) });
  }));
  return {
    ...{ prefix, nodes, queued, command },
    async endLeases() {
      const key = `${prefix}{$queues}:o`;
      for (const owner of await command("ZRANGE", key, "0", "-1") as string[]) await command("ZADD", key, "0", owner);
    },
    async [Symbol.asyncDispose]() {
      for (const { broker } of nodes) await broker.close();
    },
  };
}

/** Another start of a node: it finds those that are no more. */
function openAnother({ prefix }: Nodes): Promise<Node> {
  return sharedRedis().then(({ url }) => openNode(url, { brokerPrefix: prefix, lease: LEASE }));
}

function flags(messages: readonly QueuedMessage[]): [number, boolean][] {
  return messages.map(({ offset, redelivered }) => [offset, redelivered]);
}

redisTest("each message goes to one of the nodes, and those that consume are told where something is", async () => {
  await using cluster = await openNodes(3);
  const [one, two, three] = cluster.nodes.map(({ broker }) => broker) as [Broker, Broker, Broker];
  const [, ofTwo, ofThree] = cluster.queued as [string[], string[], string[]];
  assertEquals(await claim(two, "a"), []);
  await put(one, "a", 1, 3);
  await until(() => ofTwo.length > 0);
  assertEquals([await claim(two, "a", 2), await claim(one, "a")], [[1, 2], [3]]);
  await put(two, "b", 1, 1);
  await settle(one, "a", [3], "requeued");
  await until(() => ofTwo.length > 1);
  assertEquals(
    [ofTwo, ofThree],
    [["a", "a"], []],
    "not of what it has put there itself; who consumes nothing of nothing",
  );
  assertEquals(flags(await two.claim("a", {})), [[3, true]]);
  await settle(three, "a", [1, 2, 3], "done");
  await settle(one, "a", [1, 2, 3], "requeued");
  assertEquals(counts(one), { queues: 2, messages: 4, claimed: 3 }, "nobody settles what another node has");
});

redisTest(
  "what a node has goes to others when its lease is over, in order; it settles nothing of that any more",
  async () => {
    await using cluster = await openNodes(1);
    const [{ broker: paused }] = cluster.nodes as [Node];
    await put(paused, "a", 1, 5);
    await claim(paused, "a", 4);
    await settle(paused, "a", [2], "done");
    await cluster.endLeases();
    await using another = await openAnother(cluster);
    assertEquals(flags(await another.broker.claim("a", { count: 2 })), [[1, true], [3, true]]);
    await settle(paused, "a", [1, 4], "done");
    await paused.publish([to("a", "6")], { settled: [{ queue: "a", offsets: [3], as: "done" }] });
    assertEquals(counts(paused), { queues: 1, messages: 5, claimed: 2 });
    assertEquals(flags(await another.broker.claim("a", {})), [[4, true], [5, false], [6, false]]);
    await settle(another.broker, "a", [1, 3, 4, 5, 6], "done");
    await put(paused, "b", 1, 1);
    assertEquals(await claim(paused, "b"), [1], "it is a node like others again");
  },
);

redisTest("a node whose lease is over keeps what it has, if it comes before others notice", async () => {
  await using cluster = await openNodes(1);
  const [{ broker }] = cluster.nodes as [Node];
  await put(broker, "a", 1, 2);
  await claim(broker, "a", 1);
  await cluster.endLeases();
  assertEquals(await claim(broker, "a", 1), [2]);
  await using another = await openAnother(cluster);
  assertEquals(await claim(another.broker, "a"), []);
  await settle(broker, "a", [1, 2], "done");
  assertEquals(counts(broker).messages, 0);
});

redisTest("where it was Redis that was away, no node loses what it has", async () => {
  await using cluster = await openNodes(1);
  const [{ broker }] = cluster.nodes as [Node];
  await put(broker, "a", 1, 1);
  await claim(broker, "a");
  await cluster.endLeases();
  await cluster.command("HSET", `${cluster.prefix}{$queues}`, "t", "1");
  await using another = await openAnother(cluster);
  assertEquals(await claim(another.broker, "a"), []);
  await cluster.endLeases();
  await using third = await openAnother(cluster);
  assertEquals(flags(await third.broker.claim("a", {})), [[1, true]], "but who does not come back then does");
});

redisTest("a node that closes gives back what it has, and others are told", async () => {
  await using cluster = await openNodes(2);
  const [one, two] = cluster.nodes as [Node, Node];
  await put(one.broker, "a", 1, 3);
  await claim(one.broker, "a", 2);
  assertEquals(await claim(two.broker, "a"), [3]);
  const before = cluster.queued[1]!.length;
  await one.broker.close();
  await until(() => cluster.queued[1]!.length > before);
  assertEquals(flags(await two.broker.claim("a", {})), [[1, true], [2, true]]);
});

redisTest("what is over is given to nobody, and makes room", async () => {
  const { url } = await sharedRedis();
  await using node = await openNode(url, { brokerPrefix: `${crypto.randomUUID()}:`, queueCount: 3, lease: LEASE });
  const { broker } = node;
  const over = (data: string) => ({ ...to("a", data), ttl: 0 });
  await broker.publish([to("a", "1"), over("2"), to("a", "3")]);
  assertEquals(await claim(broker, "a"), [1, 3]);
  assertEquals(counts(broker), { queues: 1, messages: 2, claimed: 2 });
  await broker.publish([over("4")]);
  const results = await broker.publish([to("a", "5"), to("a", "6")]);
  assertEquals(results.map((result) => "error" in result ? result.error.message : result.offset), [
    5,
    "The queue a is full.",
  ]);
  await broker.publish([{ ...to("b", "1"), ttl: 3600 }]);
  assertEquals(await claim(broker, "b"), [1]);
});

redisTest(
  "Redis that was restarted: in another epoch, no number twice, and whatever waits may have been with somebody",
  async () => {
    await using first = await startRedis({ args: ["--appendonly", "yes", "--appendfsync", "always"] });
    await using node = await openNode(first.url, { lease: LEASE });
    const { broker } = node;
    await put(broker, "a", 1, 4);
    const [{ epoch }] = await broker.claim("a", { count: 1 }) as [QueuedMessage];
    const dir = await Deno.makeTempDir();
    await Deno.rename(`${first.dir}/appendonlydir`, `${dir}/appendonlydir`);
    await first.kill();
    await using _second = await startRedis({ dir, port: first.port, args: ["--appendonly", "yes"] });
    let messages: QueuedMessage[] = [];
    await until(async () => {
      messages = await broker.claim("a", { count: 2 }).catch(() => []);
      return messages.length > 0;
    });
    assertEquals(flags(messages), [[2, true], [3, true]]);
    assert(messages[0]!.epoch !== epoch);
    await settle(broker, "a", [1, 2, 3], "done");
    const [result] = await broker.publish([to("a", "5")]);
    assert(result && "offset" in result && result.offset > 1000, JSON.stringify(result));
    assertEquals((await broker.claim("a", {})).map(({ data, redelivered }) => [data, redelivered]), [["4", true], [
      "5",
      false,
    ]]);
    await Deno.remove(dir, { recursive: true });
  },
);

redisTest("where Redis has no room, what is in queues is given out and done, which makes some", async () => {
  await using redis = await startRedis();
  await using node = await openNode(redis.url, { lease: LEASE });
  const { broker } = node;
  await put(broker, "a", 1, 3);
  await redis.command("CONFIG", "SET", "maxmemory", "1");
  assertEquals(await codes(broker, [to("a", "4")]), ["overloaded"]);
  assertEquals(await claim(broker, "a"), [1, 2, 3]);
  await settle(broker, "a", [1, 2], "done");
  await settle(broker, "a", [3], "requeued");
  assertEquals(counts(broker), { queues: 1, messages: 1, claimed: 0 });
  await redis.command("CONFIG", "SET", "maxmemory", "0");
  assertEquals(await codes(broker, [to("a", "4")]), [4]);
});

type Lost = (() => Promise<unknown>)[];

/** Queues whose calls may be cut. */
async function openCut() {
  const { url } = await sharedRedis();
  const prefix = `${crypto.randomUUID()}:`;
  const connection = new RedisConnection({
    ...{ url, prefix, wait: 30, onAway: () => {}, onFault: () => {} },
    onListening: () => {},
  });
  await connection.start();
  const queued: string[] = [];
  let lost: Lost | undefined;
  let subscribes = true;
  const queues = new RedisQueues({
    connection: {
      ...{ prefix, isCluster: false },
      async call(name, keys, args) {
        if (lost && name === "claim") {
          lost.push(() => connection.call(name, keys, args));
          throw new GongError("overloaded");
        }
        return await connection.call(name, keys, args);
      },
      async subscribe(channel, listener) {
        if (!subscribes) throw new GongError("overloaded");
        await connection.subscribe(channel, listener);
      },
    },
    ...{
      limits: LIMITS,
      newEpoch: () => "e",
      onFault: () => {},
      onQueued: (names) => queued.push(...names),
      lease: LEASE,
    },
  });
  await queues.start();
  return {
    queues,
    queued,
    node: await openNode(url, { brokerPrefix: prefix, lease: LEASE }),
    deaf: () => subscribes = false,
    /** From now on claims are not answered; answers what does them all the same. */
    lose(): Lost {
      return lost = [];
    },
    find: () => lost = undefined,
    async [Symbol.asyncDispose]() {
      await this.node.broker.close();
      await queues.release();
      queues.close();
      connection.close();
    },
  };
}

redisTest("a claim that was done but not answered goes back before the next, and no other does", async () => {
  await using cut = await openCut();
  await put(cut.node.broker, "a", 1, 6);
  await put(cut.node.broker, "b", 1, 1);
  assertEquals((await cut.queues.claim("a", { count: 2 })).map(({ offset }) => offset), [1, 2]);
  assertEquals((await cut.queues.claim("b", {})).length, 1);
  const lost = cut.lose();
  assertEquals(await refused(cut.queues.claim("a", { count: 2 })), "overloaded");
  await lost[0]!();
  cut.find();
  assertEquals(flags(await cut.queues.claim("a", { count: 3 })), [[3, true], [4, true], [5, false]]);
  assertEquals(await claim(cut.node.broker, "a"), [6]);
  assertEquals(cut.queues.totals, { ...cut.queues.totals, messages: 7, claimed: 6 });
});

redisTest("a claim that comes to Redis after it was given up takes nothing", async () => {
  await using cut = await openCut();
  await put(cut.node.broker, "a", 1, 3);
  const lost = cut.lose();
  assertEquals(await refused(cut.queues.claim("a", { count: 1 })), "overloaded");
  cut.find();
  assertEquals(flags(await cut.queues.claim("a", { count: 1 })), [[1, false]]);
  await lost[0]!();
  assertEquals(flags(await cut.node.broker.claim("a", {})), [[2, false], [3, false]]);
});

redisTest("what nobody was told of is found by looking", async () => {
  await using cut = await openCut();
  cut.deaf();
  assertEquals(await cut.queues.claim("a", {}), []);
  await put(cut.node.broker, "a", 1, 1);
  await put(cut.node.broker, "b", 1, 1);
  await claim(cut.node.broker, "b");
  assertEquals(cut.queued, []);
  cut.queues.look();
  await until(() => cut.queued.length > 0);
  assertEquals(cut.queued, ["a"], "b has nothing for anybody");
});

redisTest(
  "whatever nodes do and whenever they end, each message is with one at a time, in order, until it is done",
  async () => {
    for (let seed = 1; seed <= 3; seed++) {
      const random = seeded(seed);
      await using cluster = await openNodes(3);
      await using ended = new AsyncDisposableStack();
      const living = [...cluster.nodes];
      /** Of each queue, who has what is not done. */
      const model = { a: new Map<number, Node | undefined>(), b: new Map<number, Node | undefined>() };
      const heldBy = (node: Node, queue: "a" | "b") => {
        return [...model[queue].keys()].filter((offset) => model[queue].get(offset) === node);
      };
      for (let step = 0; step < 100; step++) {
        const index = random.int(living.length);
        const node = living[index]!;
        const queue = random.int(2) === 0 ? "a" : "b";
        const what = random.int(10);
        if (what < 3) {
          const [result] = await node.broker.publish([to(queue, `${step}`)]);
          assert(result && "offset" in result);
          model[queue].set(result.offset, undefined);
        } else if (what < 6) {
          const count = 1 + random.int(3);
          const waiting = [...model[queue].keys()].filter((offset) => !model[queue].get(offset));
          const expected = waiting.sort((one, other) => one - other).slice(0, count);
          assertEquals(await claim(node.broker, queue, count), expected, `seed ${seed}, step ${step}`);
          for (const offset of expected) model[queue].set(offset, node);
        } else if (what < 9) {
          // All of it, and what others have.
          const offsets = [...model[queue].keys()].filter(() => random.int(2) === 0);
          const as = random.int(2) === 0 ? "done" : "requeued";
          await settle(node.broker, queue, offsets, as);
          for (const offset of offsets) {
            if (model[queue].get(offset) !== node) continue;
            if (as === "done") model[queue].delete(offset);
            else model[queue].set(offset, undefined);
          }
        } else {
          const had = { a: heldBy(node, "a"), b: heldBy(node, "b") };
          await cluster.endLeases();
          for (const other of living) if (other !== node) await claim(other.broker, "none");
          living[index] = ended.use(await openAnother(cluster));
          for (const name of ["a", "b"] as const) {
            for (const offset of had[name]) model[name].set(offset, undefined);
            // It was only paused.
            await settle(node.broker, name, had[name], "done");
          }
        }
      }
      await using last = await openAnother(cluster);
      const { messages, claimed } = counts(last.broker);
      assertEquals([messages, claimed], [
        model.a.size + model.b.size,
        [...model.a.values(), ...model.b.values()].filter((node) => node).length,
      ]);
    }
  },
);
