import { assert, assertEquals } from "@std/assert";
import type { Publication } from "../../../lib/types.ts";
import { type Redis, redisTest, startRedis } from "../../support/redis.ts";
import { heard, type Node, openNode, publishSurely, publishUnannounced, text } from "../../support/redis_broker.ts";
import { until } from "../../support/until.ts";

const MINUTE = 60_000;
const DAY = 86_400_000;

redisTest("what is kept is bounded by how many, the oldest go", async () => {
  await using redis = await startRedis();
  await using node = await openNode(redis.url, { historyCount: 3 });
  for (const data of "abcde") await node.broker.publish([text("a", data)]);
  assertEquals(await kept(node), ["3c", "4d", "5e"]);
  const { top } = await node.broker.read("a");
  const at = (offset: number) => node.broker.read("a", { ...top, offset });
  assertEquals((await at(2)).recovered, true, "it has all that follows");
  const gone = await at(1);
  assertEquals([gone.recovered, gone.publications.length], [false, 0], "and never a part");
});

redisTest("what is kept is bounded by its bytes, and by those of what came in one call", async () => {
  await using redis = await startRedis();
  await using node = await openNode(redis.url, { historyBytes: 3000 });
  const long = "x".repeat(700);
  for (let n = 0; n < 5; n++) await node.broker.publish([text("a", long)]);
  assertEquals((await kept(node)).length, 3);
  await node.broker.publish([text("a", "y".repeat(3000))]);
  assertEquals(await kept(node), [], "not even itself");
  await node.broker.publish(Array.from({ length: 9 }, () => text("a", long)));
  assertEquals((await kept(node)).length, 3);
  await agree(redis);
});

redisTest("what is too old is not read, wherever it still is, and its channel goes on counting", async () => {
  await using redis = await startRedis();
  await using node = await openNode(redis.url, { historyAge: 0.4 });
  const { epoch } = await publishSurely(node.broker, { ...text("a", "old"), id: "1" });
  await until(async () => (await node.broker.read("a", { last: 9 })).publications.length === 0);
  assertEquals((await node.broker.read("a", { epoch, offset: 0 })).recovered, false);
  assertEquals((await node.broker.read("a", { epoch, offset: 1 })).recovered, true);
  const next = await publishSurely(node.broker, { ...text("a", "new"), id: "2" });
  assertEquals(next, { epoch, offset: 2 });
  await agree(redis);
  // The history lives on with what is new in it.
  await using patient = await openNode(redis.url, { brokerPrefix: "patient:" });
  await patient.broker.publish([text("a", "old"), text("a", "older than it looks"), text("a", "new")]);
  await age(redis, "patient:", 2);
  assertEquals(await kept(patient), ["3new"]);
  await agree(redis, "patient:");
});

redisTest(
  "the time to live of a publication ends with its place left, and a listener who missed it gets it",
  async () => {
    await using redis = await startRedis();
    await using node = await openNode(redis.url);
    await using listener = await openNode(redis.url, { silence: 300 });
    await listener.broker.subscribe("a");
    await listener.broker.subscribe("b");
    await node.broker.publish([{ ...text("a", "now"), ttl: 0 }, { ...text("a", "soon"), ttl: 0.3 }, text("a", "long")]);
    assertEquals((await heard(listener, "a", 3)).map(({ data }) => data), ["now", "soon", "long"]);
    await until(async () => (await node.broker.read("a", { last: 9 })).publications[1]!.expired === true);
    const { publications } = await node.broker.read("a", { last: 9 });
    assertEquals(publications.map(({ data, expired = false }) => [data, expired]), [["", true], ["", true], [
      "long",
      false,
    ]]);
    await publishUnannounced(redis, "b", ["missed"], { ttl: "0" });
    assertEquals((await heard(listener, "b", 1)).map(({ data, expired }) => [data, expired]), [["missed", undefined]]);
  },
);

