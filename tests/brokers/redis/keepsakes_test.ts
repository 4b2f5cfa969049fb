import { assertEquals } from "@std/assert";
import { redisTest, startRedis } from "../../support/redis.ts";
import { openNode } from "../../support/redis_broker.ts";
import { until } from "../../support/until.ts";

redisTest("what a node leaves behind is one other's, and goes by itself when its time is over", async () => {
  await using redis = await startRedis();
  await using one = await openNode(redis.url);
  await using other = await openNode(redis.url);
  const many = Array.from({ length: 1200 }, (_, n) => ({ key: `key ${n}`, value: `value ${n} é`, seconds: 60 }));
  await one.broker.keepsakes!.keep([...many, { key: "brief", value: "x", seconds: 0.05 }]);
  const taken = await Promise.all([one, other, one].map(({ broker }) => broker.keepsakes!.take("key 1199")));
  assertEquals(taken.toSorted(), ["value 1199 é", undefined, undefined]);
  assertEquals(await other.broker.keepsakes!.take("key 0"), "value 0 é");
  assertEquals(await other.broker.keepsakes!.take("another"), undefined);
  await until(async () => await redis.command("EXISTS", "gong:{$keepsakes}:brief") === 0);
});
