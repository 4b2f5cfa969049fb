import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { queueChannel } from "../../../lib/reserved.ts";
import type { Draft, Position, Publication } from "../../../lib/types.ts";
import { type Redis, redisTest, startRedis } from "../../support/redis.ts";
import {
  heard,
  openNode,
  publishPayload,
  publishSurely,
  publishUnannounced,
  text,
} from "../../support/redis_broker.ts";
import { TcpProxy } from "../../support/tcp_proxy.ts";
import { until } from "../../support/until.ts";

function offsets(publications: readonly Publication[]): number[] {
  return publications.map(({ offset }) => offset);
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

redisTest("what one node publishes another hears that listens, numbered as one", async () => {
  await using redis = await startRedis();
  await using one = await openNode(redis.url);
  await using other = await openNode(redis.url);
  await Promise.all([one.broker.subscribe("a"), other.broker.subscribe("a")]);
  for (let n = 0; n < 50; n++) {
    await Promise.all([one.broker.publish([text("a", `one ${n}`)]), other.broker.publish([text("a", `other ${n}`)])]);
  }
  const first = await heard(one, "a", 100);
  const second = await heard(other, "a", 100);
  assertEquals(first, second);
  assertEquals(offsets(first), range(1, 100));
});

redisTest("a node hears only what it listens to, and nothing twice when it stops and begins again", async () => {
  await using redis = await startRedis();
  await using one = await openNode(redis.url);
  await using other = await openNode(redis.url);
  await other.broker.subscribe("a");
  await one.broker.publish([text("a", "1"), text("b", "1")]);
  await heard(other, "a", 1);
  await other.broker.unsubscribe("a");
  await one.broker.publish([text("a", "2")]);
  await other.broker.subscribe("a");
  assertEquals((await other.broker.read("a")).top.offset, 2);
  await one.broker.publish([text("a", "3")]);
  await heard(other, "a", 2);
  assertEquals(other.announced.map(({ channel, data }) => `${channel}${data}`), ["a1", "a3"]);
});

redisTest("a channel that is left and subscribed to again in the same breath is heard", async () => {
  await using redis = await startRedis();
  await using one = await openNode(redis.url, { silence: 60_000 });
  await using other = await openNode(redis.url);
  for (let n = 1; n <= 100; n++) {
    await one.broker.subscribe("a");
    await other.broker.publish([text("a", `${n}`)]);
    await heard(one, "a", n);
    const left = one.broker.unsubscribe("a");
    if (n % 2 === 0) await left;
  }
});

redisTest("what is published while a channel is being subscribed to is announced, from where that began", async () => {
  await using redis = await startRedis();
  await using one = await openNode(redis.url);
  await using other = await openNode(redis.url);
  for (let n = 0; n < 50; n++) {
    const channel = `c${n}`;
    await other.broker.publish([text(channel, "before")]);
    const subscribed = one.broker.subscribe(channel);
    const own = one.broker.publish([text(channel, "own")]);
    const foreign = other.broker.publish([text(channel, "foreign")]);
    await Promise.all([subscribed, own, foreign]);
    const { top } = await one.broker.read(channel);
    const seen = one.announced.filter((publication) => publication.channel === channel);
    const since = seen.findIndex(({ data }) => data === "own");
    assert(since >= 0, "its own comes after it");
    assertEquals(offsets(seen.slice(since)), range(seen[since]!.offset, top.offset), "up to what a read says");
  }
});

redisTest("ten thousand channels are subscribed to at once, and each hears its own", async () => {
  await using redis = await startRedis();
  // Everything is asked in one breath, and the last answer takes as long as all.
  await using one = await openNode(redis.url, { brokerWait: 20 });
  await using other = await openNode(redis.url, { brokerWait: 20 });
  const channels = range(1, 10_000).map((n) => `c${n}`);
  await Promise.all(channels.map((channel) => one.broker.subscribe(channel)));
  const results = await other.broker.publish(channels.map((channel) => text(channel, channel)));
  assert(results.every((result) => !("error" in result) && result.offset === 1));
  await until(() => one.announced.length === channels.length, () => `${one.announced.length}`);
  assert(one.announced.every(({ channel, data }) => channel === data));
});

redisTest("the listening connection is cut again and again: each publication once, in order", async () => {
  await using redis = await startRedis();
  await using one = await openNode(redis.url);
  await using other = await openNode(redis.url);
  await Promise.all([one.broker.subscribe("a"), other.broker.subscribe("a")]);
  const count = 2000;
  for (let n = 1; n <= count; n++) {
    await publishSurely(one.broker, { ...text("a", `${n}`), id: `${n}` });
    if (n % 400 === 0) await redis.command("CLIENT", "KILL", "TYPE", "pubsub");
  }
  assertEquals(offsets(await heard(one, "a", count)), range(1, count));
  assertEquals(offsets(await heard(other, "a", count)), range(1, count));
  assertEquals([...one.moved, ...other.moved, ...one.faults, ...other.faults], []);
});

redisTest("a last announcement that is lost in silence is found by itself", async () => {
  await using redis = await startRedis();
  await using one = await openNode(redis.url, { silence: 300 });
  await one.broker.subscribe("a");
  await publishUnannounced(redis, "a", ["lost"]);
  assertEquals((await heard(one, "a", 1)).map(({ data }) => data), ["lost"]);
});

redisTest("what was lost and is not kept any more is said to be gone, and what follows is announced", async () => {
  await using redis = await startRedis();
  await using one = await openNode(redis.url, { historyCount: 2, silence: 300 });
  await one.broker.subscribe("a");
  await publishUnannounced(redis, "a", range(1, 5).map(String), { kept: 2 });
  assertEquals(offsets(await heard(one, "a", 2)), [4, 5]);
  await using unkept = await openNode(redis.url, { historyCount: 0, silence: 300 });
  await unkept.broker.subscribe("b");
  await publishUnannounced(redis, "b", ["1"], { kept: 0 });
  await until(() => unkept.moved.includes("b"));
  await unkept.broker.publish([text("b", "2")]);
  assertEquals(offsets(await heard(unkept, "b", 1)), [2]);
});

redisTest("Redis comes back empty: new epochs, everything that follows is heard", async () => {
  const redis = await startRedis();
  await using one = await openNode(redis.url);
  await using other = await openNode(redis.url);
  await one.broker.subscribe("a");
  await one.broker.subscribe("silent");
  await publishSurely(other.broker, { ...text("a", "1"), id: "1" });
  const [before] = await heard(one, "a", 1);
  await redis.kill();
  await until(() => one.away.length > 0 && other.away.length > 0);
  const [refused] = await other.broker.publish([text("a", "away")]);
  assert(refused && "error" in refused && refused.error.code === "overloaded" && refused.error.retryAfter === 1);
  await using _again = await startRedis({ port: redis.port });
  const after = await publishSurely(other.broker, { ...text("a", "2"), id: "2" });
  assert(after.epoch !== before!.epoch);
  const [, second] = await heard(one, "a", 2);
  assertEquals([second!.epoch, second!.offset, second!.data], [after.epoch, 1, "2"]);
  // Of a channel where nothing follows it is said.
  await until(() => one.moved.includes("silent"));
  assertEquals(one.away.at(-1), undefined);
});

redisTest("Redis comes back from an older snapshot: no offset is used twice in one epoch", async () => {
  const redis = await startRedis({ dir: await Deno.makeTempDir() });
  try {
    await using one = await openNode(redis.url);
    await using other = await openNode(redis.url);
    await one.broker.subscribe("a");
    const seen = new Map<string, string>();
    const note = ({ epoch, offset }: Position, data: string) => {
      const key = `${epoch}:${offset}`;
      assert(!seen.has(key) || seen.get(key) === data, `${key} is ${seen.get(key)} and ${data}`);
      seen.set(key, data);
    };
    for (let n = 1; n <= 20; n++) note(await publishSurely(other.broker, { ...text("a", `${n}`), id: `${n}` }), `${n}`);
    await redis.command("SAVE");
    for (let n = 21; n <= 40; n++) {
      note(await publishSurely(other.broker, { ...text("a", `${n}`), id: `${n}` }), `${n}`);
    }
    // What Redis had no time to announce is lost with it.
    await heard(one, "a", 40);
    await redis.kill();
    await using _again = await startRedis({ port: redis.port, dir: redis.dir });
    // A node that has heard nothing of it publishes first.
    await using third = await openNode(redis.url);
    for (let n = 41; n <= 50; n++) {
      note(await publishSurely(third.broker, { ...text("a", `${n}`), id: `${n}` }), `${n}`);
    }
    const all = await heard(one, "a", 50);
    for (const { data, ...position } of all) note(position, String(data));
    assertEquals(all.map(({ data }) => data), range(1, 50).map(String), "and nothing acknowledged is missing");
    const { publications } = await third.broker.read("a", { last: 100 });
    assertEquals(publications.map(({ data }) => data), [...range(1, 20), ...range(41, 50)].map(String));
  } finally {
    await Deno.remove(redis.dir, { recursive: true });
  }
});

redisTest("a replica that is behind is promoted: no offset is used twice in one epoch", async () => {
  await using primary = await startRedis({ args: ["--repl-diskless-sync-delay", "0"] });
  await using replica = await startRedis({ args: ["--replicaof", `127.0.0.1 ${primary.port}`] });
  await until(async () => String(await replica.command("INFO", "replication")).includes("master_link_status:up"));
  const seen = new Map<string, string>();
  let epoch: string;
  {
    await using one = await openNode(primary.url);
    for (let n = 1; n <= 10; n++) {
      const position = await publishSurely(one.broker, { ...text("a", `${n}`), id: `${n}` });
      seen.set(`${position.epoch}:${position.offset}`, `${n}`);
    }
    await until(async () => (await replica.command("XLEN", "gong:{a}:s")) === 10);
    // It gets nothing any more, and does not know.
    replica.pause();
    ({ epoch } = await publishSurely(one.broker, { ...text("a", "lost"), id: "lost" }));
    seen.set(`${epoch}:11`, "lost");
    await primary.kill();
  }
  replica.resume();
  await replica.command("REPLICAOF", "NO", "ONE");
  await using other = await openNode(replica.url);
  const position = await publishSurely(other.broker, { ...text("a", "next"), id: "next" });
  assert(position.epoch !== epoch);
  const { publications } = await other.broker.read("a", { last: 100 });
  assertEquals(publications.at(-1)!.data, "next");
});

redisTest("FLUSHALL while nodes listen: what follows is heard in a new epoch", async () => {
  await using redis = await startRedis();
  await using one = await openNode(redis.url);
  await one.broker.subscribe("a");
  const [first] = await one.broker.publish([text("a", "1")]);
  await redis.command("FLUSHALL");
  await redis.command("FUNCTION", "FLUSH");
  const second = await publishSurely(one.broker, { ...text("a", "2"), id: "2" });
  assert(!("error" in first!) && first!.epoch !== second.epoch);
  assertEquals((await heard(one, "a", 2)).map(({ data }) => data), ["1", "2"]);
});

redisTest("a channel that was asked for while Redis was away, and refused, is listened to by nobody", async () => {
  await using redis = await startRedis();
  await using proxy = new TcpProxy(redis);
  await using node = await openNode(proxy.url.replace("http:", "redis:"), { brokerWait: 5 });
  proxy.hold();
  proxy.cut();
  await until(() => node.away.at(-1) !== undefined);
  assertEquals(await node.broker.subscribe("a").then(() => "heard", ({ code }) => code), "overloaded");
  proxy.release();
  await until(() => node.away.at(-1) === undefined);
  await node.broker.subscribe("b");
  let channels: unknown;
  await until(
    async () => String(channels = await redis.command("PUBSUB", "SHARDCHANNELS")) === "gong:{b}",
    () => String(channels),
  );
});

redisTest("Redis stands still: what is published is refused soon, and goes on when it does", async () => {
  await using redis = await startRedis();
  await using one = await openNode(redis.url, { brokerWait: 0.3 });
  await using other = await openNode(redis.url, { brokerWait: 0.3 });
  await one.broker.subscribe("a");
  await publishSurely(other.broker, { ...text("a", "1"), id: "1" });
  redis.pause();
  const [refused] = await other.broker.publish([{ ...text("a", "2"), id: "2" }]);
  assert(refused && "error" in refused && refused.error.code === "overloaded");
  const [again] = await other.broker.publish([{ ...text("a", "2"), id: "2" }]);
  assert(again && "error" in again && again.error.code === "overloaded");
  redis.resume();
  await publishSurely(other.broker, { ...text("a", "2"), id: "2" });
  await publishSurely(other.broker, { ...text("a", "3"), id: "3" });
  const all = await heard(one, "a", 3);
  assertEquals(all.map(({ offset, data }) => [offset, data]), [[1, "1"], [2, "2"], [3, "3"]]);
});

redisTest("a primary that becomes a replica is asked again now and then, not with every call", async () => {
  await using redis = await startRedis();
  await using node = await openNode(redis.url);
  await publishSurely(node.broker, { ...text("a", "1"), id: "1" });
  const connections = async () => {
    const stats = String(await redis.command("INFO", "stats"));
    return Number(/total_connections_received:(\d+)/.exec(stats)![1]);
  };
  await redis.command("REPLICAOF", "127.0.0.1", "1");
  const before = await connections();
  for (let n = 0; n < 200; n++) {
    const [refused] = await node.broker.publish([text("a", `${n}`)]);
    assert(refused && "error" in refused);
  }
  // One of them is the connection that asks this.
  assert(await connections() - before < 20, `${await connections() - before} connections`);
  await redis.command("REPLICAOF", "NO", "ONE");
  await publishSurely(node.broker, { ...text("a", "2"), id: "2" });
});

redisTest(
  "a server that takes connections and says nothing is left, and a node comes back when it speaks",
  async () => {
    await using redis = await startRedis();
    await using proxy = new TcpProxy(redis);
    await using node = await openNode(proxy.url.replace("http:", "redis:"), { brokerWait: 0.3 });
    await node.broker.subscribe("a");
    await publishSurely(node.broker, { ...text("a", "1"), id: "1" });
    proxy.hold();
    proxy.cut();
    await until(() => node.away.at(-1) !== undefined);
    const accepted = proxy.accepted;
    // Both are made anew, though nothing ends them.
    await until(() => proxy.accepted >= accepted + 4, () => `${proxy.accepted - accepted} connections`);
    proxy.release();
    await publishSurely(node.broker, { ...text("a", "2"), id: "2" });
    assertEquals((await heard(node, "a", 2)).map(({ data }) => data), ["1", "2"]);
  },
);

/** How often Redis has refused to do the command, without looking at it. */
async function refusals(redis: Redis, command: string): Promise<number> {
  const stats = String(await redis.command("INFO", "commandstats").catch(() => ""));
  return Number(new RegExp(`cmdstat_${command}:.*rejected_calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}

redisTest("Redis that is loading is away, and everything goes on when it has done so", async () => {
  const redis = await startRedis({ dir: await Deno.makeTempDir(), args: ["--rdbcompression", "no"] });
  try {
    // Whatever is not asked for when Redis is back is not asked for at all.
    await using one = await openNode(redis.url, { silence: 60_000 });
    await one.broker.subscribe("a");
    await publishSurely(one.broker, { ...text("a", "1"), id: "1" });
    const keys = range(1, 150).flatMap((n) => [`k${n}`, "x".repeat(2000)]);
    await redis.command("MSET", ...keys);
    await redis.command("SAVE");
    await redis.kill();
    await until(() => one.away.length > 0);
    // A key takes 20 ms, and after each the clients are heard.
    const slow = ["--key-load-delay", "20000", "--loading-process-events-interval-bytes", "1024"];
    const starting = startRedis({ port: redis.port, dir: redis.dir, args: slow });
    try {
      await until(async () => await refusals(redis, "ping") > 3);
      assertEquals(one.away.length, 1);
      const [refused] = await one.broker.publish([text("a", "2")]);
      assert(refused && "error" in refused && refused.error.code === "overloaded", JSON.stringify(refused));
      assert(String(await redis.command("INFO", "persistence")).includes("loading:1"));
      // Who starts meanwhile waits.
      await using other = await openNode(redis.url);
      await until(() => one.moved.includes("a"));
      assertEquals(one.away.at(-1), undefined);
      await publishSurely(other.broker, { ...text("a", "3"), id: "3" });
      assertEquals((await heard(one, "a", 2)).map(({ data }) => data), ["1", "3"]);
    } finally {
      await (await starting).kill();
    }
  } finally {
    await Deno.remove(redis.dir, { recursive: true });
  }
});

for (const way of ["its own", "a new"] as const) {
  redisTest(
    `a node that may not listen any more on ${way} connection is away until it may, and misses nothing`,
    async () => {
      await using redis = await startRedis();
      await redis.command("ACL", "SETUSER", "gong", "on", ">secret", "~*", "+@all", "&gong:*");
      await using proxy = new TcpProxy(redis);
      const url = proxy.url.replace("http://", "redis://gong:secret@");
      await using node = await openNode(url, { brokerWait: 0.3, silence: 60_000 });
      await using other = await openNode(redis.url);
      await node.broker.subscribe("a");
      await publishSurely(other.broker, { ...text("a", "1"), id: "1" });
      await heard(node, "a", 1);
      if (way === "a new") proxy.hold();
      const { accepted } = proxy;
      // Redis ends the connections of those who listen to what they may not.
      await redis.command("ACL", "SETUSER", "gong", "resetchannels");
      if (way === "a new") {
        proxy.cut();
        await until(() => proxy.accepted >= accepted + 4, () => `${proxy.accepted - accepted} connections`);
        proxy.release();
      }
      await until(async () => await refusals(redis, "ssubscribe") > 3);
      await publishSurely(node.broker, { ...text("a", "2"), id: "2" });
      await publishSurely(other.broker, { ...text("a", "3"), id: "3" });
      assert(node.away.at(-1) !== undefined, "it is said to be away");
      await redis.command("ACL", "SETUSER", "gong", "&gong:*");
      await until(() => node.away.at(-1) === undefined);
      await publishSurely(other.broker, { ...text("a", "4"), id: "4" });
      assertEquals((await heard(node, "a", 4)).map(({ data }) => data), ["1", "2", "3", "4"]);
    },
  );
}

redisTest("what others put into channels and streams is told, and harms nobody", async () => {
  await using redis = await startRedis();
  await using one = await openNode(redis.url);
  await one.broker.subscribe("a");
  await one.broker.subscribe("b");
  await publishSurely(one.broker, { ...text("a", "1"), id: "1" });
  const lines = [
    "",
    "x",
    "1 ",
    "1 e 1 1 5\nabc",
    "2 e 1 1 0\n",
    "1 e 99999 1 3\nabc",
    "1 zz 7 1 0\n",
    "\0".repeat(100),
  ];
  for (const line of lines) await redis.command("SPUBLISH", "gong:{a}", line);
  await redis.command("XADD", "gong:{b}:s", "1-0", "t", `${Date.now()}`, "b", "1", "p", "nonsense");
  await redis.command("HINCRBY", "gong:{b}:m", "o", "1");
  await publishSurely(one.broker, { ...text("a", "2"), id: "2" });
  await publishSurely(one.broker, { ...text("b", "2"), id: "2" });
  assertEquals((await heard(one, "a", 2)).map(({ offset, data }) => [offset, data]), [[1, "1"], [2, "2"]]);
  assertEquals((await heard(one, "b", 1)).at(-1)!.data, "2");
  const { publications } = await one.broker.read("b", { last: 10 });
  assertEquals(publications.map(({ data, expired }) => [data, expired === true]), [["", true], ["2", false]]);
  assert(one.faults.length >= lines.length, `${one.faults.length} faults`);
});

/** A payload with any head, as text, and any kind of data. */
function payloadOf(head: unknown, kind = 0): Buffer {
  const bytes = Buffer.from(typeof head === "string" ? head : JSON.stringify(head));
  const fixed = Buffer.from([1, kind, 0, 0, 0, 0]);
  fixed.writeUInt32LE(bytes.length, 2);
  return Buffer.concat([fixed, bytes, Buffer.from("data")]);
}

redisTest("a message that is not what this release knows is a place, on its channel alone", async () => {
  const contentType = "text/plain";
  const heads: unknown[] = [
    ...["", "{", "null", "7", '"text"', "[]", "{}"],
    ...[null, 7, ["text/plain"]].map((contentType) => ({ contentType })),
    ...["id", "event", "user", "from"].flatMap((name) => {
      return [null, 7, true, ["a"], { a: "b" }].map((value) => ({ contentType, [name]: value }));
    }),
    ...[null, "a", 7, ["a"], { a: 7 }, { a: "b", c: null }, { a: { b: "c" } }].map((tags) => ({ contentType, tags })),
    ...[null, false, "true", 1, {}].map((trace) => ({ contentType, trace })),
  ];
  const broken = [...heads.map((head) => payloadOf(head)), ...[2, 255].map((kind) => payloadOf({ contentType }, kind))];
  await using redis = await startRedis();
  await using one = await openNode(redis.url);
  await Promise.all([one.broker.subscribe("a"), one.broker.subscribe("b")]);
  for (const [index, payload] of broken.entries()) {
    const faults = one.faults.length;
    await publishPayload(redis, "b", payload);
    const [own] = await one.broker.publish([text("a", `${index}`)]);
    assertEquals((own as Position).offset, index + 1);
    const place = (await heard(one, "b", index + 1)).at(-1)!;
    assertEquals([place.offset, place.data, place.expired], [index + 1, "", true], payload.toString());
    assert(one.faults.length > faults, "and it is told");
  }
  assertEquals(offsets(await heard(one, "a", broken.length)), range(1, broken.length));
  // What a later release adds is passed over, and all that is known is taken.
  const head = { contentType, id: "1", event: "e", user: "u", from: "f", tags: { a: "b" }, trace: true } as const;
  const faults = one.faults.length;
  await publishPayload(redis, "b", payloadOf({ ...head, later: [1], channel: "a" }));
  const { epoch: _epoch, time: _time, ...last } = (await heard(one, "b", broken.length + 1)).at(-1)!;
  assertEquals(last, { ...head, channel: "b", offset: broken.length + 1, data: "data" });
  assertEquals(one.faults.length, faults);
  const { publications } = await one.broker.read("b", { last: 100 });
  assertEquals(publications.map(({ expired }) => expired), [...broken.map(() => true as const), undefined]);
});

redisTest(
  "a message in a queue that is not what this release knows is given to nobody, and what follows is",
  async () => {
    await using redis = await startRedis();
    await using one = await openNode(redis.url);
    const foreign = { ...text(queueChannel("a"), "1"), event: 7 } as unknown as Draft;
    await one.broker.publish([foreign, text(queueChannel("a"), "2")]);
    assertEquals((await one.broker.claim("a", {})).map(({ offset, data }) => [offset, data]), [[2, "2"]]);
    assertEquals([one.faults.length, one.broker.stats().queues.messages], [1, 2]);
  },
);
