import { assert, assertEquals } from "@std/assert";
import { setTimeout as delay } from "node:timers/promises";
import { slotOf } from "../../../lib/brokers/redis/slot.ts";
import { ChannelKeys } from "../../../lib/brokers/redis/keys.ts";
import type { Position, PublishResult, QueuedMessage } from "../../../lib/types.ts";
import { claim, codes, put, to } from "../../conformance/broker/queue_support.ts";
import { refused } from "../../conformance/broker/support.ts";
import { redisTest } from "../../support/redis.ts";
import { heard, type Node, openNode, publishSurely, text } from "../../support/redis_broker.ts";
import { type RedisCluster, startRedisCluster } from "../../support/redis_cluster.ts";
import { until } from "../../support/until.ts";

/** Where a channel of that name is. */
function keyOf(channel: string): string {
  return new ChannelKeys("gong:", channel).announced;
}

/** A channel other than this one that is at the same primary, or is not. */
function another(redis: RedisCluster, channel: string, isSame: boolean): string {
  for (let n = 0;; n++) {
    if ((redis.primaryOf(keyOf(`o${n}`)) === redis.primaryOf(keyOf(channel))) === isSame) return `o${n}`;
  }
}

/** Remembers what is at which position, and that it stays so. */
function watch(): (position: Position, data: unknown) => void {
  const seen = new Map<string, unknown>();
  return ({ epoch, offset }, data) => {
    const key = `${epoch}:${offset}`;
    assert(!seen.has(key) || seen.get(key) === data, `${key} was ${seen.get(key)}, and is ${data}`);
    seen.set(key, data);
  };
}

async function publishOnce({ broker }: Node, channel: string, data: string): Promise<PublishResult> {
  return (await broker.publish([{ ...text(channel, data), id: data }]))[0]!;
}

redisTest(
  "a primary is killed: only its channels are refused until its replica takes over, in a new epoch, and no offset is used twice",
  async () => {
    await using redis = await startRedisCluster({ hasReplicas: true });
    await using one = await openNode(redis.url, { brokerWait: 1 });
    await using other = await openNode(redis.url, { brokerWait: 1 });
    const silent = another(redis, "a", true);
    const elsewhere = another(redis, "a", false);
    for (const channel of ["a", silent, elsewhere]) await one.broker.subscribe(channel);
    const note = watch();
    let before: Position | undefined;
    for (let n = 1; n <= 20; n++) {
      note(before = await publishSurely(other.broker, { ...text("a", `${n}`), id: `${n}` }), `${n}`);
    }
    await heard(one, "a", 20);
    await redis.primaryOf(keyOf("a")).kill();
    let refusals = 0;
    let count = 0;
    let after: PublishResult;
    // What is elsewhere goes on meanwhile.
    while ("error" in (after = await publishOnce(other, "a", "21"))) {
      assertEquals([after.error.code, after.error.retryAfter], ["overloaded", 1]);
      refusals++;
      const result = await publishOnce(other, elsewhere, `${++count}`);
      assert("offset" in result && result.offset === count, JSON.stringify(result));
    }
    assert(refusals > 0);
    assert(after.epoch !== before!.epoch);
    note(after, "21");
    for (let n = 22; n <= 40; n++) {
      note(await publishSurely(other.broker, { ...text("a", `${n}`), id: `${n}` }), `${n}`);
    }
    const all = await heard(one, "a", 40);
    for (const { data, ...position } of all) note(position, String(data));
    assertEquals(all.map(({ data }) => Number(data)), Array.from({ length: 40 }, (_, index) => index + 1));
    assertEquals((await heard(one, elsewhere, count)).length, count);
    // Of a channel where nothing follows it is said that its numbering is another one.
    await until(() => one.moved.includes(silent));
    assert(!one.moved.includes(elsewhere));
    const { recovered, top } = await one.broker.read("a", before);
    assertEquals([recovered, top.epoch], [false, after.epoch]);
    for (const { away } of [one, other]) {
      await until(() => away.at(-1) === undefined, () => String(away.at(-1)));
      assert(away.length > 1);
    }
    assertEquals([...one.faults, ...other.faults], []);
  },
);