redisTest("bytes are accounted for also where what is too old goes with a call that publishes nothing", async () => {
  await using redis = await startRedis();
  const drafts = { first: { ...text("a", "first"), id: "1" }, other: { ...text("a", "other"), id: "1" } };
  const ways: Record<string, (node: Node) => Promise<unknown>> = {
    repeat: (node) => node.broker.publish([drafts.first]),
    conflict: (node) => node.broker.publish([drafts.other], { atomic: true }),
    record: (node) => node.broker.publish([text("a", "refused")], { records: [{ key: "k", value: "v", was: "w" }] }),
  };
  for (const [name, go] of Object.entries(ways)) {
    const brokerPrefix = `${name}:`;
    await using node = await openNode(redis.url, { brokerPrefix, historyAge: 600 });
    await using hasty = await openNode(redis.url, { brokerPrefix, historyAge: 0.05 });
    await node.broker.publish([drafts.first, text("a", "x".repeat(1000))]);
    // What another keeps for less long is too old for it, and only some of it.
    await age(redis, brokerPrefix, 1);
    await go(hasty);
    await node.broker.publish([text("a", "last")]);
    await agree(redis, brokerPrefix);
  }
});

redisTest("a channel that nobody publishes to is not remembered for long, one that has a number is", async () => {
  await using redis = await startRedis();
  await using node = await openNode(redis.url, { historyAge: 30 * 86_400 });
  const { top } = await node.broker.read("a", { last: 1 });
  const life = async () => Number(await redis.command("PTTL", "gong:{a}:m"));
  const unused = await life();
  assert(unused > 5 * MINUTE && unused <= 15 * MINUTE, `${unused} ms`);
  const position = await publishSurely(node.broker, { ...text("a", "1"), id: "1" });
  assertEquals(position, { epoch: top.epoch, offset: 1 });
  // Its history is of use only with its number.
  const used = await life();
  assert(used > 30 * DAY, `${used} ms`);
  await redis.command("HSET", "gong:{a}:m", "r", "of another server");
  await node.broker.read("a");
  assert(await life() > 30 * DAY, "also where a read begins a new epoch");
});

redisTest("an id whose publication is not there any more stands for nothing", async () => {
  await using redis = await startRedis();
  await using node = await openNode(redis.url);
  const draft = { ...text("a", "1"), id: "1" };
  const first = await publishSurely(node.broker, draft);
  await redis.command("DEL", "gong:{a}:m");
  const [again] = await node.broker.publish([draft]);
  assert(again && !("error" in again) && !again.repeated && again.epoch !== first.epoch, JSON.stringify(again));
  assertEquals(await kept(node), ["11"]);
});

