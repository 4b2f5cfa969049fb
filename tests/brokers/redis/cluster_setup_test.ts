import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { createRedisBroker } from "../../../lib/brokers/redis.ts";
import { RedisClient } from "../../../lib/brokers/redis/client.ts";
import { readShards } from "../../../lib/brokers/redis/shards.ts";
import { slotOf } from "../../../lib/brokers/redis/slot.ts";
import { BrokerSetupError } from "../../../lib/brokers/setup_error.ts";
import { redisTest, startRedis } from "../../support/redis.ts";
import { heard, openNode, publishSurely, text } from "../../support/redis_broker.ts";
import { sharedRedisCluster, startRedisCluster } from "../../support/redis_cluster.ts";

const FIXTURES = new URL("../../fixtures/", import.meta.url).pathname;
/** One of each primary. */
const CHANNELS = ["a", "b", "c"];

async function reason(broker: string): Promise<string> {
  const opened = createRedisBroker(() => {}, { broker, brokerWait: 1 });
  return (await assertRejects(() => opened.start!(), BrokerSetupError)).message;
}

redisTest("slotOf() is what Redis says", async () => {
  const { primaries: [server] } = await sharedRedisCluster();
  const keys = [
    "",
    "a",
    "123456789",
    "gong:{$queues:7}:q:x",
    "{}a{b}",
    "{a",
    "a}b{c}",
    "{{a}}",
    "ü{é}🎉",
    "x".repeat(300),
  ];
  for (const key of keys) assertEquals(await server!.command("CLUSTER", "KEYSLOT", key), slotOf(key), key);
});

Deno.test("readShards() refuses a server that does not say its host, and takes one that means its own", () => {
  assertEquals(readShards([[0, 5, [null, 1]]], "h"), [{ from: 0, to: 5, host: "h", port: 1 }]);
  assertEquals(readShards([[0, 5, [Buffer.from("::1"), 1]]], "h"), [{ from: 0, to: 5, host: "::1", port: 1 }]);
  for (const host of ["?", "a b", "u@h"]) {
    assertThrows(() => readShards([[0, 5, [Buffer.from(host), 1]]], "h"), TypeError, "cluster-announce-hostname");
  }
});

Deno.test("RedisClient shows no password of an address that is none", () => {
  const options = { url: "redis://u:hunter2@?:1/0", wait: 1, onAway: () => {}, onReady: () => {} };
  const { message, cause } = assertThrows(() => new RedisClient(options), TypeError);
  assert(!`${message}${cause}`.includes("hunter2"), message);
});

redisTest("a Redis Cluster is used by a user with the rights of the README, on each of its primaries", async () => {
  await using redis = await startRedisCluster();
  const [, rights] = /ACL SETUSER gong on ">PASSWORD" (.*)/.exec(await Deno.readTextFile("README.md")) ?? [];
  const setUser = (name: string, ...more: string[]) => {
    return Promise.all(redis.primaries.map(({ command }) => {
      return command("ACL", "SETUSER", name, "on", ">secret", ...rights!.split(" "), ...more);
    }));
  };
  await setUser("gong");
  await setUser("blind", "-cluster|slots");
  await setUser("weak");
  await redis.primaries[2]!.command("ACL", "SETUSER", "weak", "-spublish");
  const urlOf = (user: string) => redis.url.replace("://", `://${user}:secret@`);
  await using one = await openNode(urlOf("gong"));
  await using other = await openNode(urlOf("gong"));
  assertEquals(new Set(CHANNELS.map((channel) => redis.primaryOf(`{${channel}}`))).size, 3);
  for (const channel of CHANNELS) {
    await other.broker.subscribe(channel);
    await publishSurely(one.broker, { ...text(channel, "1"), id: "1", ttl: 5 });
    await heard(other, channel, 1);
    await other.broker.unsubscribe(channel);
  }
  assertEquals([...one.faults, ...other.faults], []);
  assert((await reason(urlOf("blind"))).includes("the user lacks a right, for CLUSTER SLOTS: "));
  assert((await reason(urlOf("weak"))).startsWith("the user at Redis lacks a right, for FCALL: "));
});

redisTest("a Redis Cluster that cannot be used is said to be so, in words", async () => {
  await using single = await startRedis();
  assertEquals(
    await reason(`redis+cluster://127.0.0.1:${single.port}`),
    `Redis at 127.0.0.1:${single.port} is no node of a Redis Cluster: name it with redis://HOST`,
  );
  await using redis = await startRedisCluster();
  await redis.primaries[1]!.command("CONFIG", "SET", "maxmemory", "100mb");
  await redis.primaries[1]!.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
  const policy = "Redis may drop what it keeps: set maxmemory-policy to noeviction, it is allkeys-lru";
  assertEquals(await reason(redis.url), policy);
  assertEquals(
    await reason(redis.url.replace("://", "://nobody:x@")).then((text) => text.replace(/at \S+ /, "")),
    "Redis does not take this user and password",
  );
  const owner = redis.primaryOf("{a}");
  await owner.command("CONFIG", "SET", "maxmemory", "0");
  await owner.command("CLUSTER", "DELSLOTS", String(slotOf("{a}")));
  // The others do not know yet.
  assert((await reason(`redis+cluster://127.0.0.1:${owner.port}`)).endsWith(`: no primary has slot ${slotOf("{a}")}`));
});

redisTest("a Redis Cluster is spoken to over TLS, at the addresses that it names itself", async () => {
  const files = ["--tls-cert-file", `${FIXTURES}localhost.pem`, "--tls-key-file", `${FIXTURES}localhost.key`];
  const tls = [...files, "--tls-ca-cert-file", `${FIXTURES}authority.pem`, "--tls-auth-clients", "no"];
  await using redis = await startRedisCluster({ tls });
  const ca = await Deno.readTextFile(`${FIXTURES}authority.pem`);
  await using one = await openNode(redis.tlsUrl, { ca });
  await using other = await openNode(redis.tlsUrl, { ca });
  for (const channel of CHANNELS) {
    await other.broker.subscribe(channel);
    assertEquals((await publishSurely(one.broker, { ...text(channel, "1"), id: "1" })).offset, 1);
  }
  assert(/certificate|issuer/i.test(await reason(redis.tlsUrl)));
});