redisTest(
  "a slot that is moved: refused while it is on its way, then heard there in a new epoch, and back again",
  async () => {
    await using redis = await startRedisCluster();
    await using one = await openNode(redis.url);
    await using other = await openNode(redis.url);
    const slot = slotOf(keyOf("a"));
    const from = redis.primaryOf(keyOf("a"));
    const to = redis.primaries.find((primary) => primary !== from)!;
    await one.broker.subscribe("a");
    const note = watch();
    const epochs: string[] = [];
    let sent = 0;
    async function publish(): Promise<void> {
      for (let n = 0; n < 5; n++) {
        const data = `${++sent}`;
        const position = await publishSurely(other.broker, { ...text("a", data), id: data });
        note(position, data);
        epochs.push(position.epoch);
      }
      await heard(one, "a", sent);
    }
    async function midway(): Promise<void> {
      const result = await publishOnce(other, "a", "midway");
      assert("error" in result && result.error.code === "overloaded", JSON.stringify(result));
    }
    await publish();
    const [before] = one.announced;
    await redis.move(slot, from, to, midway);
    await publish();
    assertEquals((await other.broker.read("a", before)).recovered, false);
    await redis.move(slot, to, from, midway);
    await publish();
    const all = await heard(one, "a", sent);
    assertEquals(all.map(({ data }) => Number(data)), Array.from({ length: sent }, (_, index) => index + 1));
    for (const { data, ...position } of all) note(position, data);
    assertEquals(new Set(epochs).size, 3);
    const { publications } = await other.broker.read("a", { last: 100 });
    assertEquals(publications.map(({ data }) => data), all.map(({ data }) => data), "all that is kept has come along");
    assertEquals([one.faults, other.faults, one.away, other.away], [[], [], [], []]);
  },
);

redisTest("queues and records whose slots are moved: refused on the way, then all there", async () => {
  await using redis = await startRedisCluster();
  await using one = await openNode(redis.url);
  const { broker } = one;
  const move = async (key: string, midway: () => Promise<void>) => {
    const from = redis.primaryOf(key);
    await redis.move(slotOf(key), from, redis.primaries.find((primary) => primary !== from)!, midway);
  };
  await put(broker, "q", 1, 4);
  const [{ epoch }] = await broker.claim("q", { count: 1 }) as [QueuedMessage];
  await move(`gong:{$queues:${slotOf("q") % 16}}`, async () => {
    assertEquals(await codes(broker, [to("q", "5")]), ["overloaded"]);
    assertEquals(await refused(broker.claim("q", {})), "overloaded");
    assertEquals(await refused(broker.settle([{ queue: "q", offsets: [1], as: "done" }])), "overloaded");
  });
  // They may have been given to somebody there.
  const messages = await broker.claim("q", {});
  assertEquals(messages.map(({ offset, redelivered }) => [offset, redelivered]), [[2, true], [3, true], [4, true]]);
  assert(messages[0]!.epoch !== epoch);
  await broker.settle([{ queue: "q", offsets: [1, 2, 3, 4], as: "done" }]);
  assertEquals(broker.stats().queues, { queues: 0, messages: 0, bytes: 0, claimed: 0 });
  await broker.record([{ key: "k", value: "1" }]);
  await move("gong:{$records}", async () => {
    assertEquals(await refused(broker.record([{ key: "k", was: "1" }])), "overloaded");
  });
  assertEquals([...await broker.records("")], [["k", "1"]]);
  assertEquals([one.faults, one.away], [[], []]);
});

redisTest("a primary that knows too little of its cluster takes nothing, and is said to be away", async () => {
  await using redis = await startRedisCluster();
  await using one = await openNode(redis.url);
  await publishSurely(one.broker, { ...text("a", "1"), id: "1" });
  const owner = redis.primaryOf(keyOf("a"));
  const slot = String(slotOf(keyOf(another(redis, "a", true))));
  await owner.command("CONFIG", "SET", "cluster-require-full-coverage", "yes");
  await owner.command("CLUSTER", "DELSLOTS", slot);
  await until(async () => "error" in await publishOnce(one, "a", "2"));
  await until(() => one.away.length > 0);
  await owner.command("CLUSTER", "ADDSLOTS", slot);
  await publishSurely(one.broker, { ...text("a", "3"), id: "3" });
  await until(() => one.away.at(-1) === undefined, () => String(one.away.at(-1)), 30_000);
  assertEquals(one.faults, []);
});

redisTest("a primary that has lost the library is given it, and so is one that joins", async () => {
  await using redis = await startRedisCluster();
  await using one = await openNode(redis.url);
  await using other = await openNode(redis.url);
  await redis.primaryOf(keyOf("a")).command("FUNCTION", "FLUSH");
  assertEquals((await publishSurely(one.broker, { ...text("a", "1"), id: "1" })).offset, 1);
  const added = await redis.add();
  await other.broker.subscribe("a");
  await redis.move(slotOf(keyOf("a")), redis.primaryOf(keyOf("a")), added);
  assertEquals((await publishSurely(one.broker, { ...text("a", "2"), id: "2" })).offset, 2);
  assertEquals((await heard(other, "a", 1)).map(({ data }) => data), ["2"]);
  assertEquals(await added.command("HGET", `${keyOf("a")}:m`, "o"), "2");
  assertEquals([...one.faults, ...other.faults], []);
});