redisTest(
  "whatever somebody puts in place of a channel, others in the same call and the channel itself go on",
  async () => {
    await using redis = await startRedis();
    await using node = await openNode(redis.url, { historyCount: 3 });
    const [hash, stream] = ["gong:{a}:m", "gong:{a}:s"];
    const entry = (id: string, ...fields: string[]) => ["XADD", stream, id, ...fields];
    const damages: string[][][] = [
      [["DEL", hash], ["SET", hash, "text"]],
      [["DEL", stream], ["SET", stream, "text"]],
      [["HSET", hash, "o", "x"]],
      [["HSET", hash, "o", "-5"]],
      [["HSET", hash, "o", "1e300"]],
      [["HSET", hash, "o", "1.5", "f", "inf"]],
      [["HSET", hash, "b", "nan"]],
      [["DEL", stream], entry("1-0", "t", "99999999999999", "b", "100000", "p", "x")],
      [["DEL", stream], ...["BEFORE-0", "BEFORE-1"].map((id) => entry(id, "t", "99999999999999", "b", "1", "p", "x"))],
      [["DEL", stream], ["HSET", hash, "b", "-1e9"]],
      [entry("999999-0", "t", "1", "b", "1", "p", "x")],
      [["DEL", stream], entry("1-0", "a", "b")],
      [["DEL", stream], entry("1-0", "t", "99999999999999", "p", "x"), entry("1-1", "t", "99999999999999", "p", "x")],
      [["DEL", stream], entry("1-0", "t", "nan", "b", "nan", "p", "x", "x", "nan")],
      [["DEL", stream], entry("1-0", "t", "99999999999999", "b", "1", "x", "1")],
      [["SET", "gong:{a}:i:0:again", "text"]],
      [["SET", "gong:{a}:i:0:again", "999999 digest"]],
      [["LPUSH", "gong:{a}:i:0:again", "text"]],
    ];
    const positions = new Map<string, string>();
    for (const [turn, damage] of damages.entries()) {
      await node.broker.publish([text("a", "before"), text("a", "before")]);
      const { offset } = (await node.broker.read("a")).top;
      for (const command of damage) {
        await redis.command(...command.map((word) => word.replace("BEFORE", `${offset - 1}`)));
      }
      const what = JSON.stringify(damage);
      const seen = await node.broker.read("a", { last: 9 });
      const offsets = seen.publications.map(({ offset }) => offset);
      assertEquals(offsets, [...new Set(offsets)].sort((one, other) => one - other), what);
      assert(offsets.every((offset) => offset <= seen.top.offset), what);
      for (const [n, id] of ["again", `own ${turn}`, `other ${turn}`].entries()) {
        const drafts = [{ ...text("a", "data"), id }, text("a", "more"), text("b", "neighbour")];
        const results = await node.broker.publish(drafts);
        const bytes = String(await redis.command("HGET", hash, "b"));
        assert(/^\d+$/.test(bytes), `${what}: ${bytes} bytes`);
        for (const [place, result] of results.entries()) {
          if ("error" in result) {
            assert(
              place === 0 && id === "again" && result.error.code === "conflict",
              `${what}: ${JSON.stringify(result)}`,
            );
            continue;
          }
          if (result.repeated) continue;
          const key = `${drafts[place]!.channel} ${result.epoch}:${result.offset}`;
          const told = `${turn} ${n} ${place}`;
          assert(!positions.has(key), `${what}: ${key} is ${positions.get(key)} and ${told}`);
          positions.set(key, told);
        }
      }
      await redis.command("DEL", "gong:{a}:i:0:again");
      const { publications, top } = await node.broker.read("a", { last: 2 });
      assertEquals([publications.at(-1)?.data, publications.at(-1)?.offset], ["more", top.offset], what);
    }
    assertEquals(
      (await node.broker.read("b", { last: 1 })).top.offset,
      damages.length * 3,
      "its neighbour lost nothing",
    );
  },
);

/** Offset and data of what is read of the channel "a". */
async function kept({ broker }: Node): Promise<string[]> {
  const { publications } = await broker.read("a", { last: 100 });
  return publications.map(({ offset, data }: Publication) => `${offset}${data}`);
}

/** The number of bytes in the hash is the sum of those in the stream. */
async function agree(redis: Redis, prefix = "gong:"): Promise<void> {
  const entries = await redis.command("XRANGE", `${prefix}{a}:s`, "-", "+") as [string, string[]][];
  const sum = entries.reduce((sum, [, fields]) => sum + Number(fields[fields.indexOf("b") + 1]), 0);
  assert(entries.length > 0);
  assertEquals(Number(await redis.command("HGET", `${prefix}{a}:m`, "b")), sum);
}

/** Makes the first publications of "a" as old as can be. */
async function age(redis: Redis, prefix: string, count: number): Promise<void> {
  const stream = `${prefix}{a}:s`;
  const entries = await redis.command("XRANGE", stream, "-", "+") as [string, string[]][];
  await redis.command("DEL", stream);
  for (const [index, [id, fields]] of entries.entries()) {
    const time = index < count ? "1" : String(Date.now() + DAY);
    await redis.command("XADD", stream, id, "t", time, ...fields.slice(2));
  }
}
