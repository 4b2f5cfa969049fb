import { assert, assertEquals, assertRejects } from "@std/assert";
import { createRedisBroker, type RedisBrokerOptions } from "../../../lib/brokers/redis.ts";
import { BrokerSetupError } from "../../../lib/brokers/setup_error.ts";
import { redisTest, startRedis } from "../../support/redis.ts";
import { openNode, publishSurely, text } from "../../support/redis_broker.ts";

const FIXTURES = new URL("../../fixtures/", import.meta.url).pathname;

/** The line of the README that makes the user. */
function rightsOf(readme: string): string[] {
  const [, rights] = /ACL SETUSER gong on ">PASSWORD" (.*)/.exec(readme) ?? [];
  assert(rights, "the README has the user that Gong needs");
  return rights.split(" ");
}

async function reason(broker: string, options: Partial<RedisBrokerOptions> = {}): Promise<string> {
  const opened = createRedisBroker(() => {}, { broker, brokerWait: 1, ...options });
  const error = await assertRejects(() => opened.start!(), BrokerSetupError);
  assertEquals(await opened.read("a").catch(({ code }) => code), "going_away");
  return error.message;
}

redisTest("Redis is used by a user with the rights of the README, and no others", async () => {
  await using redis = await startRedis();
  const rights = rightsOf(await Deno.readTextFile("README.md"));
  await redis.command("ACL", "SETUSER", "gong", "on", ">secret", ...rights);
  const url = `redis://gong:secret@127.0.0.1:${redis.port}`;
  await using one = await openNode(url);
  await using other = await openNode(url);
  await other.broker.subscribe("a");
  await publishSurely(one.broker, { ...text("a", "1"), id: "1", ttl: 5 });
  for (let n = 0; n < 5; n++) await one.broker.publish([text("a", "x")]);
  await one.broker.publish([text("a", "2")], { records: [{ key: "r", value: "1", isNew: true }] });
  assertEquals((await one.broker.read("a", { last: 3 })).publications.length, 3);
  await one.broker.record([{ key: "r", was: "1" }]);
  assertEquals((await one.broker.records("")).size, 0);
  const member = { address: "http://127.0.0.1:1", version: "1", run: "x" };
  const node = await one.broker.membership!.join(member, 10);
  assertEquals((await one.broker.membership!.renew({ node, ...member }, 10)).members.length, 1);
  await one.broker.membership!.leave(node);
  await redis.command("CLIENT", "KILL", "TYPE", "pubsub");
  await publishSurely(one.broker, { ...text("a", "3"), id: "3" });
  await other.broker.unsubscribe("a");
  assertEquals([...one.faults, ...other.faults], []);
  // Each of them is needed.
  for (const right of rights.filter((right) => right.startsWith("+"))) {
    // Without these it still starts: it speaks the older protocol, and asks whether Redis is there in other ways.
    // The third is for a cluster.
    if (["+hello", "+ping", "+cluster|slots"].includes(right)) continue;
    await redis.command("ACL", "SETUSER", "less", "on", ">secret", ...rights, `-${right.slice(1)}`);
    await redis.command("FUNCTION", "FLUSH");
    await redis.command("DEL", "gong:{$nodes}:n");
    const less = createRedisBroker(() => {}, { broker: url.replace("gong:", "less:"), brokerWait: 1 });
    const outcome = await less.start!().then(() => "started", (error: Error) => error.message);
    await less.close();
    assert(outcome !== "started", `without ${right} it starts`);
  }
});

redisTest("Redis that cannot be used is said to be so, in words", async () => {
  await using redis = await startRedis({ args: ["--requirepass", "secret"] });
  assertEquals(await reason(redis.url), `Redis at 127.0.0.1:${redis.port} wants a password`);
  const wrong = await reason(`redis://:nonsense@127.0.0.1:${redis.port}`);
  assertEquals(wrong, `Redis at 127.0.0.1:${redis.port} does not take this user and password`);
  await using evicts = await startRedis({ args: ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"] });
  const policy = await reason(evicts.url);
  assertEquals(policy, "Redis may drop what it keeps: set maxmemory-policy to noeviction, it is allkeys-lru");
  await using replica = await startRedis({ args: ["--replicaof", `127.0.0.1 ${evicts.port}`] });
  assertEquals(await reason(replica.url), "this Redis is a replica: name its primary, or the Sentinels");
  await using cluster = await startRedis({ args: ["--cluster-enabled", "yes"] });
  assertEquals(
    await reason(cluster.url),
    "this Redis is a node of a Redis Cluster: name it with redis+cluster://HOST,HOST",
  );
  await using bare = await startRedis();
  await bare.command("ACL", "SETUSER", "weak", "on", ">secret", "+@all", "-spublish", "~*", "&*");
  const weak = await reason(`redis://weak:secret@127.0.0.1:${bare.port}`);
  assert(weak.startsWith("the user at Redis lacks a right, for FCALL: "), weak);
});

redisTest("Redis without room refuses what is published, and takes it again when there is", async () => {
  await using redis = await startRedis({ args: ["--maxmemory", "100mb", "--maxmemory-policy", "noeviction"] });
  await using node = await openNode(redis.url);
  await publishSurely(node.broker, { ...text("a", "1"), id: "1" });
  await redis.command("CONFIG", "SET", "maxmemory", "1");
  const [refused] = await node.broker.publish([text("a", "2")]);
  assert(refused && "error" in refused);
  assertEquals([refused.error.code, refused.error.retryAfter], ["overloaded", 1]);
  assertEquals([node.faults, node.away], [[], []]);
  await redis.command("CONFIG", "SET", "maxmemory", "100mb");
  assertEquals((await publishSurely(node.broker, { ...text("a", "2"), id: "2" })).offset, 2);
});

redisTest(
  "Redis over TLS is used when its certificate is that of somebody who is trusted, and not otherwise",
  async () => {
    const files = ["--tls-cert-file", `${FIXTURES}localhost.pem`, "--tls-key-file", `${FIXTURES}localhost.key`];
    const tls = [...files, "--tls-ca-cert-file", `${FIXTURES}authority.pem`, "--tls-auth-clients", "no"];
    await using redis = await startRedis({ tls });
    const ca = await Deno.readTextFile(`${FIXTURES}authority.pem`);
    const url = `rediss://127.0.0.1:${redis.port}`;
    await using one = await openNode(url, { ca });
    await using other = await openNode(url, { ca });
    await other.broker.subscribe("a");
    assertEquals((await publishSurely(one.broker, { ...text("a", "1"), id: "1" })).offset, 1);
    const untrusted = await reason(url);
    assert(/certificate|issuer/i.test(untrusted), untrusted);
    const foreign = await reason(url, { ca: await Deno.readTextFile(`${FIXTURES}self_signed.pem`) });
    assert(/certificate|issuer/i.test(foreign), foreign);
  },
);