redisTest(
  "a primary that stands still: its channels are refused at once, others go on, and it comes back by itself",
  async () => {
    await using redis = await startRedisCluster();
    await using one = await openNode(redis.url, { brokerWait: 0.5 });
    await using other = await openNode(redis.url, { brokerWait: 0.5 });
    const elsewhere = another(redis, "a", false);
    for (const channel of ["a", elsewhere]) await one.broker.subscribe(channel);
    const paused = redis.primaryOf(keyOf("a"));
    paused.pause();
    try {
      const results = await other.broker.publish([text("a", "lost?"), text(elsewhere, "1"), text("a", "lost?")]);
      assertEquals(results.map((result) => "error" in result ? result.error.code : result.offset), [
        "overloaded",
        1,
        "overloaded",
      ]);
      await until(() => other.away.length > 0);
      assert(other.away[0]!.startsWith(`127.0.0.1:${paused.port}: no answer`), other.away[0]);
      // Long before anything could be answered.
      const start = performance.now();
      for (let n = 0; n < 20; n++) assert("error" in await publishOnce(other, "a", "x"));
      assert(performance.now() - start < 10_000);
      assertEquals((await heard(one, elsewhere, 1)).map(({ data }) => data), ["1"]);
      assertEquals(await other.broker.subscribe("a").then(() => "heard", ({ code }) => code), "overloaded");
    } finally {
      paused.resume();
    }
    await publishSurely(other.broker, { ...text("a", "again"), id: "again" });
    await until(() => one.announced.some(({ data }) => data === "again"));
    for (const { away } of [one, other]) await until(() => away.at(-1) === undefined);
  },
);

redisTest(
  "a channel that was asked for while its primary stood still, and refused, is listened to by nobody",
  async () => {
    await using redis = await startRedisCluster();
    await using node = await openNode(redis.url, { brokerWait: 2 });
    const paused = redis.primaryOf(keyOf("a"));
    paused.pause();
    try {
      await until(() => node.away.at(-1) !== undefined);
      assertEquals(await node.broker.subscribe("a").then(() => "heard", ({ code }) => code), "overloaded");
    } finally {
      paused.resume();
    }
    await until(() => node.away.at(-1) === undefined);
    const same = another(redis, "a", true);
    await node.broker.subscribe(same);
    let channels: unknown;
    await until(
      async () => String(channels = await paused.command("PUBSUB", "SHARDCHANNELS")) === keyOf(same),
      () => String(channels),
    );
  },
);

redisTest(
  "queues of all primaries: each message goes to one, and a node that ends gives back what it has",
  async () => {
    await using redis = await startRedisCluster();
    const queued: string[] = [];
    await using one = await openNode(redis.url);
    await using other = await openNode(redis.url, { onQueued: (queues) => queued.push(...queues) });
    const queues = Array.from({ length: 20 }, (_, index) => `q${index}`);
    for (const queue of queues) assertEquals(await claim(other.broker, queue), []);
    for (const queue of queues) await put(one.broker, queue, 1, 3);
    await until(() => new Set(queued).size === queues.length);
    for (const queue of queues) {
      assertEquals([await claim(one.broker, queue, 1), await claim(other.broker, queue)], [[
        1,
      ], [2, 3]]);
    }
    const { messages, claimed } = other.broker.stats().queues;
    assertEquals([messages, claimed], [60, 60]);
    const settled = queues.map((queue) => ({ queue, offsets: [2, 3], as: "done" as const }));
    await other.broker.settle(settled);
    await one.broker.close();
    for (const queue of queues) {
      const back = await other.broker.claim(queue, {});
      assertEquals(back.map(({ offset, redelivered }) => [offset, redelivered]), [[1, true]]);
    }
    // A queue and its messages are of one slot: that can be one step.
    const results = await other.broker.publish([to("q0", "4"), to("q0", "5")], { atomic: true });
    assert(results.every((result) => "offset" in result));
  },
);

redisTest(
  "a slot of what is heard that is nobody's: where it is is asked now and then, until it is heard again",
  async () => {
    await using redis = await startRedisCluster();
    await using one = await openNode(redis.url);
    await one.broker.subscribe("a");
    const slot = String(slotOf(keyOf("a")));
    const asked = async () => {
      const infos = await Promise.all(redis.primaries.map(({ command }) => command("INFO", "commandstats")));
      return infos.reduce<number>((sum, info) => sum + Number(/\|slots:calls=(\d+)/.exec(String(info))?.[1] ?? 0), 0);
    };
    await redis.primaryOf(keyOf("a")).command("CLUSTER", "DELSLOTS", slot);
    const before = await asked();
    await delay(2000);
    const count = await asked() - before;
    assert(count < 30, `${count}`);
    await redis.primaryOf(keyOf("a")).command("CLUSTER", "ADDSLOTS", slot);
    await publishSurely(one.broker, { ...text("a", "1"), id: "1" });
    await heard(one, "a", 1);
    assertEquals(one.faults, []);
  },
);
